"""The events of a batch of data samples in modes, laid out for the finite-reference likelihood."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64

from nplm.likelihood.kernel_sums import CACHED
from nplm.likelihood.log_linear import Blocks

# Bytes that phi of the data of one call may fill; a sample that fills more has a call of its own.
_CALL_BYTES = 1 << 28
# Rows of a block at least.
_LEAST_ROWS = 64

# Of one sample, which has as many events as it has.
Rows = tuple[Float64[np.ndarray, "_ k"], Float64[np.ndarray, " _"]]


def calls(events: Sequence[int], columns: int) -> Iterator[slice]:
    """Which samples of a batch are fitted in one call, by their numbers of events."""
    begin, largest = 0, 0
    for i, count in enumerate(events):
        largest = max(largest, _padded(count))
        if i > begin and (i + 1 - begin) * largest * columns * 8 > _CALL_BYTES:
            yield slice(begin, i)
            begin, largest = i, _padded(count)
    yield slice(begin, len(events))


def data_blocks(
    rows: Sequence[Rows], fixed: tuple[np.ndarray, ...] = (), more: Sequence[Float64[np.ndarray, "_ e"]] | None = None
) -> Blocks:
    """The rows of B samples in blocks of shape (blocks, B, m, k), filled up with weight zero.

    Arguments:
        rows: phi or features of each sample, with its weights.
        fixed: centres, width and transformation, where they are features.
        more: further columns of each sample's events; None for none.
    """
    batch, columns = len(rows), rows[0][0].shape[1]
    longest = _padded(max(len(v) for _, v in rows))
    width = (len(fixed[0]) if fixed else columns) + (0 if more is None else more[0].shape[1])
    most = max(_LEAST_ROWS, CACHED // (8 * batch * max(1, width)))
    # A power of two that divides the number of rows.
    size = min(1 << (most.bit_length() - 1), longest & -longest)

    def laid_out(values: Sequence[np.ndarray]) -> Array:
        room = np.zeros((longest // size, batch, size, *values[0].shape[1:]))
        for i, own in enumerate(values):
            for k, start in enumerate(range(0, len(own), size)):
                part = own[start : start + size]
                room[k, i, : len(part)] = part
        return jnp.asarray(room)

    with jax.enable_x64(True):
        x, weights = laid_out([values for values, _ in rows]), laid_out([v for _, v in rows])
        blocks = Blocks(x, weights, *map(jnp.asarray, fixed))
        return blocks if more is None else blocks._replace(more=laid_out(more))


def _padded(count: int) -> int:
    """A number of rows that samples of about one size share, and so a compilation."""
    step = max(_LEAST_ROWS, 1 << max(0, count.bit_length() - 2))
    return -(-max(1, count) // step) * step
