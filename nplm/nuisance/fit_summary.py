"""What the data say about the nuisances, for people and for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

# Beyond so many standard deviations of its constraint a nuisance deserves a remark.
PULLED = 3.0
# Another minimum whose Delta is smaller by no more than this describes the data nearly as well.
NEARLY = 4.0


@dataclass(frozen=True, eq=False)
class NuisanceSummary:
    """The fit of the nuisances to one data sample.

    Arguments:
        names: of the nuisances.
        sigma: size of each one's constraint, shape (k,).
        measured: nu that the auxiliary measurements alone like best, shape (k,); NaN if there is none.
        nu: where Delta ended: the reference, varied, that describes the data best, shape (k,).
        errors: standard deviations of nu from the curvature of the likelihood there, constraint included, shape (k,).
        correlation: of nu, shape (k, k).
        nu_tau: where tau ended: nu besides f, shape (k,).
        tau: -2 min of the loss over f and nu.
        delta: -2 min of the loss over nu; t = tau - delta.
        impact: of each nuisance, t with it held at 0 less t, shape (k,): by how much t would be larger were the
            nuisance known to be nominal. NaN where the fit that this takes failed; None if it was not computed.
        learned_range: between which values of each nuisance its log-ratio was learned, infinite where it was not
            learned, shape (k, 2).
        others: other minima of Delta's loss, the best first, each with nu, shape (k,), and Delta there.
    """

    names: tuple[str, ...]
    sigma: Float64[np.ndarray, " k"]
    measured: Float64[np.ndarray, " k"]
    nu: Float64[np.ndarray, " k"]
    errors: Float64[np.ndarray, " k"]
    correlation: Float64[np.ndarray, "k k"]
    nu_tau: Float64[np.ndarray, " k"]
    tau: float
    delta: float
    impact: Float64[np.ndarray, " k"] | None = None
    learned_range: Float64[np.ndarray, "k 2"] | None = None
    others: tuple[tuple[Float64[np.ndarray, " k"], float], ...] = ()

    @classmethod
    def of(
        cls,
        names: tuple[str, ...],
        sigma: Float64[np.ndarray, " k"],
        measured: Float64[np.ndarray, " k"],
        nu: Float64[np.ndarray, " k"],
        covariance: Float64[np.ndarray, "k k"],
        nu_tau: Float64[np.ndarray, " k"],
        t: float,
        delta: float,
        impact: Float64[np.ndarray, " k"] | None = None,
        learned_range: Float64[np.ndarray, "k 2"] | None = None,
        others: tuple[tuple[Float64[np.ndarray, " k"], float], ...] = (),
    ) -> NuisanceSummary:
        """The summary of a fit whose nu has this covariance."""
        # A variance that is negative is none: nu is at a saddle, and its fit did not converge.
        errors = np.sqrt(np.maximum(np.diag(covariance), 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            correlation = np.nan_to_num(covariance / np.outer(errors, errors))
        tau = t + delta
        return cls(names, sigma, measured, nu, errors, correlation, nu_tau, tau, delta, impact, learned_range, others)

    @property
    def pulls(self) -> Float64[np.ndarray, " k"]:
        """(nu - measured) / sigma: how far the data pull each nuisance from what is known of it, in units of that."""
        return (self.nu - self.measured) / self.sigma

    def cautions(self) -> list[str]:
        """Nuisances that the data pull far from what is known about them, or from where they were learned, and minima
        that nearly are as good."""
        pulled = [
            f"the data pull nuisance '{name}' by {pull:+.1f} standard deviations of its constraint: t does not count"
            " what it absorbs, so look whether that is plausible"
            for name, pull in zip(self.names, self.pulls, strict=True)
            if abs(pull) > PULLED
        ]
        if self.learned_range is not None:
            pulled += self._extrapolated(self.learned_range)
        return pulled + self._ambiguous()

    def _ambiguous(self) -> list[str]:
        """A remark if the data do not tell two values of the nuisances apart."""
        near = [nu for nu, delta in self.others if self.delta - delta < NEARLY]
        if not near:
            return []
        moved = np.abs(near[0] - self.nu) / self.sigma
        i = int(moved.argmax())
        return [
            f"the data are described nearly as well at {self.names[i]} = {near[0][i]:.3g} as at {self.nu[i]:.3g}: the"
            " effect of that nuisance is much the same to both sides, and its error and pull are those of one of them"
        ]

    def _extrapolated(self, learned_range: Float64[np.ndarray, "k 2"]) -> list[str]:
        """A remark on each nuisance whose fitted value is farther than its error from where its log-ratio was learned.

        The error of d2 counts nu^2 / 2 times, so what is well known there may be badly known at twice the distance.
        """
        return [
            f"the data are described best at {name} = {nu:.3g}, but its log-ratio was learned between {low:.3g} and"
            f" {high:.3g}, and is extrapolated: learn it from samples that reach so far"
            for name, nu, error, (low, high) in zip(self.names, self.nu, self.errors, learned_range, strict=True)
            if not low - error <= nu <= high + error
        ]

    def to_dict(self) -> Mapping[str, Any]:
        """The numbers as JSON values."""
        columns = {
            "sigma": self.sigma,
            "measured": self.measured,
            "nu": self.nu,
            "error": self.errors,
            "pull": self.pulls,
            "nu_tau": self.nu_tau,
            "impact": np.full(len(self.names), np.nan) if self.impact is None else self.impact,
        }
        return {
            "tau": self.tau,
            "delta": self.delta,
            "fitted": [
                {"name": name, **{label: float(values[i]) for label, values in columns.items()}}
                for i, name in enumerate(self.names)
            ],
            "correlation": self.correlation,
            "other_minima": [{"nu": nu, "delta": delta} for nu, delta in self.others],
        }
