"""The contract between the test and its models: prepare once, fit many."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
from jaxtyping import Bool, Float64, Int64, Shaped

from nplm.data.coordinates import Coordinates
from nplm.data.sample import Sample
from nplm.stats.asymptotic import Formula
from nplm.stats.chi2 import Chi2Null

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


def parameter_chi2(parameters: int, shape_only: bool) -> Chi2Null:
    """The chi2 of so many free parameters, one of which is the yield.

    Raises:
        ValueError: if there is no other.
    """
    if parameters - shape_only < 1:
        raise ValueError("one bin has no shape: use more bins, or test shape and yield")
    return Chi2Null(parameters - shape_only)


def seconds_of_batches(fit: Callable[[Sequence[Sample]], Fits], data: Sample, fits: int) -> float:
    """How long so many fits take, from a small batch that is fitted twice: the first time compiles."""
    batch = [data] * min(fits, 4)
    fit(batch)
    began = time.perf_counter()
    fit(batch)
    return (time.perf_counter() - began) * fits / len(batch)


class PreparedModel(Protocol):
    """A model together with everything that depends on the reference and not on the data."""

    @property
    def parameters(self) -> int:
        """Number of parameters P that a fit ends with."""
        ...

    @property
    def batch_size(self) -> int:
        """How many samples are best fitted in one call: as many as the cores, or the memory, can take."""
        ...

    def fit(self, data: Sequence[Sample]) -> Fits:
        """Maximises the likelihood ratio for each of a batch of data samples."""
        ...

    def null(
        self,
        data: Sample | None = None,
        *,
        shape_only: bool = False,
        normalized: bool = False,
        fixed_reference: bool = False,
    ) -> Formula:
        """The distribution that t tends to under the null, from a formula.

        Arguments:
            data: whose weights it is for; None for unit weights.
            shape_only: whether the yields are taken to be equal.
            normalized: whether the reference was scaled to a yield that is known from elsewhere.
            fixed_reference: for toys that are drawn from the reference itself; else it fluctuates too.

        Raises:
            ValueError: if nothing is left to be compared, as in the shape of one bin.
        """
        ...

    def log_ratio(self, parameters: Float64[np.ndarray, " p"], events: Float64[np.ndarray, "n d"]) -> np.ndarray:
        """f(x; parameters) at events in the units of the reference, shape (n,)."""
        ...

    def named_parameters(self, parameters: Float64[np.ndarray, " p"]) -> dict[str, np.ndarray]:
        """The parameters by name, as a reader of the result wants them."""
        ...

    def projected_seconds(self, data: Sample, fits: int) -> float:
        """How long fits of samples like `data` are projected to take."""
        ...


class Model(Protocol):
    """A family of log-ratios f(x; w), and how to fit it."""

    @property
    def name(self) -> str:
        """What the model is called on the command line."""
        ...

    def configuration(self, dimension: int) -> Mapping[str, Any]:
        """The settings for that many features, defaults spelled out, as JSON values."""
        ...

    def prepare(self, reference: Sample, scaler: Coordinates) -> PreparedModel:
        """Does all that does not depend on the data."""
        ...
