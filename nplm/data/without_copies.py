"""Samples that are given up for others: their arrays are taken over, where a sample otherwise has copies of its own."""

from __future__ import annotations

import numpy as np

from nplm.data.sample import Sample, require_same_features


def renamed(sample: Sample, name: str) -> Sample:
    """The sample by another name; where both go on, it is for reading only."""
    return Sample.owning(sample.events, sample.weights, sample.features, name)


def rescaled(sample: Sample, expected_yield: float) -> Sample:
    """What `Sample.scaled_to` gives.

    Raises:
        ValueError: as `Sample.scaled_to`.
    """
    weights = sample.weights * sample.factor_to(expected_yield)
    return Sample.owning(sample.events, weights, sample.features, sample.name)


def joined(samples: list[Sample], name: str | None = None) -> Sample:
    """What `concatenate` gives of one sample or more that were read from files.

    The list is emptied: each sample is let go of once it is copied, so that all are never in memory twice.

    Raises:
        ValueError: if the feature names differ.
    """
    first, called = samples[0], name or " + ".join(sample.name for sample in samples)
    for other in samples[1:]:
        require_same_features(first, other)
    if len(samples) == 1:
        return renamed(samples.pop(), called)
    count, start = sum(map(len, samples)), 0
    events, weights, features = np.empty((count, first.dimension)), np.empty(count), first.features
    del first
    while samples:
        part = samples.pop(0)
        rows = slice(start, start + len(part))
        events[rows], weights[rows] = part.events, part.weights
        start = rows.stop
        del part
    return Sample.owning(events, weights, features, called)
