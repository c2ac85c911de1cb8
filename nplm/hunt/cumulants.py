"""Tails of distributions that are known by their first three cumulants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import log_ndtr

from nplm.stats.chi2_tail import chi2_log_sf

# A distribution whose skewness is below this is taken for a normal one.
_SYMMETRIC = 1e-3


def log_tail(
    t: Float64[np.ndarray, "*n"],
    mean: float | Float64[np.ndarray, "*n"],
    variance: float | Float64[np.ndarray, "*n"],
    third: float | Float64[np.ndarray, "*n"],
) -> Float64[np.ndarray, "*n"]:
    """log P(T >= t) of the chi2 with these three cumulants (P. Hall, Ann. Probab. 11 (1983) 1028).

    It has 8 variance^3 / third^2 degrees of freedom, and is shifted and scaled. Without skewness it is a normal one.
    """
    z = (t - mean) / np.sqrt(variance)
    skewness = np.asarray(third / variance**1.5)
    freedom = 8 / np.maximum(skewness, _SYMMETRIC) ** 2
    found = chi2_log_sf(np.maximum(freedom + z * np.sqrt(2 * freedom), 0.0), freedom)
    return np.where(skewness > _SYMMETRIC, found, log_ndtr(-z))


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
