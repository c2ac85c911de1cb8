"""Circular features, such as an azimuth: points on a circle instead of numbers with a cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from nplm.sample import Sample

# Periods that are recognised, and the part of one that a sample must cover for that.
_KNOWN = (2 * np.pi, 360.0)
_COVERED = 0.9
# Single precision may put an angle a little beyond its range.
_ROUNDING = 1e-6


def embedded(score: Float64[np.ndarray, " n"], circular: bool) -> Float64[np.ndarray, "n k"]:
    """The coordinates in which kernels measure distances: the score itself, or a point on the unit circle."""
    return np.column_stack([np.cos(score), np.sin(score)] if circular else [score])


def within_periods(sample: Sample, periods: Mapping[str, float]) -> Sample:
    """The sample with circular features taken to the range from zero to their period."""
    events = sample.events.copy()
    for name, period in periods.items():
        column = sample.features.index(name)
        events[:, column] %= period
    return replace(sample, events=events)


def periods_of(a: Sample, b: Sample, circular: Mapping[str, float | None]) -> dict[str, float]:
    """The periods of circular features; where they are not given guessed from the range of both samples: 2 pi or 360.

    Arguments:
        a, b: the samples.
        circular: names, each with its period or None.

    Raises:
        ValueError: if there is no feature of that name, a period is no positive number, or it cannot be guessed.
    """
    unknown = [name for name in circular if name not in a.features]
    if unknown:
        raise ValueError(f"there is no feature '{unknown[0]}' to be circular: {a.name} has {', '.join(a.features)}")
    for name, period in circular.items():
        if period is not None and not (np.isfinite(period) and period > 0):
            raise ValueError(f"the period of '{name}' must be a positive number, not {period:g}")
    return {name: _guessed(a, b, name) if period is None else float(period) for name, period in circular.items()}


def _guessed(a: Sample, b: Sample, name: str) -> float:
    used = np.concatenate([sample.events[:, sample.features.index(name)] for sample in (a, b)])
    low, high = used.min(), used.max()
    for period in _KNOWN:
        if _COVERED * period <= high - low <= (1 + _ROUNDING) * period:
            return period
    raise ValueError(
        f"the period of '{name}' cannot be guessed: it is between {low:g} and {high:g}, which is not all of 2 pi or"
        f" 360. Give it, as {name}=6.2832"
    )
