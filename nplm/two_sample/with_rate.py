"""Shape and yield as one p-value: either alone, or both together."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtri_exp

from nplm.stats.yields import Rate
from nplm.two_sample.calibration import TwoSampleCalibration

Lead = Literal["shape", "yield", "both"]
# A shape with a larger p-value has no part in what both show together.
_ORDINARY = 0.1


def with_rate(shape: TwoSampleCalibration, rate: Rate) -> tuple[TwoSampleCalibration, Lead]:
    """The p-value of shape and yield, which are independent without a difference, and which of them leads.

    Looked at are the p-value of the shape, twice that of the yield, and that of their product (R. A. Fisher,
    Statistical Methods for Research Workers, 1932, section 21.1), as more events in one place raise both; the smallest
    of the three counts, see `log_p_of_smallest`.
    """
    logs = [_smallest(float(log_ndtr(-z)), rate.log_p)[0] for z in (shape.z, *shape.z_interval)]
    lead = _smallest(float(log_ndtr(-shape.z)), rate.log_p)[1]
    p, high, low = map(float, np.exp(logs))
    z, low_z, high_z = (float(-ndtri_exp(min(log_p, -1e-16))) for log_p in logs)
    # Where the yield alone decides, more samples of the shape would not.
    limit = shape.limit and lead != "yield"
    return replace(shape, p_value=p, p_interval=(low, high), z=z, z_interval=(low_z, high_z), limit=limit), lead


def _smallest(log_shape: float, log_yield: float) -> tuple[float, Lead]:
    together = log_p_of_product(log_shape + log_yield)
    candidates: dict[Lead, float] = {"shape": log_shape, "yield": log_yield + np.log(2.0), "both": together}
    smallest = min(candidates.values())
    lead: Lead = min(candidates, key=lambda name: candidates[name])
    if lead == "both" and log_shape > np.log(_ORDINARY):
        lead = "yield"
    return log_p_of_smallest(smallest), lead


def log_p_of_product(log_product: float) -> float:
    """log P(U V <= k) = log(k (1 - log k)) for two independent uniform numbers."""
    return log_product + float(np.log1p(-log_product)) if log_product > -np.inf else -np.inf


def log_p_of_smallest(log_c: float) -> float:
    """log P(U <= c or 2 V <= c or U V <= k), with P(U V <= k) = c.

    Beyond U <= c, V must be at most the larger of c / 2 and k / U. With the strips that is P = 3 c / 2 - k +
    k log(2 k / c^2), and where k > c / 2 it is c + k log(1 / c).
    """
    if log_c >= 0.0 or log_c == -np.inf:
        return min(log_c, 0.0)
    log_k = float(brentq(lambda x: log_p_of_product(x) - log_c, log_c - 50 - np.log1p(-log_c), 0.0, xtol=1e-13))
    share = np.exp(log_k - log_c)
    if share > 0.5:
        return min(log_c + float(np.log1p(-share * log_c)), 0.0)
    beyond = np.log(2.0) + log_k - 2 * log_c
    return min(log_c + float(np.log(1.5 - share + share * beyond if beyond > 0 else 1.5 - np.exp(log_c) / 2)), 0.0)
