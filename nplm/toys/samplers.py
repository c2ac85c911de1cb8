"""Where toys come from: samplers of data samples, under the null hypothesis or with a signal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import jax
import numpy as np
from jaxtyping import Array, Float64, Key
from scipy.stats.sampling import DiscreteAliasUrn

from nplm.data.fingerprint import rounded, summary
from nplm.data.sample import Sample, concatenate
from nplm.io.tables import Tabular, as_sample
from nplm.toys.no_toys import why_not_drawn

ToyKey = Key[Array, ""]

# Above this ratio of expected yield to effective pool size the pool's own fluctuation widens t by more than 5%.
LARGEST_POOL_SHARE = 0.05


class Sampler(Protocol):
    """Draws toy data samples: the same key gives the same toy, wherever and whenever it is drawn.

    To run toys in other processes, a sampler must be picklable. One whose draws depend on settings that hardly show in
    a few toys should also have a method `settings()` that returns them as JSON values, for the plan of a campaign.
    """

    def __call__(self, key: ToyKey) -> Sample:
        """One toy."""
        ...

    def describe(self) -> str:
        """What the toys are drawn from, in words for the report."""
        ...


def settings_of(drawing: object) -> Any:
    """The settings that a sampler, or a function that generates toys, declares; else its description, if it has one."""
    for name in ("settings", "describe"):
        declared = getattr(drawing, name, None)
        if callable(declared):
            return declared()
    return None


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
    _urn: DiscreteAliasUrn | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if why := why_not_drawn(self.pool):
            raise ValueError(
                f"{why}. Give a pool of unweighted (or positively weighted) events drawn from the same distribution"
            )
        weights = self.pool.require_yield().weights
        equal = bool((weights == weights[0]).all())
        object.__setattr__(self, "_urn", None if equal else DiscreteAliasUrn(weights / weights.sum()))

    def __call__(self, key: ToyKey) -> Sample:
        rng = generator(key)
        mean_weight = 1.0 if self.data_weights is None else float(self.data_weights.mean())
        size = rng.poisson(self.expected_yield / mean_weight) if self.fixed_size is None else self.fixed_size
        if self._urn is None:
            rows = rng.integers(len(self.pool), size=size)
        else:
            rows = self._urn.rvs(size, random_state=rng).astype(np.int64)  # type: ignore[call-overload]
        weights = None if self.data_weights is None else rng.choice(self.data_weights, size)
        return self.pool.draw(rows, weights)

    @property
    def inflation(self) -> float:
        """1 + N/n_eff: by how much the pool's own fluctuation, the same in all toys, widens t of fluctuating data."""
        return 1.0 + self.expected_yield / self.pool.effective_size

    def settings(self) -> dict[str, Any]:
        """What decides about the toys."""
        weights = None if self.data_weights is None else summary(Sample(self.data_weights))
        return {
            "pool": summary(self.pool),
            "expected_yield": rounded(self.expected_yield),
            "data_weights": weights,
            "fixed_size": self.fixed_size,
        }

    def describe(self) -> str:
        number = f"exactly {self.fixed_size}" if self.fixed_size is not None else "a Poisson number of"
        return f"{number} events drawn with replacement from {self.pool.name} ({len(self.pool)} events)"


@dataclass(frozen=True, eq=False)
class GeneratorSampler:
    """Toys that a function of the user's generates.

    Arguments:
        generate: draws one toy with the NumPy generator it is given: a Sample, an array of events of shape (n, d), or
            a table. How many events it draws, and from which distribution, is its own affair.
        description: what it does, in words for the report.
        features: names of the features where `generate` returns an array.
    """

    generate: Callable[[np.random.Generator], Tabular]
    description: str
    features: tuple[str, ...] | None = None

    def __call__(self, key: ToyKey) -> Sample:
        return as_sample(self.generate(generator(key)), features=self.features, name="toy")

    def settings(self) -> dict[str, Any]:
        """What decides about the toys, as far as the function says."""
        return {"description": self.description, "generate": settings_of(self.generate)}

    def describe(self) -> str:
        return self.description


@dataclass(frozen=True, eq=False)
class InjectionSampler:
    """Toys of two parts, each drawn by a sampler of its own: background, and a signal of a Poisson number of events."""

    background: Sampler
    signal: Sampler

    def __call__(self, key: ToyKey) -> Sample:
        background, signal = (draw(k) for draw, k in zip(self._parts, jax.random.split(key), strict=True))
        return concatenate([background, signal], "toy")

    def settings(self) -> dict[str, Any]:
        """What decides about the toys."""
        return {"background": settings_of(self.background), "signal": settings_of(self.signal)}

    def describe(self) -> str:
        return " with a signal of ".join(part.describe() for part in self._parts)

    @property
    def _parts(self) -> tuple[Sampler, Sampler]:
        return self.background, self.signal


@dataclass(frozen=True, eq=False)
class ExpectationSampler:
    """Technical toys: the expectation itself is the data, without fluctuations, so all toys are the same.

    Arguments:
        expectation: weighted events whose sums of weights are the expected yields, such as the reference together with
            the signal's events.
    """

    expectation: Sample

    def __call__(self, key: ToyKey) -> Sample:
        return self.expectation.as_expectation()

    def settings(self) -> dict[str, Any]:
        """What decides about the toys."""
        return {"expectation": summary(self.expectation)}

    def describe(self) -> str:
        return f"the expectation itself, without fluctuations: {self.expectation.name}"


@dataclass(frozen=True, eq=False)
class BootstrapSampler:
    """Samples drawn from a sample with replacement: what a reference could as well have been.

    An event keeps its weight, which may be negative; so the yield fluctuates as far as the weights differ.

    Arguments:
        original: the sample.
        fluctuating_size: draw a Poisson number of events with the original's as mean, so that the yield fluctuates with
            it; else as many as the original has.
    """

    original: Sample
    fluctuating_size: bool = False

    def __call__(self, key: ToyKey) -> Sample:
        rng, size = generator(key), len(self.original)
        if self.fluctuating_size:
            size = int(rng.poisson(size))
        return self.original.select(rng.integers(len(self.original), size=size))

    def settings(self) -> dict[str, Any]:
        """What decides about the samples."""
        # Stored toys of references of a fixed size go on.
        return {"original": summary(self.original), **({"fluctuating_size": True} if self.fluctuating_size else {})}

    def describe(self) -> str:
        number = "a Poisson number of events" if self.fluctuating_size else "as many events"
        return f"{number} drawn with replacement from {self.original.name}, with their weights"
