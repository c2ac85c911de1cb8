"""What closure injects: toys with a signal and without, their expectation, and the null that their t is read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64

from nplm.data.sample import Sample, concatenate
from nplm.statistic import LikelihoodRatio
from nplm.stats.asymptotic import AsymptoticNull
from nplm.stats.null import Null
from nplm.toys.nuisance_sampler import NuisanceSampler
from nplm.toys.samplers import InjectionSampler, PoolSampler, Sampler
from nplm.toys.table import ToyTable


@dataclass(frozen=True, eq=False)
class Injection:
    """Toys of a test with events of a signal.

    Shape and yield: a Poisson number of events of the background, and one of the signal. Shape only: always N(R)
    events, rounded, each of the signal with probability N_S / N(R). With nuisances the truth is nu = 0, and each toy
    has auxiliary measurements that fluctuate around it.

    Arguments:
        test: the test.
        background: events to draw.
        signal: events to draw; their weights are scaled.
        resampled: whether the background is the reference itself, which does not fluctuate then.
    """

    test: LikelihoodRatio
    background: Sample
    signal: Sample
    resampled: bool

    def require(self, numbers: Sequence[float]) -> None:
        """Refuses signals that do not fit among a fixed number of events.

        Raises:
            ValueError: naming the number.
        """
        for number in numbers:
            if self.test.shape_only and not number < self._expected:
                raise ValueError(
                    f"a signal of {number:g} events has no room among the {self._expected:,.0f} events of a toy, whose"
                    " number is that of the reference: give fewer, or test shape and yield"
                )

    def sampler(self, events: float = 0.0) -> Sampler:
        """Toys with so many signal events, expected."""
        found: Sampler
        if self.test.shape_only:
            size = round(self._expected)
            found = PoolSampler(self._mixture(self.background, events), float(size), fixed_size=size)
        else:
            found = PoolSampler(self.background, self._expected)
            if events:
                found = InjectionSampler(found, PoolSampler(self.signal, events))
        nuisances = self.test.nuisances
        return found if nuisances is None else NuisanceSampler(found, nuisances, np.zeros(nuisances.count))

    def expectation(self, events: float) -> Sample:
        """Reference and signal with their weights, without fluctuations."""
        return self._mixture(self.test.reference, events)

    def _mixture(self, background: Sample, events: float) -> Sample:
        if not events:
            return background
        left = background.scaled_to(self._expected - events) if self.test.shape_only else background
        return concatenate([left, self.signal.scaled_to(events)], f"{background.name} and {self.signal.name}")

    @property
    def _expected(self) -> float:
        return self.test.reference.total_weight

    @cached_property
    def asymptotic(self) -> AsymptoticNull:
        """The asymptotic null of t of toys without a signal; with nuisances at nu = 0."""
        return self.test.asymptotic_null(fixed_reference=self.resampled)

    @property
    def moving(self) -> bool:
        """Whether that null moves with nu."""
        return self.test.prepared.profiled is not None and self.asymptotic.derived

    def asymptotic_at(self, nu: Float64[np.ndarray, " k"]) -> AsymptoticNull:
        """The asymptotic null of t at another nu."""
        prepared = self.test.prepared.profiled
        if prepared is None:
            return self.asymptotic
        return prepared.null_at(nu, normalized=self.test.normalized, fixed_reference=self.resampled)

    def as_at_zero(self, table: ToyTable) -> Float64[np.ndarray, " n"]:
        """t of toys; where the asymptotic null moves with nu, the t that has the same p-value at nu = 0.

        An analysis knows nu only from its data, and so reads t from the null at the nu that Delta finds: the size of
        that is what has to be right.
        """
        if not self.moving or table.nu_delta is None:
            return table.t
        asymptotic = self.asymptotic

        def moved(t: float, nu: Float64[np.ndarray, " k"]) -> float:
            return asymptotic.threshold_of_z(self.asymptotic_at(nu).z(t)) if np.isfinite(t) else t

        return np.array([moved(t, nu) for t, nu in zip(table.t, table.nu_delta, strict=True)])

    def technical(self, events: float, null: Null) -> tuple[float, float]:
        """t of the expectation, and the Z of that and the mean of the null together; see `ClosureAt`."""
        fits = self.test.fit([self.expectation(events).as_expectation()])
        t = float(fits.t[0])
        if not np.isfinite(t):
            return t, float("nan")
        if null is self.asymptotic and self.moving and fits.nu_delta is not None:
            null = self.asymptotic_at(fits.nu_delta[0])
        return t, float(null.z(t + null.mean))
