"""The kernel model's penalised loss, its derivatives and its minimum, for a batch of data samples.

In modes, with s = sum_D v phi, the penalised loss of one sample is

    F(b) = sum_R w (exp(phi . b) - 1) - b . s + sum_i p_i b_i^2 / 2.

The rows of the reference are phi themselves where they can be held, and kernels, made anew at each pass and shared by
the batch, where they cannot: coefficients are then taken from modes to centres first.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nplm.models.kernel_modes import FEW_MODES
from nplm.models.kernel_products import gaussian
from nplm.optimize.damped_newton import Expansion, Minimum, conjugate_gradients, damped_newton

# A Newton step of conjugate gradients: relative residual, and products at most.
_RESIDUAL, _PRODUCTS = 0.03, 40
# Tolerance of the Newton decrement, and steps at most.
TOLERANCE, STEPS = 1e-7, 60


class Blocks(NamedTuple):
    """The reference in blocks of m events, the last filled up with weight zero.

    Arguments:
        x: phi, or (where centers are given) features, shape (blocks, m, r) or (blocks, m, d).
        weights: shape (blocks, m).
        centers: shape (M, d); None where x holds phi.
        width: of the kernels.
        transform: from kernels to modes, shape (M, r); None where x holds phi.
    """

    x: Float[Array, "blocks m k"]
    weights: Float[Array, "blocks m"]
    centers: Float[Array, "M d"] | None = None
    width: Float[Array, ""] | None = None
    transform: Float[Array, "M r"] | None = None

    def rows(self, x: Float[Array, "m k"]) -> Float[Array, "m columns"]:
        """phi or kernels of a block's events."""
        return x if self.centers is None or self.width is None else gaussian(x, self.centers, self.width)

    def to_columns(self, b: Float[Array, "B r"]) -> Float[Array, "B columns"]:
        """Coefficients of the columns of `rows` for those of the modes."""
        return b if self.transform is None else b @ self.transform.T

    def to_modes(self, sums: Float[Array, "B columns"]) -> Float[Array, "B r"]:
        """Sums over events of the columns of `rows`, as those of the modes."""
        return sums if self.transform is None else sums @ self.transform


def exact_hessian(blocks: Blocks, modes: int) -> bool:
    """Whether Hessians are summed exactly, or only their products with vectors."""
    return blocks.centers is None and modes <= FEW_MODES


@jax.jit
def reference_sums(blocks: Blocks, b: Float[Array, "B r"]) -> tuple[Float[Array, " B"], Float[Array, "B r"]]:
    """sum_R w (exp(f) - 1) and sum_R w exp(f) phi, shapes (B,) and (B, r)."""
    value, gradient, _ = _sums(blocks, b)
    return value, gradient


@jax.jit
def reference_hessians(blocks: Blocks, b: Float[Array, "B r"]) -> tuple[Float[Array, " B"], Float[Array, "B r r"]]:
    """sum_R w (exp(f) - 1) and sum_R w exp(f) phi phi^T, shapes (B,) and (B, r, r); of blocks that hold phi."""
    value, _, density = _sums(blocks, b)
    return value, _hessians(blocks, density)


@jax.jit
def hessian_at(blocks: Blocks, b: Float[Array, " r"]) -> Float[Array, "r r"]:
    """sum_R w exp(f) phi phi^T at one point."""
    coefficients = blocks.to_columns(b[None])[0]

    def add(total: Array, block: tuple[Array, Array]) -> tuple[Array, None]:
        x, w = block
        rows = blocks.rows(x)
        density = w * jnp.exp(rows @ coefficients)
        phi = rows if blocks.transform is None else rows @ blocks.transform
        return total + (phi * density[:, None]).T @ phi, None

    return jax.lax.scan(add, jnp.zeros((len(b), len(b))), (blocks.x, blocks.weights))[0]


@partial(jax.jit, static_argnames="steps")
def minimize(
    blocks: Blocks, penalty: Float[Array, " r"], s: Float[Array, "B r"], start: Float[Array, "B r"], steps: int = STEPS
) -> Minimum:
    """Minimises F for each of B samples with sums s."""
    metric = 1 + penalty
    exact = exact_hessian(blocks, len(penalty))

    def expand(b: Float[Array, "B r"]) -> Expansion:
        value, gradient, density = _sums(blocks, b)
        value = value - jnp.sum(b * s, axis=1) + jnp.sum(penalty * b**2, axis=1) / 2
        return Expansion(value, gradient - s + penalty * b, _hessians(blocks, density) if exact else density)

    def solve_exactly(hessians: Array, gradient: Array, damping: Array) -> Array:
        diagonal = penalty + damping[:, None] * metric
        full = hessians + diagonal[:, :, None] * jnp.eye(len(penalty))
        return jnp.linalg.solve(full, -gradient[:, :, None])[:, :, 0]

    def solve_iteratively(density: Array, gradient: Array, damping: Array) -> Array:
        damped = damping[:, None] * metric
        return conjugate_gradients(
            lambda v: _hessian_products(blocks, density, v) + penalty * v + damped * v,
            -gradient,
            lambda v: v / (metric + damped),
            _RESIDUAL,
            _PRODUCTS,
        )

    return damped_newton(expand, solve_exactly if exact else solve_iteratively, start, TOLERANCE, steps)


def _sums(blocks: Blocks, b: Array) -> tuple[Array, Array, Array]:
    """sum w (e^f - 1), sum w e^f phi, and w e^f itself, shapes (B,), (B, r) and (B, blocks, m)."""
    coefficients = blocks.to_columns(b)

    def add(total: tuple[Array, Array], block: tuple[Array, Array]) -> tuple[tuple[Array, Array], Array]:
        x, w = block
        rows = blocks.rows(x)
        f = _turned(rows @ coefficients.T)
        density = w * jnp.exp(f)
        return (total[0] + jnp.expm1(f) @ w, total[1] + density @ rows), density

    zero = jnp.zeros(len(b)), jnp.zeros_like(coefficients)
    (value, sums), density = jax.lax.scan(add, zero, (blocks.x, blocks.weights))
    return value, blocks.to_modes(sums), jnp.moveaxis(density, 0, 1)


def _turned(columns: Float[Array, "m B"]) -> Float[Array, "B m"]:
    """The transpose, laid out as such: products with a matrix that is only read the other way take twice the time."""
    return jax.lax.optimization_barrier(columns.T)  # type: ignore[no-untyped-call]


def _hessian_products(blocks: Blocks, density: Array, v: Array) -> Array:
    """sum w e^f phi (phi . v), shape (B, r)."""
    coefficients = blocks.to_columns(v)

    def add(total: Array, block: tuple[Array, Array]) -> tuple[Array, None]:
        x, d = block
        rows = blocks.rows(x)
        return total + (d * _turned(rows @ coefficients.T)) @ rows, None

    sums, _ = jax.lax.scan(add, jnp.zeros_like(coefficients), (blocks.x, jnp.moveaxis(density, 1, 0)))
    return blocks.to_modes(sums)


def _hessians(blocks: Blocks, density: Array) -> Array:
    """sum w e^f phi phi^T, shape (B, r, r)."""
    r = blocks.x.shape[-1]

    def add(total: Array, block: tuple[Array, Array]) -> tuple[Array, None]:
        x, d = block
        return total + d @ (x[:, :, None] * x[:, None, :]).reshape(len(x), r * r), None

    first = jnp.zeros((len(density), r * r))
    sums, _ = jax.lax.scan(add, first, (blocks.x, jnp.moveaxis(density, 1, 0)))
    return sums.reshape(-1, r, r)
