"""The loss with nuisances, and its minimum over the model and nu together, for a batch of data samples.

With F = f + log r both parts are linear in columns of an event: F(x) = (phi(x), 1, g(x)) . kappa with coefficients
kappa = (b, c(nu)). With S the data's sums of the columns, the loss of one sample is

    F(b, nu) = sum_R w (exp(columns . kappa) - 1) - kappa . S - log [L(nu | A) / L(0 | A)] + sum_i p_i b_i^2 / 2,

so all that events contribute is sums over them at kappa; nu enters through the Jacobian of c. Without modes it is the
loss whose minimum is -Delta / 2.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nplm.models.kernel_loss import Blocks, exact_hessian, hessian_at, hessian_products, hessians, sums_at
from nplm.nuisance.nuisances import Nuisances
from nplm.optimize.damped_newton import Expansion, Minimum, conjugate_gradients, damped_newton

# Relative residual of a Newton step by conjugate gradients, and products at most.
_RESIDUAL, _PRODUCTS = 0.01, 80
# Columns of which all products are summed, with modes among them.
_MOST_COLUMNS = 96
# Tolerance of the Newton decrement, and steps at most.
_TOLERANCE, _STEPS = 1e-8, 100


class Curve(NamedTuple):
    """c(nu) and log [L(nu|A)/L(0|A)] with their derivatives, for B samples.

    Arguments:
        value, first: c and dc/dnu.
        auxiliary, pull, stiffness: log [L(nu|A)/L(0|A)], its gradient, and minus its second derivatives.
    """

    value: Float[Array, "B e"]
    first: Float[Array, "B e k"]
    auxiliary: Float[Array, " B"]
    pull: Float[Array, "B k"]
    stiffness: Float[Array, "B k k"]


def curve_of(
    nuisances: Nuisances, nu: Float[Array, "B k"], auxiliary: Float[Array, "B a"], free: Float[Array, "B k"]
) -> Curve:
    """All that the loss of B samples needs to know at nu beside sums over events.

    Where `free` is 0 instead of 1 a nuisance is held: it has no slope, and a curvature of its own, so that Newton's
    method leaves it where it starts.
    """
    c, log_l = nuisances.coefficients, nuisances.log_auxiliary
    both = free[:, :, None] * free[:, None, :]
    return Curve(
        jax.vmap(c)(nu),
        jax.vmap(jax.jacfwd(c))(nu) * free[:, None],
        jax.vmap(log_l)(nu, auxiliary),
        jax.vmap(jax.grad(log_l))(nu, auxiliary) * free,
        -jax.vmap(jax.hessian(log_l))(nu, auxiliary) * both + (1 - free)[:, :, None] * jnp.eye(free.shape[1]),
    )


def bend(
    nuisances: Nuisances, nu: Float[Array, "B k"], left: Float[Array, "B e"], free: Float[Array, "B k"]
) -> Float[Array, "B k k"]:
    """sum_e left_e d2c_e/dnu2 of B samples; 0 for nuisances that are held."""

    def of(point: Float[Array, " k"], factors: Float[Array, " e"]) -> Float[Array, ""]:
        return nuisances.coefficients(point) @ factors

    return jax.vmap(jax.hessian(of))(nu, left) * free[:, :, None] * free[:, None, :]


@partial(jax.jit, static_argnames=("nuisances", "steps"))
def minimize_jointly(
    nuisances: Nuisances,
    blocks: Blocks,
    penalty: Float[Array, " r"],
    sums: Float[Array, "B columns"],
    auxiliary: Float[Array, "B a"],
    start: Float[Array, "B r_plus_k"],
    free: Float[Array, "B k"],
    steps: int = _STEPS,
) -> Minimum:
    """Minimises the loss of B samples over (b, nu).

    Arguments:
        nuisances: c(nu) and the auxiliary likelihood.
        blocks: the reference; its last q + 1 columns are (1, g).
        penalty: p of each mode; none for Delta.
        sums: of the columns over each sample.
        auxiliary: measurements that belong to each sample.
        start: b and nu.
        free: 0 for nuisances that stay where they start, 1 for the others.
        steps: Newton steps at most.
    """
    r = len(penalty)
    # With many nuisances their part of the Hessian is exact in either case, and that of the modes is preconditioned.
    exact = exact_hessian(blocks) and (r == 0 or blocks.columns <= _MOST_COLUMNS)

    def expand(point: Float[Array, "B r_plus_k"]) -> Expansion:
        b, nu = point[:, :r], point[:, r:]
        curve = curve_of(nuisances, nu, auxiliary, free)
        kappa = jnp.concatenate([b, curve.value], axis=1)
        value, moments, density = sums_at(blocks, kappa)
        left = moments - sums
        value = value - jnp.sum(kappa * sums, axis=1) + jnp.sum(penalty * b**2, axis=1) / 2 - curve.auxiliary
        of_nu = jnp.einsum("bek,be->bk", curve.first, left[:, r:]) - curve.pull
        gradient = jnp.concatenate([left[:, :r] + penalty * b, of_nu], axis=1)
        bent = bend(nuisances, nu, left[:, r:], free) + curve.stiffness
        if exact:
            second = hessians(blocks, density)
            outer = jnp.einsum("bef,bek,bfl->bkl", second[:, r:, r:], curve.first, curve.first)
            return Expansion(value, gradient, (second, curve.first, bent, outer))
        more = _moments_of_more(blocks, density)
        outer = jnp.einsum("bef,bek,bfl->bkl", more, curve.first, curve.first)
        return Expansion(value, gradient, (density, curve.first, bent, outer))

    def solve_exactly(curvature: tuple[Array, ...], gradient: Array, damping: Array) -> Array:
        second, first, bent, outer = curvature
        across = jnp.einsum("bie,bek->bik", second[:, :r, r:], first)
        of_nu = outer + bent
        top = jnp.concatenate([second[:, :r, :r] + jnp.diag(penalty), across], axis=2)
        full = jnp.concatenate([top, jnp.concatenate([jnp.swapaxes(across, 1, 2), of_nu], axis=2)], axis=1)
        scale = jnp.concatenate([jnp.broadcast_to(1 + penalty, (len(first), r)), _scale(bent, outer)], axis=1)
        full = full + (damping[:, None] * scale)[:, :, None] * jnp.eye(full.shape[1])
        return jnp.linalg.solve(full, -gradient[:, :, None])[:, :, 0]

    def solve_iteratively(curvature: tuple[Array, ...], gradient: Array, damping: Array) -> Array:
        density, first, bent, outer = curvature
        damped = damping[:, None] * _scale(bent, outer)
        near = outer + bent + damped[:, :, None] * jnp.eye(outer.shape[1])

        def product(v: Array) -> Array:
            image = hessian_products(blocks, density, jnp.concatenate([v[:, :r], _apply(first, v[:, r:])], axis=1))
            of_modes = image[:, :r] + penalty * v[:, :r] + damping[:, None] * (1 + penalty) * v[:, :r]
            of_nu = _apply(jnp.swapaxes(first, 1, 2), image[:, r:]) + _apply(bent, v[:, r:]) + damped * v[:, r:]
            return jnp.concatenate([of_modes, of_nu], axis=1)

        def precondition(v: Array) -> Array:
            of_modes = v[:, :r] / ((1 + penalty) * (1 + damping[:, None]))
            return jnp.concatenate([of_modes, jnp.linalg.solve(near, v[:, r:, None])[:, :, 0]], axis=1)

        return conjugate_gradients(product, -gradient, precondition, _RESIDUAL, _PRODUCTS)

    return damped_newton(expand, solve_exactly if exact else solve_iteratively, start, _TOLERANCE, steps)


@partial(jax.jit, static_argnames="nuisances")
def loss_at(
    nuisances: Nuisances,
    blocks: Blocks,
    b: Float[Array, "B r"],
    nu: Float[Array, "B k"],
    sums: Float[Array, "B columns"],
    auxiliary: Float[Array, "B a"],
) -> tuple[Float[Array, " B"], Float[Array, "B r"]]:
    """The loss without its penalty, and its gradient in b."""
    kappa = jnp.concatenate([b, jax.vmap(nuisances.coefficients)(nu)], axis=1)
    value, moments, _ = sums_at(blocks, kappa)
    left = (moments - sums)[:, : b.shape[1]]
    return value - jnp.sum(kappa * sums, axis=1) - jax.vmap(nuisances.log_auxiliary)(nu, auxiliary), left


@partial(jax.jit, static_argnames="nuisances")
def curvature_in_nu(
    nuisances: Nuisances,
    blocks: Blocks,
    nu: Float[Array, "B k"],
    sums: Float[Array, "B e"],
    auxiliary: Float[Array, "B a"],
) -> Float[Array, "B k k"]:
    """Second derivatives of the loss of B samples in nu, without f; the blocks hold the columns (1, g) only."""
    curve = curve_of(nuisances, nu, auxiliary, jnp.ones_like(nu))
    _, moments, density = sums_at(blocks, curve.value)
    outer = jnp.einsum("bef,bek,bfl->bkl", _moments_of_more(blocks, density), curve.first, curve.first)
    return outer + bend(nuisances, nu, moments - sums, jnp.ones_like(nu)) + curve.stiffness


@partial(jax.jit, static_argnames="nuisances")
def moments_at(
    nuisances: Nuisances,
    blocks: Blocks,
    event_weight: Float[Array, "blocks m"] | None,
    nu: Float[Array, " k"],
    auxiliary: Float[Array, " a"],
) -> tuple[Float[Array, "c c"], Float[Array, "c c"] | None, Float[Array, "e k"], Float[Array, "k k"]]:
    """What the law of t at nu is made of.

    Returns:
        sum_R w r (columns)(columns)^T, the same with w^2 r^2 (None without weights of events), dc/dnu, and
        -d2 log L(nu|A) / dnu2.
    """
    c = nuisances.coefficients(nu)
    kappa = jnp.concatenate([jnp.zeros(blocks.columns - len(c)), c])
    noise = None
    if event_weight is not None:
        noise = hessian_at(blocks._replace(weights=blocks.weights * event_weight), 2 * kappa)
    slope = jax.jacfwd(nuisances.coefficients)(nu)
    return hessian_at(blocks, kappa), noise, slope, -jax.hessian(nuisances.log_auxiliary)(nu, auxiliary)


def _moments_of_more(blocks: Blocks, density: Float[Array, "B blocks m"]) -> Float[Array, "B e e"]:
    """sum w e^F (1, g)(1, g)^T."""
    nothing = jnp.zeros((*blocks.weights.shape, 0))
    return hessians(Blocks(nothing, blocks.weights, more=blocks.more), density)


def _scale(bent: Float[Array, "B k k"], outer: Float[Array, "B k k"]) -> Float[Array, "B k"]:
    """A positive size of the curvature along each nuisance."""
    diagonal = jnp.diagonal(outer, axis1=1, axis2=2) + jnp.abs(jnp.diagonal(bent, axis1=1, axis2=2))
    return jnp.maximum(diagonal, 1e-12)


def _apply(matrices: Float[Array, "B i j"], vectors: Float[Array, "B j"]) -> Float[Array, "B i"]:
    return jnp.einsum("bij,bj->bi", matrices, vectors)
