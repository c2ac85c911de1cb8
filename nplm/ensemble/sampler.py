"""Where toys come from: samplers of data under the null hypothesis."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import jax
import numpy as np
from jaxtyping import Array, Float64, Key

from nplm.sample import Sample

ToyKey = Key[Array, ""]

# Above this ratio of expected yield to effective pool size the pool's own fluctuation widens t by more than 5%.
LARGEST_POOL_SHARE = 0.05


class Sampler(Protocol):
    """Draws toy data samples: the same key gives the same toy, wherever and whenever it is drawn."""

    def __call__(self, key: ToyKey) -> Sample:
        """One toy."""
        ...

    def describe(self) -> str:
        """What the toys are drawn from, in words for the report."""
        ...


def generator(key: ToyKey) -> np.random.Generator:
    """A NumPy generator seeded with a JAX key."""
    return np.random.default_rng(np.asarray(jax.random.key_data(key)))


@dataclass(frozen=True, eq=False)
class PoolSampler:
    """Toys drawn from a pool of events, with replacement and in proportion to their weights.

    The number of events is Poisson with mean expected_yield / mean(data_weights), or fixed; each event then carries
    a weight drawn from `data_weights`, so the expectation of the toy's yield is `expected_yield`.

    Arguments:
        pool: the events; no negative weights.
        expected_yield: mean of the toys' summed weights.
        data_weights: the weights that data events carry; None for unit weights.
        fixed_size: draw exactly this many events (shape-only tests) instead of a Poisson number.

    Raises:
        ValueError: if the pool has negative weights.
    """

    pool: Sample
    expected_yield: float
    data_weights: Float64[np.ndarray, " n"] | None = None
    fixed_size: int | None = None
    _cumulative: Float64[np.ndarray, " n"] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.pool.has_negative_weights:
            raise ValueError(
                f"toys cannot be drawn from {self.pool.name}: it has negative weights, which are not probabilities."
                " Give a pool of unweighted (or positively weighted) events drawn from the same distribution"
            )
        cumulative = np.cumsum(self.pool.require_yield().weights)
        object.__setattr__(self, "_cumulative", cumulative / cumulative[-1])

    def __call__(self, key: ToyKey) -> Sample:
        rng = generator(key)
        mean_weight = 1.0 if self.data_weights is None else float(self.data_weights.mean())
        size = rng.poisson(self.expected_yield / mean_weight) if self.fixed_size is None else self.fixed_size
        if self.pool.is_weighted:
            rows = np.searchsorted(self._cumulative, rng.random(size), side="right")
            rows = np.minimum(rows, len(self.pool) - 1)
        else:
            rows = rng.integers(len(self.pool), size=size)
        weights = None if self.data_weights is None else rng.choice(self.data_weights, size)
        return Sample(self.pool.events[rows], weights, self.pool.features, "toy")

    def describe(self) -> str:
        number = f"exactly {self.fixed_size}" if self.fixed_size is not None else "a Poisson number of"
        return f"{number} events drawn with replacement from {self.pool.name} ({len(self.pool)} events)"
