"""The tilt under which a sum of weighted squares has a given mean."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy.optimize import brentq


def saddle(weights: Float64[np.ndarray, " r"], t: float) -> float:
    """The theta >= 0 with sum_k w_k / (1 - 2 theta w_k) = t: the tilt under which t is the mean; 0 below the mean.

    With z_k standard normal variables, it is the saddle of the distribution of t = sum_k w_k z_k^2.
    """
    if t <= weights.sum():
        return 0.0
    largest = float(weights.max())

    def excess(theta: float) -> float:
        return float((weights / (1 - 2 * theta * weights)).sum()) - t

    # The largest weight alone makes the sum exceed t at the upper end.
    return float(brentq(excess, 0.0, (1 - 0.5 * largest / t) / (2 * largest), xtol=1e-14))
