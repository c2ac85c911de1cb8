"""Leaves of a k-d tree: events that are near each other in all features, of about equal number in each leaf."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64


def leaves(z: Float64[np.ndarray, "n d"], splits: int) -> Int64[np.ndarray, " n"]:
    """The leaf of each event, after halving all leaves so many times at the median of one feature after the other.

    Equal values are divided by the order of the events.
    """
    n, dimension = z.shape
    place = np.empty((min(splits, dimension), n), dtype=np.int64)
    for j, row in enumerate(place):
        row[np.argsort(z[:, j], kind="stable")] = np.arange(n)
    leaf = np.zeros(n, dtype=np.int64)
    for split in range(splits):
        # By leaf, then by value, then by the order of the events: sorting one whole number takes the least time.
        order = np.argsort(leaf * n + place[split % dimension])
        sizes = np.bincount(leaf)
        first = np.cumsum(sizes) - sizes
        rank = np.arange(n) - np.repeat(first, sizes)
        leaf[order] = 2 * leaf[order] + (2 * rank >= np.repeat(sizes, sizes))
        # Leaves of one event have an empty half.
        leaf = (np.cumsum(np.bincount(leaf) > 0) - 1)[leaf]
    return leaf
