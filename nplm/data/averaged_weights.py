"""Weights of a finite sample: what one event counts, and signed ones averaged over neighbours until none is negative.

Only where negative weights prevail in no direction of f has a likelihood a maximum. The events of a cell share its sum
of weights W in proportion to |w|,

    w'_e = |w_e| W / A,   A = sum of |w| over the cell,

so each cell expects what it did. Sums over events then fluctuate a little less than with the signed weights: to first
order sum w' phi moves by w_e m + w'_e (phi_e - m) with each event, m being the cell's mean of phi in proportion to |w|.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.sparse import csr_array

from nplm.data.partition import Cells, equal_weight_cells
from nplm.data.sample import Sample

# A cell holds so many effective events, (sum w)^2 / sum w^2: its sum of weights is three standard deviations from 0.
_EFFECTIVE = 9.0
# Cells at most: a large reference needs no more, and they are found one by one.
_MOST_CELLS = 1 << 14


def event_weight(weights: Float64[np.ndarray, " n"]) -> float:
    """w0 = sum w^2 / sum w, the weight of one of n_eff equal events that fluctuate as these do.

    Of a toy without events, or whose weights add up to no positive yield, sum w^2 / sum |w|, or 1.
    """
    total = weights.sum()
    total = total if total > 0 else np.abs(weights).sum()
    return float((weights**2).sum() / total) if total > 0 else 1.0


def event_weight_of(data: Sample) -> float:
    """v0, the weight of an event of the data; of an expectation that of the events which it stands for."""
    return event_weight(data.weights) if data.stands_for is None else data.stands_for


def averaged(events: Float64[np.ndarray, "n d"], weights: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Weights without negative ones, of the same sum: averaged over neighbours, or as they are where none is negative.

    That keeps the expectation of any function which is smooth on the scale of the cells.
    """
    return weights if (weights >= 0).all() else AveragedWeights.of(events, weights).weights


@dataclass(frozen=True, eq=False)
class AveragedWeights:
    """Weights of a reference as the likelihood sees them.

    Arguments:
        weights: w', of the same sum, none negative, shape (n,).
        cell: number of the cell that each event lies in, shape (n,).
        sizes: |w|, shape (n,).
    """

    weights: Float64[np.ndarray, " n"]
    cell: Int64[np.ndarray, " n"]
    sizes: Float64[np.ndarray, " n"]

    @classmethod
    def of(cls, events: Float64[np.ndarray, "n d"], weights: Float64[np.ndarray, " n"]) -> AveragedWeights:
        """Averages weights whose sum is positive over cells of events, chosen by their |w|.

        A cell that expects nothing positive is taken together with its neighbour, and so on.

        Arguments:
            events: in the coordinates of the model, shape (n, d).
            weights: of either sign, shape (n,).
        """
        effective = weights.sum() ** 2 / (weights @ weights)
        cells = equal_weight_cells(events, weights, int(np.clip(effective / _EFFECTIVE, 1, _MOST_CELLS)))
        sizes = np.abs(weights)
        fine = cells.assign(events)
        cell = _merged(cells, np.bincount(fine, weights, cells.count))[fine]
        expected, total = (np.bincount(cell, v) for v in (weights, sizes))
        share = np.divide(expected, total, out=np.zeros_like(total), where=total > 0)
        return cls(sizes * share[cell], cell, sizes)

    @property
    def cells(self) -> int:
        """Number of cells, empty ones included."""
        return int(self.cell.max()) + 1

    def totals(
        self, rows: Float64[np.ndarray, "m c"], at: slice
    ) -> tuple[Float64[np.ndarray, "cells c"], Float64[np.ndarray, " cells"]]:
        """Sums of |w| times rows of values over the events of each cell, and of |w|, for part of the events."""
        cell, size = self.cell[at], self.sizes[at]
        spread = csr_array((size, (cell, np.arange(len(cell)))), shape=(self.cells, len(cell)))
        return spread @ rows, np.bincount(cell, size, self.cells)


def _merged(cells: Cells, expected: Float64[np.ndarray, " cells"]) -> Int64[np.ndarray, " cells"]:
    """A number for each cell, the same for those that must be taken together to expect something positive."""
    leaf: Bool[np.ndarray, " nodes"] = cells.feature < 0
    total = np.zeros(len(cells.feature))
    total[leaf] = expected[cells.child[leaf]]
    # Children come after their parents.
    for node in np.flatnonzero(~leaf)[::-1]:
        first = cells.child[node]
        total[node] = total[first] + total[first + 1]
    group = np.zeros(len(total), dtype=np.int64)
    whole: Bool[np.ndarray, " nodes"] = np.zeros(len(total), dtype=bool)
    for node in np.flatnonzero(~leaf):
        first = cells.child[node]
        children = slice(first, first + 2)
        # All of a node that stays whole belongs to it.
        divided = not whole[node] and bool((total[children] > 0).all())
        whole[children] = not divided
        group[children] = [first, first + 1] if divided else group[node]
    return group[leaf][np.argsort(cells.child[leaf])]
