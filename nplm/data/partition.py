"""A tree that divides feature space into rectangular cells."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64


@dataclass(frozen=True, eq=False)
class Cells:
    """Rectangular cells that cover all of feature space, found from any point by a walk down a binary tree.

    Arguments:
        feature: which feature a node splits on, shape (nodes,); -1 for a cell.
        threshold: events with a value <= threshold go to the first child, shape (nodes,).
        child: index of the first child (the second follows it), or the cell's number, shape (nodes,).
        count: number of cells.
    """

    feature: Int64[np.ndarray, " nodes"]
    threshold: Float64[np.ndarray, " nodes"]
    child: Int64[np.ndarray, " nodes"]
    count: int

    def assign(self, events: Float64[np.ndarray, "n d"]) -> Int64[np.ndarray, " n"]:
        """The number of the cell each event lies in."""
        node = np.zeros(len(events), dtype=np.int64)
        walking = np.flatnonzero(self.feature[node] >= 0)
        while len(walking):
            at = node[walking]
            second = events[walking, self.feature[at]] > self.threshold[at]
            node[walking] = self.child[at] + second
            walking = walking[self.feature[node[walking]] >= 0]
        return self.child[node]


def equal_weight_cells(events: Float64[np.ndarray, "n d"], weights: Float64[np.ndarray, " n"], count: int) -> Cells:
    """Cells of (nearly) equal sums of |w|: repeated splits at a weighted quantile of the widest feature.

    Fewer cells come back where repeated values leave nothing to split.
    """
    tree = _Tree(events, np.abs(weights))

    def divide(node: int, rows: np.ndarray, parts: int) -> None:
        if parts < 2:
            return
        first = parts // 2
        children = tree.split(node, rows, lambda x, w: _weighted_quantile(x, w, first / parts))
        if children is not None:
            for (child, rows_of_child), share in zip(children, (first, parts - first), strict=True):
                divide(child, rows_of_child, share)

    divide(0, np.flatnonzero(weights != 0), count)
    return tree.finish()


def compact_cells(events: Float64[np.ndarray, "n d"], weights: Float64[np.ndarray, " n"], count: int) -> Cells:
    """Cells that make sum_cells sum_{e in cell} |w_e| |x_e - centroid|^2 small: the widest cell is split first.

    In one dimension their density goes as the cube root of the events' density, so sparse tails stay resolved.
    """
    tree = _Tree(events, np.abs(weights))
    rows = np.flatnonzero(weights != 0)
    queue: list[tuple[float, int, np.ndarray]] = [(0.0, 0, rows)]
    leaves = 1
    while queue and leaves < count:
        _, node, rows = heapq.heappop(queue)
        children = tree.split(node, rows, lambda x, w: float(w @ x / w.sum()))
        if children is None:
            continue
        leaves += 1
        for child, rows_of_child in children:
            inertia = tree.inertia(rows_of_child).max()
            if inertia > 0:
                heapq.heappush(queue, (-inertia, child, rows_of_child))
    return tree.finish()


class _Tree:
    """A tree under construction."""

    def __init__(self, events: np.ndarray, weights: np.ndarray) -> None:
        self.events, self.weights = events, weights
        self.feature, self.threshold, self.child = [-1], [0.0], [-1]

    def inertia(self, rows: np.ndarray) -> np.ndarray:
        """sum w (x - mean)^2 of each feature over the rows."""
        w, x = self.weights[rows], self.events[rows]
        centred = x - w @ x / w.sum()
        return w @ centred**2

    def split(
        self, node: int, rows: np.ndarray, where: Callable[[np.ndarray, np.ndarray], float]
    ) -> tuple[tuple[int, np.ndarray], tuple[int, np.ndarray]] | None:
        """Splits a node on its widest feature; None if all its events coincide."""
        if len(rows) < 2:
            return None
        # Standardized features tie at the root: the first of them is taken, whatever the rounding.
        inertia = self.inertia(rows)
        feature = int(np.argmax(inertia >= inertia.max() * (1 - 1e-9)))
        x = self.events[rows, feature]
        # A threshold at the largest value would leave the second child empty; the largest value below it will do.
        threshold = where(x, self.weights[rows])
        largest = x.max()
        if threshold >= largest:
            below = x[x < largest]
            if len(below) == 0:
                return None
            threshold = below.max()
        first = x <= threshold
        if not first.any():
            return None
        start = len(self.feature)
        self.feature[node], self.threshold[node], self.child[node] = feature, threshold, start
        self.feature += [-1, -1]
        self.threshold += [0.0, 0.0]
        self.child += [-1, -1]
        return (start, rows[first]), (start + 1, rows[~first])

    def finish(self) -> Cells:
        feature, child = np.array(self.feature), np.array(self.child)
        leaves = np.flatnonzero(feature < 0)
        child[leaves] = np.arange(len(leaves))
        return Cells(feature, np.array(self.threshold), child, len(leaves))


def _weighted_quantile(x: np.ndarray, w: np.ndarray, share: float) -> float:
    order = np.argsort(x, kind="stable")
    cumulative = np.cumsum(w[order])
    # The tolerance keeps a split where it is when one event becomes two of half the weight.
    position = np.searchsorted(cumulative, share * cumulative[-1] * (1 - 1e-12))
    return float(x[order[position]])
