"""Normal scores: each feature as the normal quantile of its rank, and the cells that these fall into."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int64
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


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of one feature that hold events.

    Arguments:
        of_event: the cell of each event, shape (n,).
        place: of each cell on the grid of all cells, increasing, shape (c,).
        centre: mean normal score in each cell, shape (c,).
        width: of the cells.
    """

    of_event: Int64[np.ndarray, " n"]
    place: Int64[np.ndarray, " c"]
    centre: Float64[np.ndarray, " c"]
    width: float

    @classmethod
    def of(cls, z: Float64[np.ndarray, " n"], width: float) -> Cells:
        """Cells of this width."""
        place, cell = np.unique(np.floor(z / width).astype(np.int64), return_inverse=True)
        return cls(cell, place, np.bincount(cell, z) / np.bincount(cell), width)

    @property
    def count(self) -> int:
        """Number of cells."""
        return len(self.place)

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
