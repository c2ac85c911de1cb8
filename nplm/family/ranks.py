"""Ranks in both samples together, as normal quantiles, and the cells that they fall into; the labels are not seen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int, Int64
from scipy.special import ndtri

# Width of the cells of one feature, and of each feature of a pair, in normal scores: eight cells of a pair are as wide
# as a standard deviation is. Kernels are wider than their cells.
CELL, PAIR_CELL = 1 / 16, 1 / 4


@dataclass(frozen=True, eq=False)
class RankScale:
    """The normal score of each value of a feature: z = ndtri(share of the weight below it and half of its own).

    Equal values, such as a spike at zero or counts, have one score, that of their middle rank. Between values it is
    interpolated, and beyond them it is that of the outermost; so neither a heavy tail nor the units of a feature set
    the scale of a kernel (mid-ranks: E. L. Lehmann, Nonparametrics, 1975, section 1.4).

    Arguments:
        values: that occur, increasing, shape (v,).
        scores: z of each, increasing, shape (v,).
    """

    values: Float64[np.ndarray, " v"]
    scores: Float64[np.ndarray, " v"]

    @classmethod
    def of(cls, values: Float64[np.ndarray, " n"], weights: Float64[np.ndarray, " n"]) -> RankScale:
        """The scale of weighted values; the weights are not negative, and not all zero."""
        distinct, place = np.unique(values, return_inverse=True)
        own = np.bincount(place, weights, len(distinct))
        used = own > 0
        distinct, own = distinct[used], own[used]
        below = np.cumsum(own) - own / 2
        return cls(distinct, ndtri(below / own.sum()))

    def __call__(self, values: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        """z of each value."""
        return np.interp(values, self.values, self.scores)


def normal_scores(events: Float64[np.ndarray, "n d"], weights: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, "n d"]:
    """The scores of `RankScale` of each feature, at the events that it is made of.

    They are read off in the order of the values: looking millions of them up takes many times as long.
    """
    scores = np.empty(events.shape)
    for x, z in zip(events.T, scores.T, strict=True):
        order = np.argsort(x, kind="stable")
        ordered, own = x[order], weights[order]
        first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        if first.all() and own.all():
            below = np.cumsum(own) - own / 2
            z[order] = ndtri(below / own.sum())
        else:
            z[:] = RankScale.of(x, weights)(x)
    return scores


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of one feature that hold events.

    Arguments:
        of_event: the cell of each event, shape (n,).
        place: of each cell on the grid of all cells, increasing, shape (c,).
        centre: mean normal score in each cell, shape (c,).
        width: of the cells.
    """

    of_event: Int[np.ndarray, " n"]
    place: Int64[np.ndarray, " c"]
    centre: Float64[np.ndarray, " c"]
    width: float

    @classmethod
    def of(cls, z: Float64[np.ndarray, " n"], width: float) -> Cells:
        """Cells of this width."""
        place = np.floor(z / width).astype(np.int32)
        first = int(place.min())
        place -= first
        filled = np.bincount(place) > 0
        # Of millions of events, each in cells of many parts, the numbers of the cells are kept as small as they are.
        cell = smallest(np.cumsum(filled) - 1)[place]
        return cls(cell, first + np.flatnonzero(filled), np.bincount(cell, z) / np.bincount(cell), width)

    def without_events(self) -> Cells:
        """The same cells, for other events."""
        return replace(self, of_event=self.of_event[:0])

    @property
    def count(self) -> int:
        """Number of cells."""
        return len(self.place)

    @property
    def grid(self) -> int:
        """Number of cells with those that are empty, from the first that holds an event to the last."""
        return int(self.place[-1] - self.place[0]) + 1

    @cached_property
    def on(self) -> Int[np.ndarray, " c"]:
        """Number of each cell on that grid."""
        return smallest(self.place - self.place[0])

    def on_grid(self, values: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " g"]:
        """Sums of values of the events in the cells of that grid."""
        found = np.zeros(self.grid)
        found[self.on] = np.bincount(self.of_event, values, self.count)
        return found

    def nearest(self, z: Float64[np.ndarray, " m"]) -> Int64[np.ndarray, " m"]:
        """The cell of other events: that which they fall into, or the nearest where it holds none."""
        return self._nearest[self.grid_place(z)]

    def grid_place(self, z: Float64[np.ndarray, " m"]) -> Int64[np.ndarray, " m"]:
        """The place of events on the grid from the first cell to the last, with the empty ones between."""
        place = np.floor(z / self.width).astype(np.int64)
        return np.clip(place, self.place[0], self.place[-1]) - self.place[0]

    @cached_property
    def _nearest(self) -> Int64[np.ndarray, " g"]:
        grid = np.arange(self.place[0], self.place[-1] + 1)
        above = np.searchsorted(self.place, grid)
        below = np.maximum(above - 1, 0)
        return np.where(self.place[above] - grid <= np.abs(grid - self.place[below]), above, below)


def smallest(numbers: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """The same whole numbers, none of them negative, in 16 bits if that is enough."""
    return numbers.astype(np.result_type(np.min_scalar_type(-1 - int(numbers.max(initial=0))), np.int16))
