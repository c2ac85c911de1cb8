"""The loss with nuisances, and its minimum over the model and nu together, for a batch of data samples.

With F = f + log r both parts are linear in columns of an event: F(x) = (phi(x), 1, g(x)) . kappa with coefficients
kappa = (b, c(nu)). With S the data's sums of the columns, the loss of one sample is, if the reference is exact,

    L(b, nu) = sum_R w (exp(columns . kappa) - 1) - kappa . S - log [L(nu | A) / L(0 | A)],

so all that events contribute is sums over them at kappa; nu enters through the Jacobian of c. With a reference of
finite size the first two terms are the likelihood of `FiniteReference` at F: r moves the weight w of a reference event
to w r(x; nu), and the yields keep their place in r. Without modes it is the loss whose minimum is -Delta / 2.

What is minimized is G + sum_i p_i b_i^2 / 2 with G = (1 + rho) L, as without nuisances.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nplm.likelihood.log_linear_fit import Likelihood
from nplm.nuisance.nuisances import Nuisances
from nplm.optimize.batched_newton import Expansion, Minimum, conjugate_gradients, damped_newton

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
    likelihood: Likelihood,
    penalty: Float[Array, " r"],
    auxiliary: Float[Array, "B a"],
    start: Float[Array, "B r_plus_k"],
    free: Float[Array, "B k"],
    steps: int = _STEPS,
) -> Minimum:
    """Minimizes G + sum_i p_i b_i^2 / 2 of B samples over (b, nu).

    Arguments:
        nuisances: c(nu) and the auxiliary likelihood.
        likelihood: of the samples; the last q + 1 of its columns are (1, g).
        penalty: p of each mode; none for Delta.
        auxiliary: measurements that belong to each sample.
        start: b and nu.
        free: 0 for nuisances that stay where they start, 1 for the others.
        steps: Newton steps at most.
    """
    r = len(penalty)
    # With many nuisances their part of the Hessian is exact in either case, and that of the modes is preconditioned.
    exact = likelihood.exact_hessian and (r == 0 or likelihood.blocks.columns <= _MOST_COLUMNS)
    unit = jnp.broadcast_to(likelihood.unit, (len(start),))

    def expand(point: Float[Array, "B r_plus_k"]) -> Expansion:
        b, nu = point[:, :r], point[:, r:]
        curve = curve_of(nuisances, nu, auxiliary, free)
        kappa = jnp.concatenate([b, curve.value], axis=1)
        value, left, densities = likelihood.at(kappa)
        value = value + jnp.sum(penalty * b**2, axis=1) / 2 - unit * curve.auxiliary
        of_nu = jnp.einsum("bek,be->bk", curve.first, left[:, r:]) - unit[:, None] * curve.pull
        gradient = jnp.concatenate([left[:, :r] + penalty * b, of_nu], axis=1)
        bent = bend(nuisances, nu, left[:, r:], free) + unit[:, None, None] * curve.stiffness
        if exact:
            second = likelihood.hessians(densities)
            outer = jnp.einsum("bef,bek,bfl->bkl", second[:, r:, r:], curve.first, curve.first)
            return Expansion(value, gradient, (second, curve.first, bent, outer))
        more = likelihood.hessians_of_more(densities)
        outer = jnp.einsum("bef,bek,bfl->bkl", more, curve.first, curve.first)
        return Expansion(value, gradient, (densities, curve.first, bent, outer))

    def solve_exactly(curvature: tuple[Array, ...], gradient: Array, damping: Array) -> Array:
        second, first, bent, outer = curvature
        across = jnp.einsum("bie,bek->bik", second[:, :r, r:], first)
        of_nu = outer + bent
        top = jnp.concatenate([second[:, :r, :r] + jnp.diag(penalty), across], axis=2)
        full = jnp.concatenate([top, jnp.concatenate([jnp.swapaxes(across, 1, 2), of_nu], axis=2)], axis=1)
        scale = jnp.concatenate([jnp.broadcast_to(1 + penalty, (len(first), r)), _scale(bent, outer)], axis=1)
        full = full + (damping[:, None] * scale)[:, :, None] * jnp.eye(full.shape[1])
        return jnp.linalg.solve(full, -gradient[:, :, None])[:, :, 0]

    def solve_iteratively(
        curvature: tuple[tuple[Array, ...], Array, Array, Array], gradient: Array, damping: Array
    ) -> Array:
        densities, first, bent, outer = curvature
        damped = damping[:, None] * _scale(bent, outer)
        near = outer + bent + damped[:, :, None] * jnp.eye(outer.shape[1])

        def product(v: Array) -> Array:
            image = likelihood.products(densities, jnp.concatenate([v[:, :r], _apply(first, v[:, r:])], axis=1))
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
    likelihood: Likelihood,
    b: Float[Array, "B r"],
    nu: Float[Array, "B k"],
    auxiliary: Float[Array, "B a"],
) -> tuple[Float[Array, " B"], Float[Array, "B r"]]:
    """L, and the gradient of G in b."""
    value, left, _ = likelihood.at(jnp.concatenate([b, jax.vmap(nuisances.coefficients)(nu)], axis=1))
    return value / likelihood.unit - jax.vmap(nuisances.log_auxiliary)(nu, auxiliary), left[:, : b.shape[1]]


@partial(jax.jit, static_argnames="nuisances")
def curvature_in_nu(
    nuisances: Nuisances, likelihood: Likelihood, nu: Float[Array, "B k"], auxiliary: Float[Array, "B a"]
) -> Float[Array, "B k k"]:
    """Second derivatives of L of B samples in nu, without f; the columns are (1, g) only."""
    curve = curve_of(nuisances, nu, auxiliary, jnp.ones_like(nu))
    _, left, densities = likelihood.at(curve.value)
    outer = jnp.einsum("bef,bek,bfl->bkl", likelihood.hessians_of_more(densities), curve.first, curve.first)
    unit = jnp.broadcast_to(likelihood.unit, (len(nu),))[:, None, None]
    return (outer + bend(nuisances, nu, left, jnp.ones_like(nu))) / unit + curve.stiffness


def _scale(bent: Float[Array, "B k k"], outer: Float[Array, "B k k"]) -> Float[Array, "B k"]:
    """A positive size of the curvature along each nuisance."""
    diagonal = jnp.diagonal(outer, axis1=1, axis2=2) + jnp.abs(jnp.diagonal(bent, axis1=1, axis2=2))
    return jnp.maximum(diagonal, 1e-12)


def _apply(matrices: Float[Array, "B i j"], vectors: Float[Array, "B j"]) -> Float[Array, "B i"]:
    return jnp.einsum("bij,bj->bi", matrices, vectors)
