"""Second moments of the modes over samples, and the rows of a reference that holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import jax
import numpy as np
from jaxtyping import Float64

from nplm._util.blas import blas_threads
from nplm.data.averaged_weights import AveragedWeights
from nplm.likelihood.kernel_sums import CALLED, block_shape, mapped_blocks
from nplm.likelihood.log_linear import Blocks
from nplm.models.kernel.modes import Modes
from nplm.models.kernel.quadrature_1d import LineModes

# Events whose modes are evaluated at a time.
_ROWS = 16_384


@blas_threads()
def second_moment(
    modes: Modes, line: LineModes | None, events: np.ndarray, weights: np.ndarray
) -> Float64[np.ndarray, "r_plus_1 r_plus_1"]:
    """sum_e v_e (phi, 1)(phi, 1)^T."""
    if line is not None:
        v = line.weights(events, weights)
        return _moment(line.phi[v != 0], v[v != 0])
    total = np.zeros((modes.count + 1,) * 2)

    def of_block(rows: slice, block: np.ndarray) -> np.ndarray:
        return _moment(block @ modes.transform, weights[rows])

    for moment in mapped_blocks(of_block, events, modes.centers, modes.width):
        total += moment
    return total


def _moment(phi: Float64[np.ndarray, "m r"], weights: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, "c c"]:
    columns = np.column_stack([phi, np.ones(len(phi))])
    return np.asarray((columns * weights[:, None]).T @ columns)


def noise_of_averages(
    columns_of: Callable[[slice], Float64[np.ndarray, "m c"]],
    count: int,
    weights: Float64[np.ndarray, " n"],
    averaged: AveragedWeights,
) -> Float64[np.ndarray, "c c"]:
    """sum_e y y^T, y = w' (phi, 1) + (w - w') m, with m the mean of (phi, 1) in the event's cell: what each event moves
    the sum of averaged weights by, to first order.

    Arguments:
        columns_of: (phi, 1) at some of the events.
        count: number of columns, c.
        weights: as they were given.
        averaged: of the same events.
    """

    def parts() -> Iterable[tuple[slice, np.ndarray]]:
        for start in range(0, len(weights), _ROWS):
            at = slice(start, start + _ROWS)
            yield at, columns_of(at)

    sums, sizes = np.zeros((averaged.cells, count)), np.zeros(averaged.cells)
    for at, columns in parts():
        more, size = averaged.totals(columns, at)
        sums += more
        sizes += size
    mean = np.divide(sums, sizes[:, None], out=sums, where=sizes[:, None] > 0)
    total = np.zeros((count, count))
    for at, columns in parts():
        own, rest = averaged.weights[at, None], (weights - averaged.weights)[at, None]
        y = own * columns + rest * mean[averaged.cell[at]]
        total += y.T @ y
    return total


def held_blocks(
    modes: Modes, points: Float64[np.ndarray, "n d"], weights: Float64[np.ndarray, " n"]
) -> tuple[Blocks, Float64[np.ndarray, " r"]]:
    """phi of the reference in blocks, and its sum; phi may be the most of all memory, so it is not copied about."""
    shape = block_shape(len(points), max(modes.count, 64), CALLED)
    x, w = np.zeros((np.prod(shape), modes.count)), np.zeros(shape)
    modes(points, into=x)
    w.ravel()[: len(points)] = weights
    with jax.enable_x64(True):
        # Not asarray, which holds one more copy on the way.
        held = Blocks(jax.device_put(x.reshape(*shape, -1)), jax.device_put(w))
    return held, w.ravel() @ x
