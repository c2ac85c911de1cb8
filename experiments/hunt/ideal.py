"""The most powerful test of a signal on a background that are both known (Neyman and Pearson), by simulation."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy.stats import norm

from toys.resonance import MASS, RANGE, RESOLUTION, SIGNALS, STEEP, Signal, draw_data


def ideal_power(name: str, events: int, level: float, toys: int) -> tuple[float, float]:
    """The share of toys with the signal whose likelihood ratio is above what a share `level` without it has.

    Both kinds are of so many toys; the second number is the error, that of the threshold included.
    """
    rng = np.random.default_rng(7)
    signal = SIGNALS[name]
    null, found = (
        np.array([_ratio(draw_data(rng, events, signal=added).events, signal, events) for _ in range(toys)])
        for added in (None, signal)
    )
    power = [float((found > np.quantile(null, 1 - at)).mean()) for at in _around(level, toys)]
    return power[1], float(np.hypot((power[2] - power[0]) / 2, np.sqrt(power[1] * (1 - power[1]) / toys)))


def _around(level: float, toys: int) -> tuple[float, float, float]:
    """The level, and one standard deviation of a share of so many toys below and above it."""
    error = np.sqrt(level * (1 - level) / toys)
    return level - error, level, level + error


def _ratio(x: Float64[np.ndarray, "n d"], signal: Signal, events: int) -> float:
    """log L(signal + background) / L(background), where the other features do not change with m."""
    low, high = RANGE
    m, y = x[:, 0], x[:, 1:]
    spectrum = -(m - low) / STEEP - np.log(-STEEP * np.expm1(-(high - low) / STEEP))
    log_ratio = norm.logpdf(m, MASS, RESOLUTION) - spectrum
    for k, (centre, width) in enumerate(zip(signal.centre, signal.width, strict=True)):
        log_ratio += norm.logpdf(y[:, k], centre, width) - norm.logpdf(y[:, k])
    return float(np.log1p(signal.expected / events * np.exp(log_ratio)).sum() - signal.expected)
