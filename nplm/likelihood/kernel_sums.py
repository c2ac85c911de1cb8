"""Gaussian kernels between events and centres, in blocks: the matrix of all events and centres is never held."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from nplm._util.cores import available_cores
from nplm.likelihood.keops import Engine, keops_product, keops_sum

Result = TypeVar("Result")

# Bytes of a block of the kernel matrix: such as stay in the cache until they are summed, and such as are worth a call.
CACHED, CALLED = 1 << 22, 1 << 25
# Samples of about one size share a compilation: their numbers of events are rounded up to a multiple of this.
_PADDING = 512
# Up to so many features squared differences are summed one by one, which loses no digits; beyond, as a matrix product.
_FEW_FEATURES = 2


def gaussian(events: Float[Array, "m d"], centers: Float[Array, "c d"], width: Float[Array, ""]) -> Float[Array, "m c"]:
    """k(x, c) = exp(-|x - c|^2 / (2 width^2)), shape (m, c)."""
    x, c = events / width, centers / width
    if events.shape[1] <= _FEW_FEATURES:
        squared = sum((x[:, None, i] - c[None, :, i]) ** 2 for i in range(events.shape[1]))
    else:
        squared = jnp.sum(x**2, axis=1)[:, None] + jnp.sum(c**2, axis=1)[None] - 2 * x @ c.T
    return jnp.exp(-0.5 * jnp.maximum(squared, 0.0))


def in_blocks(
    events: Float64[np.ndarray, "n d"], weights: Float64[np.ndarray, " n"], columns: int, size: int = CACHED
) -> tuple[Float64[np.ndarray, "b m d"], Float64[np.ndarray, "b m"]]:
    """Events in blocks whose rows of `columns` numbers fill `size` bytes, the last filled up with weight zero."""
    blocks, rows = block_shape(len(events), columns, size)
    x = np.zeros((blocks * rows, events.shape[1]))
    v = np.zeros(blocks * rows)
    x[: len(events)], v[: len(events)] = events, weights
    return x.reshape(blocks, rows, -1), v.reshape(blocks, rows)


def block_shape(events: int, columns: int, size: int = CACHED) -> tuple[int, int]:
    """Number of blocks, and rows of each, for `in_blocks`."""
    most = max(_PADDING, size // (8 * max(1, columns)))
    blocks = max(1, -(-events // most))
    return blocks, most if blocks > 1 else -(-max(1, events) // _PADDING) * _PADDING


def kernel_blocks(
    events: Float64[np.ndarray, "n d"], centers: Float64[np.ndarray, "c d"], width: float
) -> Iterator[tuple[slice, Float64[np.ndarray, "m c"]]]:
    """The rows of the kernel matrix, block after block, each with the slice of the events it belongs to."""
    blocks, _ = in_blocks(events, np.zeros(len(events)), len(centers), CALLED)
    rows = blocks.shape[1]
    for i, block in enumerate(blocks):
        at = slice(i * rows, min((i + 1) * rows, len(events)))
        with jax.enable_x64(True):
            matrix = np.asarray(_gaussian(jnp.asarray(block), jnp.asarray(centers), jnp.asarray(width)))
        yield at, matrix[: at.stop - at.start]


def mapped_blocks(
    work: Callable[[slice, Float64[np.ndarray, "m c"]], Result],
    events: Float64[np.ndarray, "n d"],
    centers: Float64[np.ndarray, "c d"],
    width: float,
) -> Iterator[Result]:
    """What some work makes of each block of `kernel_blocks`, in their order, on as many threads as there are cores.

    BLAS has one thread where t is made, so that the order of its sums is always the same; blocks are worked on side by
    side instead.
    """
    blocks = kernel_blocks(events, centers, width)
    cores = len(available_cores())
    if cores == 1 or len(events) * len(centers) * 8 <= CALLED:
        yield from (work(rows, block) for rows, block in blocks)
        return
    with ThreadPoolExecutor(cores) as pool:
        running: deque[Future[Result]] = deque()
        for rows, block in blocks:
            running.append(pool.submit(work, rows, block))
            if len(running) > cores:  # no more blocks than that are held
                yield running.popleft().result()
        while running:
            yield running.popleft().result()


def kernel_sum(
    events: Float64[np.ndarray, "n d"],
    weights: Float64[np.ndarray, " n"],
    centers: Float64[np.ndarray, "c d"],
    width: float,
    engine: Engine = "xla",
) -> Float64[np.ndarray, " c"]:
    """sum_e v_e k(x_e, c) for each centre, shape (c,)."""
    if engine == "keops":
        return keops_sum(events, weights, centers, width)
    with jax.enable_x64(True):
        x, v = map(jnp.asarray, in_blocks(events, weights, len(centers)))
        return np.asarray(_kernel_sum(x, v, jnp.asarray(centers), jnp.asarray(width)))


def kernel_product(
    events: Float64[np.ndarray, "n d"],
    coefficients: Float64[np.ndarray, " c"],
    centers: Float64[np.ndarray, "c d"],
    width: float,
    engine: Engine = "xla",
) -> Float64[np.ndarray, " n"]:
    """sum_c a_c k(x, c) for each event, shape (n,)."""
    if engine == "keops":
        return keops_product(events, coefficients, centers, width)
    f = np.zeros(len(events))
    for rows, block in kernel_blocks(events, centers, width):
        f[rows] = block @ coefficients
    return f


def padded(count: int) -> int:
    """Batches are filled up to a power of two, so that a few compilations serve all."""
    return 1 << max(0, count - 1).bit_length()


_gaussian = jax.jit(gaussian)


@jax.jit
def _kernel_sum(
    events: Float[Array, "b m d"], weights: Float[Array, "b m"], centers: Float[Array, "c d"], width: Float[Array, ""]
) -> Float[Array, " c"]:
    def add(total: Array, block: tuple[Array, Array]) -> tuple[Array, None]:
        x, v = block
        return total + v @ gaussian(x, centers, width), None

    return jax.lax.scan(add, jnp.zeros(len(centers)), (events, weights))[0]
