"""The tail of chi2 to any depth."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy.special import gammaln
from scipy.stats import chi2

# Terms of the continued fraction; it converges at once where it is used, far beyond the mean.
_TERMS = 60


def chi2_log_sf(
    x: Float64[np.ndarray, "*n"], degrees_of_freedom: float | Float64[np.ndarray, "*#n"]
) -> Float64[np.ndarray, "*n"]:
    """log P(chi2(k) >= x), also where p is below the smallest number of float64, and SciPy gives minus infinity.

    There log Q(a, y) = a log y - y - log Gamma(a) - log(y + 1 - a - 1 (1 - a) / (y + 3 - a - 2 (2 - a) / ...)), with
    a = k / 2 and y = x / 2 (https://dlmf.nist.gov/8.9.E2, its even part).

    Arguments:
        x: where.
        degrees_of_freedom: k.
    """
    log_p = np.asarray(chi2.logsf(x, degrees_of_freedom))
    deep = np.isneginf(log_p) & np.isfinite(x)
    if not deep.any():
        return log_p
    a = np.broadcast_to(degrees_of_freedom, log_p.shape)[deep] / 2
    y = np.broadcast_to(x, log_p.shape)[deep] / 2
    fraction = y + 2 * _TERMS + 1 - a
    for n in range(_TERMS, 0, -1):
        fraction = y + 2 * n - 1 - a - n * (n - a) / fraction
    found = log_p.copy()
    found[deep] = a * np.log(y) - y - gammaln(a) - np.log(fraction)
    return found


def skewed_log_sf(
    z: Float64[np.ndarray, "*n"], degrees_of_freedom: float | Float64[np.ndarray, "*#n"]
) -> Float64[np.ndarray, "*n"]:
    """log P(Z >= z) of a chi2(k) that is shifted and scaled to mean zero and variance one.

    With k = 8 variance^3 / third^2 it has the first three cumulants of a sum of weighted squares (P. Hall, Ann. Probab.
    11 (1983) 1028).

    Arguments:
        z: where, in standard deviations from the mean.
        degrees_of_freedom: k.
    """
    return chi2_log_sf(degrees_of_freedom + z * np.sqrt(2 * np.asarray(degrees_of_freedom)), degrees_of_freedom)
