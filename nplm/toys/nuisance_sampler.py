"""Toys at a point of the nuisances: events of that expectation, and auxiliary measurements around the truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
from jaxtyping import Float64

from nplm.data.fingerprint import rounded
from nplm.data.sample import Sample
from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.ratios.base import log_ratio
from nplm.toys.samplers import PoolSampler, Sampler, ToyKey, generator, settings_of


@dataclass(frozen=True, eq=False)
class NuisanceSampler:
    """Toys whose auxiliary measurements fluctuate as their events do.

    Arguments:
        events: draws the events of a toy, at the true nu.
        nuisances: whose constraint says how auxiliary measurements fluctuate.
        nu: the truth, shape (k,).
    """

    events: Sampler
    nuisances: Nuisances
    nu: Float64[np.ndarray, " k"]

    def __call__(self, key: ToyKey) -> Sample:
        of_events, of_auxiliary = jax.random.split(key)
        measured = self.nuisances.sample_auxiliary(self.nu, generator(of_auxiliary))
        return self.events(of_events).with_auxiliary(measured)

    def settings(self) -> dict[str, Any]:
        """What decides about the toys."""
        return {
            "events": settings_of(self.events),
            "constraint": self.nuisances.constraint.document(),
            "nu": [rounded(value) for value in self.nu],
        }

    def describe(self) -> str:
        where = ", ".join(f"{name} = {value:.3g}" for name, value in zip(self.nuisances.names, self.nu, strict=True))
        return f"{self.events.describe()}, at {where}, with auxiliary measurements that fluctuate around it"


def sampler_at(draw: PoolSampler, nuisances: Nuisances, nu: Float64[np.ndarray, " k"]) -> NuisanceSampler:
    """The sampler with its pool reweighted from nu = 0 to another point: w becomes w r(x; nu).

    Arguments:
        draw: draws toys of the reference as given.
        nuisances: r, and the constraint.
        nu: the truth of the toys.
    """
    pool = draw.pool
    weights = pool.weights * np.exp(log_ratio(nuisances.ratio, pool.events, nu))
    expected = draw.expected_yield * weights.sum() / pool.total_weight
    moved = replace(draw, pool=replace(pool, weights=weights), expected_yield=expected)
    return NuisanceSampler(moved, nuisances, np.asarray(nu, dtype=np.float64))
