"""Sums over the events of the reference that the losses of kernel models are made of, for a batch of coefficients.

The rows of the reference are phi themselves where they can be held, and kernels, made anew at each pass and shared by
the batch, where they cannot: coefficients are then taken from modes to centres first. With nuisances their functions of
an event are more columns of the same rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nplm.likelihood.kernel_sums import gaussian

# Hessians of so many columns are summed exactly; of more only their products with vectors are.
FEW_MODES = 48
# Columns whose products are all made for a block of events before they are summed for each sample.
_MOST_OUTER = 64


class Blocks(NamedTuple):
    """The reference in blocks of m events, the last filled up with weight zero.

    Arguments:
        x: phi, or (where centers are given) features, shape (blocks, m, r) or (blocks, m, d).
        weights: shape (blocks, m).
        centers: shape (M, d); None where x holds phi.
        width: of the kernels.
        transform: from kernels to modes, shape (M, r); None where x holds phi.
        more: further columns of each event, shape (blocks, m, e); None for none.
        expected: sum_R w phi, shape (r,), of the reference where centers are given: sums over it are then taken of what
            they differ by from this.
    """

    x: Float[Array, "blocks m k"]
    weights: Float[Array, "blocks m"]
    centers: Float[Array, "M d"] | None = None
    width: Float[Array, ""] | None = None
    transform: Float[Array, "M r"] | None = None
    more: Float[Array, "blocks m e"] | None = None
    expected: Float[Array, " r"] | None = None

    @property
    def columns(self) -> int:
        """Number of modes and further columns."""
        modes = self.x.shape[-1] if self.transform is None else self.transform.shape[1]
        return modes + (0 if self.more is None else self.more.shape[-1])

    def rows(self, x: Float[Array, "m k"], more: Float[Array, "m e"] | None) -> Float[Array, "m columns"]:
        """phi or kernels of a block's events, and the further columns."""
        main = x if self.centers is None or self.width is None else gaussian(x, self.centers, self.width)
        return main if more is None else jnp.concatenate([main, more], axis=1)

    def to_columns(self, b: Float[Array, "B r"]) -> Float[Array, "B columns"]:
        """Coefficients of the columns of `rows` for those of the modes."""
        if self.transform is None:
            return b
        modes = self.transform.shape[1]
        return jnp.concatenate([b[:, :modes] @ self.transform.T, b[:, modes:]], axis=1)

    def to_modes(self, sums: Float[Array, "B columns"]) -> Float[Array, "B r"]:
        """Sums over events of the columns of `rows`, as those of the modes."""
        if self.transform is None:
            return sums
        kernels = len(self.transform)
        return jnp.concatenate([sums[:, :kernels] @ self.transform, sums[:, kernels:]], axis=1)


def without_modes(blocks: Blocks) -> Blocks:
    """The further columns alone."""
    return Blocks(jnp.zeros((*blocks.weights.shape, 0)), blocks.weights, more=blocks.more)


def exact_hessian(blocks: Blocks) -> bool:
    """Whether Hessians are summed exactly, or only their products with vectors."""
    return blocks.centers is None and blocks.x.shape[-1] <= FEW_MODES


@jax.jit
def reference_sums(blocks: Blocks, b: Float[Array, "B r"]) -> tuple[Float[Array, " B"], Float[Array, "B r"]]:
    """sum_R w (exp(f) - 1) and sum_R w exp(f) phi, shapes (B,) and (B, r)."""
    value, gradient, _ = sums_at(blocks, b)
    return value, gradient


@jax.jit
def reference_hessians(blocks: Blocks, b: Float[Array, "B r"]) -> tuple[Float[Array, " B"], Float[Array, "B r r"]]:
    """sum_R w (exp(f) - 1) and sum_R w exp(f) phi phi^T, shapes (B,) and (B, r, r); of blocks that hold phi."""
    value, _, density = sums_at(blocks, b)
    return value, hessians(blocks, density)


@jax.jit
def hessian_at(blocks: Blocks, b: Float[Array, " r"]) -> Float[Array, "r r"]:
    """sum_R w exp(f) phi phi^T at one point."""
    coefficients = blocks.to_columns(b[None])[0]

    def add(total: Array, block: tuple[Array, Array, Array | None]) -> tuple[Array, None]:
        x, w, more = block
        rows = blocks.rows(x, more)
        density = w * jnp.exp(rows @ coefficients)
        phi = blocks.to_modes(rows)
        return total + (phi * density[:, None]).T @ phi, None

    return jax.lax.scan(add, jnp.zeros((len(b), len(b))), (blocks.x, blocks.weights, blocks.more))[0]


def sums_at(
    blocks: Blocks, b: Float[Array, "B r"]
) -> tuple[Float[Array, " B"], Float[Array, "B r"], Float[Array, "B blocks m"]]:
    """sum w (e^f - 1), sum w e^f phi, and w e^f itself."""

    def of(f: Array, w: Array) -> tuple[Array, Array, Array]:
        density = w * jnp.exp(f)
        return jnp.expm1(f) @ w, density, density

    return sums_of(blocks, b, of)


Of = Callable[[Float[Array, "B m"], Float[Array, " m"]], tuple[Array, Array, Array]]


def sums_of(
    blocks: Blocks, b: Float[Array, "B r"], of: Of
) -> tuple[Float[Array, " B"], Float[Array, "B r"], Float[Array, "B blocks m"]]:
    """The sums over the events of a function of f and its derivative times phi, and its curvature at each event.

    Arguments:
        blocks: the reference.
        b: coefficients of the modes.
        of: of f of a block and its weights, shapes (B, m) and (m,): the function summed over the block, (B,), its
            derivative (the weight at f = 0) and its second derivative with the weights in them, (B, m).
    """
    coefficients = blocks.to_columns(b)

    def add(total: tuple[Array, Array], block: tuple[Array, Array, Array | None]) -> tuple[tuple[Array, Array], Array]:
        x, w, more = block
        rows = blocks.rows(x, more)
        f = _turned(rows @ coefficients.T)
        value, slope, curvature = of(f, w)
        if blocks.expected is not None:
            # Modes are differences of kernels with coefficients of up to 1e6, and rounding of sums of kernels is as
            # many times larger in them: too large for a minimization to end, unless only what departs from f = 0 is
            # summed.
            value, slope = value - f @ w, slope - w
        return (total[0] + value, total[1] + slope @ rows), curvature

    zero = jnp.zeros(len(b)), jnp.zeros_like(coefficients)
    (value, sums), density = jax.lax.scan(add, zero, (blocks.x, blocks.weights, blocks.more))
    sums = blocks.to_modes(sums)
    if blocks.expected is not None:
        more = () if blocks.more is None else (jnp.einsum("nm,nme->e", blocks.weights, blocks.more),)
        at_zero = jnp.concatenate([blocks.expected, *more])
        value, sums = value + b @ at_zero, sums + at_zero
    return value, sums, jnp.moveaxis(density, 0, 1)


def _turned(columns: Float[Array, "m B"]) -> Float[Array, "B m"]:
    """The transpose, laid out as such: products with a matrix that is only read the other way take twice the time."""
    return jax.lax.optimization_barrier(columns.T)  # type: ignore[no-untyped-call]


def hessian_products(
    blocks: Blocks, density: Float[Array, "B blocks m"], v: Float[Array, "B r"]
) -> Float[Array, "B r"]:
    """sum w e^f phi (phi . v)."""
    coefficients = blocks.to_columns(v)

    def add(total: Array, block: tuple[Array, Array, Array | None]) -> tuple[Array, None]:
        x, d, more = block
        rows = blocks.rows(x, more)
        return total + (d * _turned(rows @ coefficients.T)) @ rows, None

    sums, _ = jax.lax.scan(add, jnp.zeros_like(coefficients), (blocks.x, jnp.moveaxis(density, 1, 0), blocks.more))
    return blocks.to_modes(sums)


def hessians(blocks: Blocks, density: Float[Array, "B blocks m"]) -> Float[Array, "B r r"]:
    """sum w e^f phi phi^T, of blocks that hold phi."""
    r = blocks.columns
    if r > _MOST_OUTER:
        return _hessians_of_many_columns(blocks, density)

    def add(total: Array, block: tuple[Array, Array, Array | None]) -> tuple[Array, None]:
        x, d, more = block
        rows = blocks.rows(x, more)
        return total + d @ (rows[:, :, None] * rows[:, None, :]).reshape(len(x), r * r), None

    first = jnp.zeros((len(density), r * r))
    sums, _ = jax.lax.scan(add, first, (blocks.x, jnp.moveaxis(density, 1, 0), blocks.more))
    return sums.reshape(-1, r, r)


def _hessians_of_many_columns(blocks: Blocks, density: Float[Array, "B blocks m"]) -> Float[Array, "B r r"]:
    """The same, sample by sample: products of all pairs of many columns are more than the cache holds."""

    def add(total: Array, block: tuple[Array, Array, Array | None]) -> tuple[Array, None]:
        x, d, more = block
        rows = blocks.rows(x, more)
        return total + jax.lax.map(lambda weights: (rows * weights[:, None]).T @ rows, d), None

    first = jnp.zeros((len(density), blocks.columns, blocks.columns))
    return jax.lax.scan(add, first, (blocks.x, jnp.moveaxis(density, 1, 0), blocks.more))[0]
