"""The network's loss on chunked points, expanded to second order, compiled once for each shape of the arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nplm.likelihood import data_term, reference_term
from nplm.models.mlp import Layout, forward, value_and_jacobian
from nplm.models.points import Points
from nplm.optimize.adam import Adam, adam
from nplm.optimize.box_newton import Expansion, State, minimise, newton_decrement
from nplm.optimize.box_secant import minimise_with_secants


def network_loss(layout: Layout, theta: Float[Array, " p"], reference: Points, data: Points) -> Float[Array, ""]:
    """L[f] of reference against data, a chunk at a time."""

    def total(term: Callable[[Array, Array], Array], points: Points) -> Float[Array, ""]:
        def add(sum_: Float[Array, ""], chunk: Points) -> tuple[Float[Array, ""], None]:
            return sum_ + term(forward(layout, theta, chunk.x), chunk.weights), None

        return jax.lax.scan(add, jnp.zeros((), theta.dtype), points)[0]

    return total(reference_term, reference) - total(data_term, data)


def expand(layout: Layout, theta: Float[Array, " p"], reference: Points, data: Points) -> Expansion:
    """L, its gradient, and the Gauss-Newton matrix sum_R w e^f (df)(df)^T.

    The matrix leaves out the term (sum_R w e^f - sum_D v) d2f, which is small where the model fits the data.
    """

    def add_reference(sums: Expansion, chunk: Points) -> tuple[Expansion, None]:
        f, jacobian = value_and_jacobian(layout, theta, chunk.x)
        value, tilted = jax.value_and_grad(reference_term)(f, chunk.weights)
        part = Expansion(value, jacobian @ tilted, (jacobian * tilted) @ jacobian.T)
        return jax.tree.map(jnp.add, sums, part), None

    def add_data(
        sums: tuple[Float[Array, ""], Float[Array, " p"]], chunk: Points
    ) -> tuple[tuple[Float[Array, ""], Float[Array, " p"]], None]:
        part = jax.value_and_grad(lambda p: data_term(forward(layout, p, chunk.x), chunk.weights))(theta)
        return jax.tree.map(jnp.add, sums, part), None

    zero = jnp.zeros((), theta.dtype)
    nothing = Expansion(zero, jnp.zeros_like(theta), jnp.zeros((theta.size, theta.size), theta.dtype))
    ours, _ = jax.lax.scan(add_reference, nothing, reference)
    (total, gradient), _ = jax.lax.scan(add_data, (zero, jnp.zeros_like(theta)), data)
    return Expansion(ours.loss - total, ours.gradient - gradient, ours.curvature)


@partial(jax.jit, static_argnames=("layout", "lanes"))
def climb_population(
    layout: Layout,
    lanes: int,
    theta: Float[Array, "n p"],
    damping: Float[Array, " n"],
    bound: Float[Array, " p"],
    iterations: Int[Array, ""],
    reference: Points,
    data: Points,
) -> tuple[Float[Array, "n p"], Float[Array, " n"], Float[Array, " n"]]:
    """Climbs with every network of a population; `lanes` at a time, so that their Jacobians stay in the cache."""

    def one(start: tuple[Float[Array, " p"], Float[Array, ""]]) -> State:
        return minimise(lambda p: expand(layout, p, reference, data), *start, bound, iterations)

    states = jax.lax.map(one, (theta, damping), batch_size=lanes)
    return states.theta, states.expansion.loss, states.damping


@partial(jax.jit, static_argnames="layout")
def climb_with_secants(
    layout: Layout,
    theta: Float[Array, " p"],
    damping: Float[Array, ""],
    bound: Float[Array, " p"],
    iterations: Int[Array, ""],
    reference: Points,
    data: Points,
) -> tuple[Float[Array, " p"], Float[Array, ""]]:
    """Climbs with one network on many events; most iterations cost no more than a gradient."""
    return minimise_with_secants(
        jax.value_and_grad(lambda p: network_loss(layout, p, reference, data)),
        lambda p: expand(layout, p, reference, data).curvature,
        theta,
        damping,
        bound,
        iterations,
    )


@partial(jax.jit, static_argnames="layout")
def climb(
    layout: Layout,
    theta: Float[Array, " p"],
    damping: Float[Array, ""],
    bound: Float[Array, " p"],
    iterations: Int[Array, ""],
    reference: Points,
    data: Points,
) -> tuple[State, Float[Array, ""]]:
    """Climbs with one network; also returns by how much t would still rise (Newton decrement)."""
    state = minimise(lambda p: expand(layout, p, reference, data), theta, damping, bound, iterations)
    return state, newton_decrement(state, bound)


@partial(jax.jit, static_argnames=("layout", "settings"))
def fit_adam(
    layout: Layout,
    settings: Adam,
    theta: Float[Array, " p"],
    bound: Float[Array, " p"],
    reference: Points,
    data: Points,
) -> Float[Array, " p"]:
    """Parameters that the published recipe ends with."""
    return adam(settings, lambda p: network_loss(layout, p, reference, data), theta, bound)
