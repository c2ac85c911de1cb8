"""Leaves of a k-d tree: events that are near each other in all features, of about equal number in each leaf."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int

from nplm.family.ranks import smallest
from nplm.family.views import blocks
from nplm.two_sample.pooled_events import PooledEvents

# Events that say where leaves are divided, at most.
_MOST = 1 << 20


def leaves(z: Float64[np.ndarray, "n d"] | PooledEvents, splits: int) -> Int[np.ndarray, " n"]:
    """The leaf of each event, after halving all leaves so many times at the median of one feature after the other.

    Equal values are divided by the order of the events. Of millions of events some, evenly spaced in their order, say
    where leaves are divided, and equal values stay together.
    """
    return smallest(_halved(z, splits) if len(z) <= _MOST else _by_some(z, splits))


def _halved(z: np.ndarray | PooledEvents, splits: int) -> np.ndarray:
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


def _by_some(z: np.ndarray | PooledEvents, splits: int) -> np.ndarray:
    some = z[np.linspace(0, len(z) - 1, _MOST).astype(np.int64)]
    own, leaf = np.zeros(len(some), dtype=np.int64), np.zeros(len(z), dtype=np.int32)
    for split in range(splits):
        x = some[:, split % z.shape[1]]
        order = np.lexsort((x, own))
        sizes = np.bincount(own, minlength=1 << split)
        middle = np.cumsum(sizes) - sizes + sizes // 2
        # An empty leaf has no median, and no events that ask for it but those that lie beyond all of these.
        median = x[order[np.minimum(middle, len(x) - 1)]]
        own = 2 * own + (x >= median[own])
        for rows in blocks(len(z)):
            leaf[rows] = 2 * leaf[rows] + (z[rows, split % z.shape[1]] >= median[leaf[rows]])
    return (np.cumsum(np.bincount(leaf) > 0) - 1)[leaf]
