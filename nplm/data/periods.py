"""Periods of circular features, such as an azimuth: as they are given, or guessed from the range of the samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from nplm.data.sample import Sample

# Names of circular features, or these with their periods; None for a period that is to be guessed.
Circular = Sequence[str] | Mapping[str, float | None]

# Periods that are recognized, and the part of one that samples must cover for that.
_KNOWN = (2 * np.pi, 360.0)
_COVERED = 0.9
# Single precision may put an angle a little beyond its range.
_ROUNDING = 1e-6


def periods_of(samples: Sequence[Sample], circular: Circular) -> dict[str, float]:
    """The periods of circular features; where they are not given guessed from the range of all samples: 2 pi or 360.

    Arguments:
        samples: of the same features; events of weight zero have no part in the range.
        circular: names, or names with periods; None for one that is to be guessed.

    Raises:
        ValueError: if there is no feature of that name, a period is no positive number, or it cannot be guessed.
    """
    if isinstance(circular, str):
        raise ValueError(f"circular holds names of features, such as ('{circular}',), not a text")
    given: Mapping[str, float | None] = circular if isinstance(circular, Mapping) else dict.fromkeys(circular)
    first = samples[0]
    unknown = [name for name in given if name not in first.features]
    if unknown:
        raise ValueError(
            f"there is no feature '{unknown[0]}' to be circular: {first.name} has {', '.join(first.features)}"
        )
    for name, period in given.items():
        if period is not None and not (np.isfinite(period) and period > 0):
            raise ValueError(f"the period of '{name}' must be a positive number, not {period:g}")
    return {name: _guessed(samples, name) if period is None else float(period) for name, period in given.items()}


def _guessed(samples: Sequence[Sample], name: str) -> float:
    used = np.concatenate([s.events[s.weights != 0, s.features.index(name)] for s in samples])
    low, high = used.min(), used.max()
    for period in _KNOWN:
        if _COVERED * period <= high - low <= (1 + _ROUNDING) * period:
            return period
    raise ValueError(
        f"the period of '{name}' cannot be guessed: it is between {low:g} and {high:g}, which is not all of 2 pi or"
        f" 360. Give it, as {name}=6.2832"
    )


def within_periods(sample: Sample, periods: Mapping[str, float]) -> Sample:
    """The sample with circular features taken to the range from zero to their period."""
    if not periods:
        return sample
    events = sample.events.copy()
    for name, period in periods.items():
        column = sample.features.index(name)
        events[:, column] %= period
    return replace(sample, events=events)
