"""One-sided upper limits of a parameter, by CLs and plain: what is known of them without toys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from nplm.measure.intervals import OUTWARD, OUTWARD_GROWTH, TOLERANCE, Profiler, constant


@dataclass(frozen=True)
class UpperLimit:
    """One-sided upper limits of a parameter by q_mu (G. Cowan et al., Eur. Phys. J. C 71 (2011) 1554, section 2.5).

    q_mu = q(mu) if the best value is below mu, else 0; p_mu = 1 - Phi(sqrt q_mu), and CLs = p_mu / (1 - p_b) with
    1 - p_b = Phi(sqrt q_A - sqrt q_mu), where q_A is that of what is expected at 0; q is divided by its widening from
    the reference. That is asymptotic; by toys both probabilities are shares of toys (`nplm.measure.limits_by_toys`).

    Arguments:
        name: of the parameter.
        level: of confidence.
        plain: where p_mu = 1 - level.
        cls: where CLs = 1 - level.
        expected: where CLs would be for data of 0, at -2, -1, 0, 1 and 2 standard deviations.
        by_toys: whether toys gave these.
        error: of `cls`, by the number of toys; NaN without.
        asymptotic_cls: what `cls` is asymptotically; NaN unless toys gave it.
    """

    name: str
    level: float
    plain: float
    cls: float
    expected: tuple[float, ...]
    by_toys: bool = False
    error: float = float("nan")
    asymptotic_cls: float = float("nan")


def upper_limit(profiler: Profiler, i: int, level: float, asimov: Profiler, observed: bool = True) -> UpperLimit:
    """Both limits, and what is expected at 0, asymptotically.

    Arguments:
        profiler: of the data.
        i: number of the parameter.
        level: of confidence.
        asimov: of what is expected with the parameter at 0, whose best value is 0.
        observed: False where there are no data yet; the observed limits are NaN then.
    """
    alpha, name = 1 - level, profiler.model.names[i]
    expected = []
    width = float(asimov.widening([i])[0])
    for n in (-2, -1, 0, 1, 2):
        root = ndtri(1 - alpha * ndtr(n)) + n
        expected.append(asimov.crossing(i, constant(width * root**2), 1.0) if root > 0 else np.nan)
    plain = cls = np.nan
    if observed:
        width_here = float(profiler.widening([i])[0])
        plain = profiler.crossing(i, constant(width_here * ndtri(level) ** 2), 1.0)

        def surplus(value: float) -> float:
            above = value > profiler.found.point[i]
            q = max(profiler.at([i], np.array([value]))[0], 0.0) / width_here if above else 0.0
            q_a = max(asimov.at([i], np.array([value]))[0], 0.0) / width
            if not np.isfinite(q):
                return -alpha
            sigmas = np.sqrt(q_a) - np.sqrt(q)
            return float(ndtr(-np.sqrt(q)) / max(ndtr(sigmas), 1e-300)) - alpha

        low = max(0.0, profiler.found.point[i])
        high = max(plain, 1e-9) if np.isfinite(plain) else np.inf
        end = profiler.model.high[i]
        unit = float(np.sqrt(profiler.covariance[i, i]))
        high = min(max(high, low + 1e-3 * unit) if np.isfinite(high) else low + unit, end)
        for _ in range(OUTWARD):
            if surplus(high) <= 0 or high >= end:
                break
            low, high = high, min(high + unit, end)
            unit *= OUTWARD_GROWTH
        if surplus(high) > 0:
            cls = float(end)
        elif surplus(low) <= 0:
            cls = low
        else:
            cls = float(brentq(surplus, low, high, xtol=TOLERANCE * unit))
    return UpperLimit(name, level, float(plain), float(cls), tuple(float(each) for each in expected))
