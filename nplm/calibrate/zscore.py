"""One-sided Z-scores."""

from __future__ import annotations

from scipy.stats import norm


def z_score(p_value: float) -> float:
    """Z with P(Normal > Z) = p: the one-sided significance in standard deviations."""
    return float(norm.isf(p_value))
