"""Overflow: events beyond the range of the reference count as events at its edge."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from nplm.data.sample import Sample


@dataclass(frozen=True, eq=False)
class Overflow:
    """Takes each feature of an event to the range that the reference has, as the outer bins of a histogram do.

    Beyond the last reference event nothing speaks against a large f: sum_R w (e^f - 1) does not see it. There a network
    rises as steeply as its clip allows, and a single event in the data can lift t by tens. Normal scores end with the
    reference and do the same to all but circular features (`nplm.data.normal_scores`); this is for other coordinates.

    Arguments:
        low, high: the range of each feature over reference events of non-zero weight, shape (d,); infinite for one
            that stays as it is.

    Example:
        >>> overflow = Overflow.of(Sample([0.0, 1.0]))
        >>> overflow(Sample([-3.0, 0.5])).events.tolist()
        [[0.0], [0.5]]
    """

    low: Float64[np.ndarray, " d"]
    high: Float64[np.ndarray, " d"]

    @classmethod
    def of(cls, reference: Sample, circular: Collection[str] = ()) -> Overflow:
        """The range of a reference; circular features, which have no edge, stay as they are."""
        used = reference.events[reference.weights != 0]
        free = np.isin(reference.features, list(circular))
        return cls(np.where(free, -np.inf, used.min(axis=0)), np.where(free, np.inf, used.max(axis=0)))

    def __call__(self, sample: Sample) -> Sample:
        """The sample with all its events in the range; itself where they are."""
        events = np.clip(sample.events, self.low, self.high)
        if np.array_equal(events, sample.events):
            return sample
        within = replace(sample, events=events)
        if sample.stands_for is not None:
            within = within.as_expectation(sample.stands_for)
        return within if sample.auxiliary is None else within.with_auxiliary(sample.auxiliary)
