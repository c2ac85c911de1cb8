"""How many toys a wanted precision needs, and what so many toys can show."""

from __future__ import annotations

import math

from scipy.stats import norm

from nplm.stats.significance import z_score


def toys_for_p(p: float, relative_error: float) -> int:
    """Number of toys that measure a p-value with the given relative error: n = (1 - p) / (p e^2).

    Of n toys np exceed, with binomial variance np(1 - p), so the relative error of p is sqrt((1 - p) / (np)).

    Raises:
        ValueError: if p is not between 0 and 1, or the error not positive.

    Example:
        >>> toys_for_p(1e-3, 0.1)
        99900
    """
    _require_probability(p)
    _require_positive("relative_error", relative_error)
    return math.ceil(_before_rounding((1 - p) / (p * relative_error**2)))


def toys_for_z(z: float, error: float) -> int:
    """Number of toys that measure a Z-score with the given error: n = p (1 - p) / (phi(Z) dZ)^2, p = P(Normal > Z).

    This carries the error of p over by dp = phi(Z) dZ, with the normal density phi, so it is meant for dZ well below 1.

    Raises:
        ValueError: if the error is not positive, or Z so large that no number of toys would do.
    """
    _require_positive("error", error)
    p = _p_of(z)
    return math.ceil(_before_rounding(p * (1 - p) / (float(norm.pdf(z)) * error) ** 2))


def error_of_z(z: float, toys: int) -> float:
    """The error of a Z-score that so many toys measure, sqrt(p (1 - p) / n) / phi(Z): the inverse of `toys_for_z`."""
    p = _p_of(z)
    return math.sqrt(p * (1 - p) / toys) / float(norm.pdf(z))


def toys_to_reach(z: float, failing: float = 0.0) -> int | None:
    """The least number of toys that can show this Z: n with (1 + failing n) / (1 + n) <= P(Normal > Z).

    Arguments:
        z: the Z-score.
        failing: share of toys whose fit fails; these count as exceeding any t.

    Returns:
        The number; None if failing toys alone keep the p-value above that of Z, however many there are.

    Raises:
        ValueError: if Z is so large that no number of toys would do.
    """
    p = _p_of(z)
    return None if failing >= p else max(1, math.ceil(_before_rounding((1 - p) / (p - failing))))


def largest_z(toys: int) -> float:
    """The largest Z that so many toys can show, when none exceeds: that of p = 1 / (1 + n)."""
    return z_score(1 / (1 + toys))


def _p_of(z: float) -> float:
    p = float(norm.sf(z))
    # 37 standard deviations are where double precision ends.
    if not 1e-300 < p < 1:
        raise ValueError(f"Z = {z:g} is out of reach of counting: choose one below 37")
    return p


def _before_rounding(toys: float) -> float:
    """Takes off what rounding may have added to a whole number, so that 100 does not become 101."""
    return toys * (1 - 1e-12)


def _require_probability(p: float) -> None:
    if not 0 < p < 1:
        raise ValueError(f"p must lie between 0 and 1, not {p:g}")


def _require_positive(name: str, value: float) -> None:
    if not value > 0:
        raise ValueError(f"{name} must be positive, not {value:g}")
