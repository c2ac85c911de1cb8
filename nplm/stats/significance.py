"""One-sided Z-scores."""

from __future__ import annotations

from scipy.stats import norm


def z_score(p_value: float) -> float:
    """Z with P(Normal > Z) = p: the one-sided significance in standard deviations.

    Example:
        >>> round(z_score(2.87e-7), 2)
        5.0
    """
    return float(norm.isf(p_value))


def z_interval(p_interval: tuple[float, float]) -> tuple[float, float]:
    """The interval of Z that belongs to one of p, lower end first; p = 0 gives an infinite end, so a lower limit."""
    low, high = p_interval
    return z_score(high), z_score(low)
