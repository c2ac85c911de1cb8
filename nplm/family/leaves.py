"""Leaves of a k-d tree: events that are near each other in all features, of about equal number in each leaf."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64


def leaves(z: Float64[np.ndarray, "n d"], splits: int) -> Int64[np.ndarray, " n"]:
    """The leaf of each event, after halving all leaves so many times at the median of one feature after the other.

    Equal values are divided by the order of the events.
    """
    leaf = np.zeros(len(z), dtype=np.int64)
    for split in range(splits):
        order = np.lexsort((z[:, split % z.shape[1]], leaf))
        sizes = np.bincount(leaf)
        first = np.cumsum(sizes) - sizes
        rank = np.arange(len(z)) - np.repeat(first, sizes)
        leaf[order] = 2 * leaf[order] + (2 * rank >= np.repeat(sizes, sizes))
        # Leaves of one event have an empty half.
        _, leaf = np.unique(leaf, return_inverse=True)
    return leaf
