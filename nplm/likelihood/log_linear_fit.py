"""The kernel model's two likelihoods, and the minimum of the penalized loss, for a batch of data samples.

Extended: the reference is taken as exact. In modes, with s = sum_D v phi, the loss of one sample is

    G(b) = sum_R w (exp(f) - 1) - b . s,    f = phi . b.

Finite reference: that of `nplm.likelihood.finite`. Events of the reference count w_e / w0 times, those of the data
v_e / v0 times, and rho = w0 / v0. In units of the data's weights

    L = v0 { sum_R (w_e / w0) l(f) + sum_D (v_e / v0) [l(f) - f] },    G(b) = (1 + rho) L.

G has the derivatives of the extended loss at f = 0, G'(0) = sum_R w phi - s, and the expected Hessian
sum_R w phi phi^T = 1 there; and it is that loss for rho -> 0. It is convex where no weight is negative.

What is minimized is G + sum_i p_i b_i^2 / 2: the penalty is relative to the Hessian, so that it shrinks the fit as much
whatever rho is.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nplm.likelihood.finite import curvature, data_slope, data_value, reference_slope, reference_value
from nplm.likelihood.log_linear import (
    Blocks,
    exact_hessian,
    hessian_products,
    hessians,
    sums_at,
    sums_of,
    without_modes,
)
from nplm.optimize.batched_newton import Expansion, Minimum, conjugate_gradients, damped_newton

# A Newton step of conjugate gradients: relative residual, and products at most.
_RESIDUAL, _PRODUCTS = 0.03, 40
# Tolerance of the Newton decrement, and steps at most.
TOLERANCE, STEPS = 1e-7, 60

Sums = tuple[Float[Array, " B"], Float[Array, "B columns"], tuple[Array, ...]]


class Extended(NamedTuple):
    """G of data of which only the sums are known, with the reference taken as exact.

    Arguments:
        blocks: the reference.
        sums: of the columns over each sample, shape (B, columns).
    """

    blocks: Blocks
    sums: Float[Array, "B columns"]

    @property
    def exact_hessian(self) -> bool:
        """Whether Hessians are summed exactly, or only their products with vectors."""
        return exact_hessian(self.blocks)

    @property
    def unit(self) -> Float[Array, ""]:
        """G / L."""
        return jnp.ones(())

    def at(self, b: Float[Array, "B columns"]) -> Sums:
        """G, its gradient, and what its second derivatives are made of."""
        value, gradient, density = sums_at(self.blocks, b)
        return value - jnp.sum(b * self.sums, axis=1), gradient - self.sums, (density,)

    def hessians(self, densities: tuple[Array, ...]) -> Float[Array, "B columns columns"]:
        """Second derivatives of G."""
        return hessians(self.blocks, densities[0])

    def products(self, densities: tuple[Array, ...], v: Float[Array, "B columns"]) -> Float[Array, "B columns"]:
        """Second derivatives of G times vectors."""
        return hessian_products(self.blocks, densities[0], v)

    def hessians_of_more(self, densities: tuple[Array, ...]) -> Float[Array, "B e e"]:
        """Second derivatives of G in the coefficients of the further columns."""
        return hessians(without_modes(self.blocks), densities[0])


class FiniteReference(NamedTuple):
    """G of data whose events are known, with a reference of finite size.

    Arguments:
        blocks: the reference.
        data: the events of the samples, in blocks of m events of each: x of shape (blocks, B, m, r) or
            (blocks, B, m, d), weights (blocks, B, m), more (blocks, B, m, e).
        ratio: rho of each sample, shape (B,).
    """

    blocks: Blocks
    data: Blocks
    ratio: Float[Array, " B"]

    @property
    def exact_hessian(self) -> bool:
        """Whether Hessians are summed exactly, or only their products with vectors."""
        return exact_hessian(self.blocks) and self.data.centers is None

    @property
    def unit(self) -> Float[Array, " B"]:
        """G / L."""
        return 1 + self.ratio

    def at(self, b: Float[Array, "B columns"]) -> Sums:
        """G, its gradient, and what its second derivatives are made of."""
        rho = self.ratio[:, None]

        def of_reference(f: Array, w: Array) -> tuple[Array, Array, Array]:
            return reference_value(f, rho) @ w, w * reference_slope(f, rho), w * curvature(f, rho)

        value, gradient, density = sums_of(self.blocks, b, of_reference)
        coefficients = self.data.to_columns(b)

        def add(total: tuple[Array, Array], block: tuple[Array, Array, Array | None]) -> tuple[tuple, Array]:
            x, v, more = block
            rows = jax.vmap(self.data.rows)(x, more)
            f = jnp.einsum("bmc,bc->bm", rows, coefficients)
            value, slope = total[0] + jnp.sum(v * data_value(f, rho), axis=1), v * data_slope(f, rho)
            return (value, total[1] + jnp.einsum("bm,bmc->bc", slope, rows)), rho * v * curvature(f, rho)

        zero = jnp.zeros(len(b)), jnp.zeros_like(coefficients)
        (observed, sums), of_data = jax.lax.scan(add, zero, (self.data.x, self.data.weights, self.data.more))
        return value + observed, gradient + self.data.to_modes(sums), (density, jnp.moveaxis(of_data, 0, 1))

    def hessians(self, densities: tuple[Array, ...]) -> Float[Array, "B columns columns"]:
        """Second derivatives of G."""

        def add(total: Array, block: tuple[Array, Array, Array | None]) -> tuple[Array, None]:
            x, d, more = block
            rows = jax.vmap(self.data.rows)(x, more)
            return total + jnp.einsum("bmc,bme->bce", rows * d[:, :, None], rows), None

        first = hessians(self.blocks, densities[0])
        parts = self.data.x, jnp.moveaxis(densities[1], 1, 0), self.data.more
        return jax.lax.scan(add, first, parts)[0]

    def products(self, densities: tuple[Array, ...], v: Float[Array, "B columns"]) -> Float[Array, "B columns"]:
        """Second derivatives of G times vectors."""
        coefficients = self.data.to_columns(v)

        def add(total: Array, block: tuple[Array, Array, Array | None]) -> tuple[Array, None]:
            x, d, more = block
            rows = jax.vmap(self.data.rows)(x, more)
            return total + jnp.einsum("bm,bmc->bc", d * jnp.einsum("bmc,bc->bm", rows, coefficients), rows), None

        parts = self.data.x, jnp.moveaxis(densities[1], 1, 0), self.data.more
        sums, _ = jax.lax.scan(add, jnp.zeros_like(coefficients), parts)
        return hessian_products(self.blocks, densities[0], v) + self.data.to_modes(sums)

    def hessians_of_more(self, densities: tuple[Array, ...]) -> Float[Array, "B e e"]:
        """Second derivatives of G in the coefficients of the further columns."""
        return self._replace(blocks=without_modes(self.blocks), data=without_modes(self.data)).hessians(densities)


Likelihood = Extended | FiniteReference


@jax.jit
def loss_at(likelihood: Likelihood, b: Float[Array, "B r"]) -> tuple[Float[Array, " B"], Float[Array, "B r"]]:
    """L without its penalty, and the gradient of G."""
    value, gradient, _ = likelihood.at(b)
    return value / likelihood.unit, gradient


@partial(jax.jit, static_argnames="steps")
def minimize(
    likelihood: Likelihood, penalty: Float[Array, " r"], start: Float[Array, "B r"], steps: int = STEPS
) -> Minimum:
    """Minimizes G + sum_i p_i b_i^2 / 2 for each of B samples."""
    metric = 1 + penalty

    def expand(b: Float[Array, "B r"]) -> Expansion:
        value, gradient, densities = likelihood.at(b)
        value = value + jnp.sum(penalty * b**2, axis=1) / 2
        exact = likelihood.exact_hessian
        return Expansion(value, gradient + penalty * b, likelihood.hessians(densities) if exact else densities)

    def solve_exactly(hessians: Array, gradient: Array, damping: Array) -> Array:
        diagonal = penalty + damping[:, None] * metric
        full = hessians + diagonal[:, :, None] * jnp.eye(len(penalty))
        return jnp.linalg.solve(full, -gradient[:, :, None])[:, :, 0]

    def solve_iteratively(densities: tuple[Array, ...], gradient: Array, damping: Array) -> Array:
        damped = damping[:, None] * metric
        return conjugate_gradients(
            lambda v: likelihood.products(densities, v) + penalty * v + damped * v,
            -gradient,
            lambda v: v / (metric + damped),
            _RESIDUAL,
            _PRODUCTS,
        )

    solve = solve_exactly if likelihood.exact_hessian else solve_iteratively
    return damped_newton(expand, solve, start, TOLERANCE, steps)
