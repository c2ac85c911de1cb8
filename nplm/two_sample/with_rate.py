"""Shape and yield as one p-value: either alone, or both together."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtri_exp

from nplm.two_sample.calibration import TwoSampleCalibration
from nplm.two_sample.rate import Rate

Lead = Literal["shape", "yield", "both"]
# A shape with a larger p-value has no part in what both show together.
_ORDINARY = 0.1


def with_rate(shape: TwoSampleCalibration, rate: Rate) -> tuple[TwoSampleCalibration, Lead]:
    """The p-value of shape and yield, which are independent without a difference, and which of them leads.

    Looked at are the p-value of the shape, and that of its product with the p-value of the yield (R. A. Fisher,
    Statistical Methods for Research Workers, 1932, section 21.1), as more events in one place raise both; the smaller
    of the two counts, see `log_p_of_smaller`.
    """
    logs = [_smallest(float(log_ndtr(-z)), rate.log_p)[0] for z in (shape.z, *shape.z_interval)]
    lead = _smallest(float(log_ndtr(-shape.z)), rate.log_p)[1]
    p, high, low = map(float, np.exp(logs))
    z, low_z, high_z = (float(-ndtri_exp(min(log_p, -1e-16))) for log_p in logs)
    found = replace(shape, p_value=p, p_interval=(low, high), z=z, z_interval=(low_z, high_z))
    return found, lead


def _smallest(log_shape: float, log_yield: float) -> tuple[float, Lead]:
    together = log_p_of_product(log_shape + log_yield)
    lead: Lead = "shape" if log_shape <= together else "both" if log_shape <= np.log(_ORDINARY) else "yield"
    return log_p_of_smaller(min(log_shape, together)), lead


def log_p_of_product(log_product: float) -> float:
    """log P(U V <= k) = log(k (1 - log k)) for two independent uniform numbers."""
    return log_product + float(np.log1p(-log_product)) if log_product > -np.inf else -np.inf


def log_p_of_smaller(log_c: float) -> float:
    """log P(U <= c or U V <= k), with P(U V <= k) = c.

    Beyond U <= c, V must be at most k / U, so P = c + k log(1 / c).
    """
    if log_c in (0.0, -np.inf):
        return log_c
    log_k = float(brentq(lambda x: log_p_of_product(x) - log_c, log_c - 50 - np.log1p(-log_c), 0.0, xtol=1e-13))
    return min(log_c + float(np.log1p(-np.exp(log_k - log_c) * log_c)), 0.0)
