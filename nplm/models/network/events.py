"""Weighted events as the network's arrays: whole samples in chunks, or one point for each cell."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nplm.data.partition import Cells
from nplm.models.network.mlp import with_ones

# Events of a chunk: their Jacobian (P rows) stays in the processor's cache.
CHUNK = 4096

# Features and ones, and weights, of one chunk or of all.
Chunks = tuple[Float[Array, "*chunks d_plus_1 m"], Float[Array, "*chunks m"]]


class Points(NamedTuple):
    """Weighted points in chunks of m; a chunk is filled up with points of zero weight.

    Arguments:
        x: features and a row of ones, shape (chunks, d + 1, m).
        weights: shape (chunks, m).
        auxiliary: of data with nuisances, the auxiliary measurements.
        log_rho: of data that are compared with a finite reference, the logarithm of rho, see `of_reference`.
    """

    x: Float[Array, "chunks d_plus_1 m"]
    weights: Float[Array, "chunks m"]
    auxiliary: Float[Array, " a"] | None = None
    log_rho: Float[Array, ""] | None = None

    @property
    def chunks(self) -> Chunks:
        """What sums over events run over."""
        return self.x, self.weights


def one_chunk(
    events: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"], dtype: type[np.floating], room: int = 0
) -> Points:
    """All points in a single chunk, with space for `room` of them."""
    empty = max(0, room - len(events))
    x, w = np.pad(events, ((0, empty), (0, 0))), np.pad(weights, (0, empty))
    return Points(jnp.asarray(with_ones(x).astype(dtype)[None]), jnp.asarray(w.astype(dtype)[None]))


def rounded_up(count: int) -> int:
    """The next number of a few that grow by a sixteenth at most, so that arrays of about one size share a shape."""
    step = 1 << max(0, count.bit_length() - 5)
    return -(-count // step) * step


def chunked(events: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"], room: int) -> Points:
    """Points in chunks of `CHUNK`, with space for `room` of them, so that samples of about one size share a shape."""
    chunks = 1
    while chunks * CHUNK < max(room, len(events)):
        chunks += -(-chunks // 4)
    x = np.zeros((chunks * CHUNK, events.shape[1] + 1))
    x[:, -1] = 1.0
    x[: len(events), :-1] = events
    w = np.zeros(chunks * CHUNK)
    w[: len(weights)] = weights
    x = np.ascontiguousarray(x.reshape(chunks, CHUNK, -1).transpose(0, 2, 1))
    return Points(jnp.asarray(x), jnp.asarray(w.reshape(chunks, CHUNK)))


def centroids(
    cells: Cells,
    events: Float[np.ndarray, "n d"],
    weights: Float[np.ndarray, " n"],
    otherwise: Float[np.ndarray, "cells d"] | None = None,
) -> tuple[Float[np.ndarray, "cells d"], Float[np.ndarray, " cells"]]:
    """The weighted mean of the events in each cell, and the sum of their weights.

    Signed weights of one cell may nearly cancel, so the mean is weighted with |w|. A cell without events gets the
    point `otherwise` (or zero).
    """
    number = cells.assign(events)
    size = np.abs(weights)
    total = np.bincount(number, size, cells.count)  # of no events NumPy gives integers
    sums = np.stack([np.bincount(number, size * x, cells.count) for x in events.T], axis=1).astype(np.float64)
    filled = total > 0
    mean = np.zeros_like(sums) if otherwise is None else otherwise.copy()
    mean[filled] = sums[filled] / total[filled, None]
    return mean, np.bincount(number, weights, cells.count).astype(np.float64)
