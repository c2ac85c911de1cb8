"""Toys whose t is a known function of the clip, for tests of tuning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2

from nplm.toys.table import ToyTable
from nplm.tuning.result import Tuned

MeanOf = Callable[[float], float]
Quantiles = Callable[[np.ndarray, float], np.ndarray]


def narrow(u: np.ndarray, k: float) -> np.ndarray:
    """Quantiles of half the width of the chi2, around its mean."""
    return k + 0.5 * (chi2.ppf(u, k) - k)


@dataclass
class Toys:
    """Toys that follow a chi2 of a mean that grows with the clip, the same quantiles at every clip.

    Arguments:
        mean: of t, at each clip.
        scan: number of toys of the scan.
        quantiles: the quantile function of t for a mean.
        failing: numbers of toys that have no t at clips above 10.
        gap: how far the best t known, which only following the maxima finds, lies above the search's: shape (scan,).
        u: the quantiles of the toys; default: evenly spread, so that their mean is that of the chi2 but for the tail
            beyond the last, also that of the walk's.
    """

    mean: MeanOf
    scan: int
    quantiles: Quantiles = chi2.ppf
    failing: tuple[int, ...] = ()
    gap: np.ndarray | float = 0.0
    u: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.asked: list[tuple[float, range]] = []

    def __call__(self, clip: float, wanted: range) -> ToyTable:
        self.asked.append((clip, wanted))
        n = len(wanted)
        u = (np.random.default_rng(3).permutation(n) + 0.5) / n if self.u is None else self.u[wanted]
        t = np.asarray(self.quantiles(u, self.mean(clip)))
        if clip > 10:
            t[np.isin(wanted, self.failing)] = np.nan
        return ToyTable(
            index=np.array(wanted),
            t=t,
            total_weight=np.full(n, 300.0),
            converged=np.isfinite(t),
            starts_agreeing=np.where(np.arange(n) % 4 == 0, 1, 2),
            failure=np.where(np.isfinite(t), "", "lost").astype(object),
            seconds=np.zeros(n),
            parameters=np.zeros((n, 4)),
        )


def logarithmic(root: float, slope: float = 2.0) -> MeanOf:
    """A mean of 4, the number of parameters, at the root."""
    return lambda clip: max(0.1, 4 + slope * np.log(clip / root))


def scan_clips(toys: Toys) -> list[float]:
    """The clips at which all toys were fitted, in the order of time, each once."""
    return list(dict.fromkeys(clip for clip, wanted in toys.asked if len(wanted) == toys.scan))


def fitted_p(tuned: Tuned) -> float:
    """The p-value of the shape."""
    assert tuned.check is not None
    assert tuned.check.fitted is not None
    return tuned.check.fitted.p_value
