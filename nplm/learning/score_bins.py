"""Bins of scores: a tree of cuts, each where it keeps most of the variance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

# Places where a cell may be cut: quantiles of its events.
_CANDIDATES = np.arange(1, 32) / 32


@dataclass(frozen=True, eq=False)
class ScoreBins:
    """Cells of scores t, each cut in two by t_i < threshold until there are enough.

    Arguments:
        column: i of each cut, shape (cuts,); in the order in which they were made.
        threshold: of each.
        cell: the cell that each cut: what is above the threshold becomes the next new cell.
    """

    column: Int64[np.ndarray, " cuts"]
    threshold: Float64[np.ndarray, " cuts"]
    cell: Int64[np.ndarray, " cuts"]

    @property
    def count(self) -> int:
        """Number of cells."""
        return len(self.column) + 1

    def __call__(self, t: Float64[np.ndarray, "n k"]) -> Int64[np.ndarray, " n"]:
        """The cell of each."""
        found = np.zeros(len(t), dtype=np.int64)
        for new, (i, at, cell) in enumerate(zip(self.column, self.threshold, self.cell, strict=True), 1):
            found[(found == cell) & (t[:, i] >= at)] = new
        return found


def score_bins(
    t: Float64[np.ndarray, "n k"], weights: Float64[np.ndarray, " n"], bins: int, fewest: float
) -> ScoreBins:
    """Cells that keep as much as they can of the variance of t, which is information on theta.

    The cell that gains most by it is cut next, in the coordinate and at the quantile where it gains most.

    Arguments:
        t: scores of events.
        weights: theirs.
        bins: number of cells wanted; there may be fewer.
        fewest: effective events that a cell has at least.
    """
    scale = np.sqrt(np.abs(weights) @ t**2 / np.abs(weights).sum())
    u = t / np.where(scale > 0, scale, 1.0)
    cells = [np.arange(len(t))]
    best = [_best_cut(u, t, weights, cells[0], fewest)]
    cuts: list[tuple[int, float, int]] = []
    while len(cells) < bins:
        cell = int(np.argmax([gain for gain, _, _ in best]))
        gain, i, at = best[cell]
        if not gain > 0:
            break
        above = t[cells[cell], i] >= at
        cells.append(cells[cell][above])
        cells[cell] = cells[cell][~above]
        cuts.append((i, at, cell))
        best[cell] = _best_cut(u, t, weights, cells[cell], fewest)
        best.append(_best_cut(u, t, weights, cells[-1], fewest))
    columns = list(zip(*cuts, strict=True)) if cuts else [(), (), ()]
    return ScoreBins(
        np.array(columns[0], dtype=np.int64),
        np.array(columns[1], dtype=np.float64),
        np.array(columns[2], dtype=np.int64),
    )


def _best_cut(
    u: Float64[np.ndarray, "n k"],
    t: Float64[np.ndarray, "n k"],
    weights: Float64[np.ndarray, " n"],
    rows: Int64[np.ndarray, " m"],
    fewest: float,
) -> tuple[float, int, float]:
    """What the best cut of a cell gains in variance, its coordinate, and where; a gain of 0 if there is none."""
    found = (0.0, 0, 0.0)
    if len(rows) < 2 * fewest:
        return found
    for i in range(t.shape[1]):
        order = rows[np.argsort(t[rows, i])]
        w = np.abs(weights[order])
        sums = np.cumsum(np.column_stack([w, w**2, w[:, None] * u[order]]), axis=0)
        at = np.unique(np.searchsorted(sums[:, 0], _CANDIDATES * sums[-1, 0]))
        at = at[(at > 0) & (at < len(order))]
        # Events of equal score stay together.
        at = at[t[order[at], i] > t[order[at - 1], i]]
        if not len(at):
            continue
        low, whole = sums[at - 1], sums[-1]
        high = whole - low
        good = (low[:, 0] ** 2 >= fewest * low[:, 1]) & (high[:, 0] ** 2 >= fewest * high[:, 1])
        with np.errstate(divide="ignore", invalid="ignore"):
            between = sum((part[:, 2:] ** 2).sum(axis=1) / part[:, 0] for part in (low, high))
        gain = np.where(good, between - (whole[2:] ** 2).sum() / whole[0], 0.0)
        k = int(np.argmax(gain))
        if gain[k] > found[0]:
            found = (float(gain[k]), i, float(t[order[at[k]], i]))
    return found
