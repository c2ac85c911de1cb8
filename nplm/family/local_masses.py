"""Which masses the events of a sample have at each place: those of its events nearby."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int, Int64

# A place with fewer events of a sample than these, or without positive mass, takes the masses of the whole sample.
_FEWEST = 16


@dataclass(frozen=True, eq=False)
class Marks:
    """The masses of the events of one sample, by leaf: an event at a place has one of those in its leaf.

    Arguments:
        leaf: of each event of both samples, shape (n,).
        masses: of the sample's events, leaf by leaf.
        start, count: where the masses of each leaf begin, and how many there are.
        rate, unit, cube: sums of 1, m^2 and m^4 over those of m, at each event of both samples, shape (n,): the number
            of events for one unit of mass there, and their second and fourth moments.
    """

    leaf: Int[np.ndarray, " n"]
    masses: Float64[np.ndarray, " k"]
    start: Int64[np.ndarray, " l"]
    count: Int64[np.ndarray, " l"]
    rate: Float64[np.ndarray, " n"]
    unit: Float64[np.ndarray, " n"]
    cube: Float64[np.ndarray, " n"]

    @classmethod
    def of(cls, masses: Float64[np.ndarray, " m"], own: Int[np.ndarray, " m"], leaf: Int[np.ndarray, " n"]) -> Marks:
        """The marks of a sample.

        Arguments:
            masses: of its events.
            own: their leaves.
            leaf: those of the events of both samples.
        """
        leaves = int(leaf.max()) + 1
        sums = [np.bincount(own, masses**power, leaves) for power in (0, 1, 2, 4)]
        whole = [float((masses**power).sum()) for power in (0, 1, 2, 4)]
        poor = (sums[0] < _FEWEST) | (sums[1] <= 0)
        number, total, square, fourth = (np.where(poor, all_, each) for each, all_ in zip(sums, whole, strict=True))
        order = np.argsort(own, kind="stable")
        count = np.bincount(own, minlength=leaves)
        start = np.cumsum(count) - count
        # The masses of the whole sample stand behind those of the leaves.
        start, count = np.where(poor, len(masses), start), np.where(poor, len(masses), count)
        return cls(
            leaf,
            np.concatenate([masses[order], masses]),
            start,
            count,
            (number / total)[leaf],
            (square / total)[leaf],
            (fourth / total)[leaf],
        )

    def draw(self, events: Int64[np.ndarray, " k"], rng: np.random.Generator) -> Float64[np.ndarray, " k"]:
        """A mass for each of these events, drawn from those of its leaf."""
        leaf = self.leaf[events]
        return self.masses[self.start[leaf] + (rng.random(len(events)) * self.count[leaf]).astype(np.int64)]
