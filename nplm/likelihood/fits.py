"""What the fits of a batch of data samples ended with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

# No difference at all has t = 0, so that a maximum has more; rounding, or a budget that is spent, may take a little.
_FAR_BELOW = -1.0


@dataclass(frozen=True, eq=False)
class Fits:
    """The fits of a batch of B data samples.

    Arguments:
        t: test statistic -2 min L of each sample, shape (B,); NaN where the fit failed.
        parameters: the fitted parameters, shape (B, P).
        converged: whether the fit met its criterion, shape (B,). A fit that stopped at its fixed budget has not
            converged, yet its t is defined: the same budget serves data and toys.
        starts: how many starts were followed to the end.
        starts_agreeing: how many of those ended within 0.05 of the largest t, shape (B,).
        start_spread: largest t minus the smallest t of those starts, shape (B,).
        remaining: estimate of how much t would still rise at the maximum it climbs (Newton decrement), shape (B,).
        failure: why a fit has no t, shape (B,); empty where it has one.
        delta: with nuisances, Delta: t is tau - Delta, shape (B,).
        nu_delta, nu_tau: with nuisances, nu where the fits of Delta and of tau ended, shape (B, k).
    """

    t: Float64[np.ndarray, " b"]
    parameters: Float64[np.ndarray, "b p"]
    converged: Bool[np.ndarray, " b"]
    starts: int
    starts_agreeing: Int64[np.ndarray, " b"]
    start_spread: Float64[np.ndarray, " b"]
    remaining: Float64[np.ndarray, " b"]
    failure: Shaped[np.ndarray, " b"]
    delta: Float64[np.ndarray, " b"] | None = None
    nu_delta: Float64[np.ndarray, "b k"] | None = None
    nu_tau: Float64[np.ndarray, "b k"] | None = None

    @classmethod
    def concatenate(cls, parts: Sequence[Fits]) -> Fits:
        """The fits of several batches as one; they must have used the same number of starts."""
        present = [f.name for f in fields(cls) if f.name != "starts" and getattr(parts[0], f.name) is not None]
        columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in present}
        return cls(starts=parts[0].starts, **columns)

    def without_runaways(self) -> Fits:
        """The same, but that fits whose t lies far below 0, which no difference at all has, failed."""
        away = self.t < _FAR_BELOW
        if not away.any():
            return self
        failure = self.failure.astype(object)
        failure[away] = [
            f"t = {t:.3g} lies far below 0, so the fit ran away; use a smaller clip, or a larger penalty of a kernel"
            for t in self.t[away]
        ]
        return replace(self, t=np.where(away, np.nan, self.t), converged=self.converged & ~away, failure=failure)

    def take(self, rows: Int64[np.ndarray, " c"]) -> Fits:
        """The fits with these numbers."""
        present = [f.name for f in fields(self) if f.name != "starts" and getattr(self, f.name) is not None]
        return Fits(starts=self.starts, **{name: getattr(self, name)[rows] for name in present})
