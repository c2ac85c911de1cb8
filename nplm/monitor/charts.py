"""Control charts of Z-scores: limits for single windows, and a cumulative sum that sees small shifts that last.

The sum is Page's CUSUM (Biometrika 41 (1954) 100): S <- max(0, S + Z - k), with an alarm, and a new start from zero, at
S >= h. k is half of the shift that it is made for. The run length is the number of windows until an alarm.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

# Nodes of the quadrature over S: at least, and for a step of one standard deviation of Z.
_LEAST_NODES, _NODES_A_STEP = 24, 4
# A limit beyond this means that the reference's own fluctuation drives the sum.
_LARGEST_LIMIT = 20.0
# Run lengths beyond this are lost in the rounding of their equation.
_LONGEST = 1e12
# Gauss-Hermite nodes of the average over references.
_AVERAGE_NODES = 16
# One window shares so much of its variance with all others at most.
_MOST_SHARED = 0.999


def next_sum(s: float, z: float, reference_value: float) -> float:
    """The cumulative sum with one more window, max(0, s + z - k).

    Arguments:
        s: the sum so far.
        z: Z-score of the window.
        reference_value: k.
    """
    return max(0.0, s + z - reference_value)


def run_length(limit: float, reference_value: float, shift: float = 0.0, sd: float = 1.0) -> float:
    """Mean number of windows until the sum, from zero, reaches its limit, for Z ~ Normal(shift, sd).

    L(s) = 1 + L(0) P(s + Z - k <= 0) + int_0^h L(y) p(y - s + k) dy (E. S. Page, Biometrika 41 (1954) 100), solved on
    Gauss-Legendre nodes, which converges to all digits.

    Arguments:
        limit: h.
        reference_value: k.
        shift, sd: of Z.

    Returns:
        The mean run length; infinite beyond 1e12.
    """
    count = max(_LEAST_NODES, int(_NODES_A_STEP * limit / sd))
    nodes, weights = np.polynomial.legendre.leggauss(count)
    y, w = limit * (nodes + 1) / 2, limit * weights / 2
    s = np.concatenate([[0.0], y])
    matrix = np.empty((count + 1, count + 1))
    matrix[:, 0] = ndtr((reference_value - s - shift) / sd)
    u = (y[None, :] - s[:, None] + reference_value - shift) / sd
    matrix[:, 1:] = w * np.exp(-0.5 * u**2) / (sd * np.sqrt(2 * np.pi))
    length = float(np.linalg.solve(np.eye(count + 1) - matrix, np.ones(count + 1))[0])
    return length if 0 < length < _LONGEST else np.inf


def false_alarm_rate(limit: float, reference_value: float, shared: float = 0.0) -> float:
    """Alarms a window of a chart in control: one over the run length, averaged over references.

    Windows share the fluctuation of one reference: given it, Z ~ Normal(m, 1 - shared), with m ~ Normal(0, shared).

    Arguments:
        limit, reference_value: h and k.
        shared: correlation of Z in two windows.
    """
    if shared == 0:
        return 1 / run_length(limit, reference_value)
    shifts, weights = _references(shared)
    sd = float(np.sqrt(1 - shared))
    return float(sum(w / run_length(limit, reference_value, m, sd) for m, w in zip(shifts, weights, strict=True)))


@lru_cache(maxsize=256)
def drift_limit(rate: float, reference_value: float, shared: float = 0.0) -> float:
    """The limit h at which a chart in control gives this many alarms a window.

    Arguments:
        rate: alarms a window: one over the in-control average run length.
        reference_value: k.
        shared: correlation of Z in two windows, of the reference that they share.

    Raises:
        ValueError: if the rate is not between 0 and 0.2, or no sensible limit gives it as the reference is too small.
    """
    if not 0 < rate <= 0.2:
        raise ValueError(f"a chart can give 0 to 0.2 false alarms a window, not {rate:g}")
    shared = min(shared, _MOST_SHARED)
    if false_alarm_rate(_LARGEST_LIMIT, reference_value, shared) > rate:
        raise ValueError(
            f"windows share {shared:.0%} of the variance of Z, the fluctuation of their reference, and a cumulative sum"
            f" takes it for a drift more often than {rate:.3g} times a window: use a larger reference (ten windows or"
            " more), smaller windows, or no drift chart"
        )

    high = 1.0
    while false_alarm_rate(high, reference_value, shared) > rate:
        high *= 1.5

    def excess(limit: float) -> float:
        return float(np.log(max(false_alarm_rate(limit, reference_value, shared), 1 / _LONGEST) / rate))

    return float(brentq(excess, high / 1.5 if high > 1 else 1e-3, high, xtol=1e-6))


def window_rate_range(alpha: float, shared: float, coverage: float = 0.9) -> tuple[float, float]:
    """The false alarms a window of the limit p <= alpha, in the central share of references.

    P(Z > z | m) = 1 - Phi((z - m) / sqrt(1 - shared)) with m ~ Normal(0, shared); on average it is alpha.
    """
    if shared == 0:
        return alpha, alpha
    shared = min(shared, _MOST_SHARED)
    reach = float(ndtri((1 + coverage) / 2) * np.sqrt(shared))
    z, sd = -float(ndtri(alpha)), float(np.sqrt(1 - shared))
    return float(ndtr(-(z + reach) / sd)), float(ndtr(-(z - reach) / sd))


def _references(shared: float) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(_AVERAGE_NODES)
    return np.sqrt(shared) * nodes, weights / weights.sum()
