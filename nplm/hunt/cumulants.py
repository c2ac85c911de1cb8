"""Tails of distributions that are known by their first three cumulants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import log_ndtr

from nplm.stats.chi2_tail import skewed_log_sf

# A distribution whose skewness is below this is taken for a normal one.
_SYMMETRIC = 1e-3


def log_tail(
    t: Float64[np.ndarray, "*n"],
    mean: float | Float64[np.ndarray, "*n"],
    variance: float | Float64[np.ndarray, "*n"],
    third: float | Float64[np.ndarray, "*n"],
) -> Float64[np.ndarray, "*n"]:
    """log P(T >= t) of the shifted and scaled chi2 with these three cumulants; without skewness of a normal one."""
    z = (t - mean) / np.sqrt(variance)
    skewness = np.asarray(third / variance**1.5)
    freedom = 8 / np.maximum(skewness, _SYMMETRIC) ** 2
    return np.where(skewness > _SYMMETRIC, skewed_log_sf(z, freedom), log_ndtr(-z))


@dataclass(frozen=True, eq=False)
class Cumulants:
    """The first three cumulants of t of each window and kernel.

    Arguments:
        mean, variance, third: of a weighted chi2, shape (J, K).
        spread: of how many times that variance t is, as it is a sum over few events, shape (J, K).
    """

    mean: Float64[np.ndarray, "J K"]
    variance: Float64[np.ndarray, "J K"]
    third: Float64[np.ndarray, "J K"]
    spread: Float64[np.ndarray, "J K"]

    def log_p(self, t: Float64[np.ndarray, "J K"]) -> Float64[np.ndarray, "J K"]:
        """log P(T >= t), see `log_tail`."""
        return log_tail(t, self.mean, self.variance * self.spread, self.third * self.spread**1.5)
