"""The network's loss on chunked points, expanded to second order, compiled once for each shape of the arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nplm.likelihood.finite import of_data, of_reference
from nplm.models.network.events import Chunks, Points
from nplm.models.network.joint import JointNetwork
from nplm.models.network.mlp import Layout
from nplm.optimize.adam import Adam, adam
from nplm.optimize.levenberg_marquardt import Expansion, State, minimize, newton_decrement
from nplm.optimize.preconditioned_lbfgs import minimize_with_secants

# The log-ratios that are fitted: a network, alone or with nuisances.
Family = Layout | JointNetwork


def network_loss(family: Family, theta: Float[Array, " p"], reference: Points, data: Points) -> Float[Array, ""]:
    """L of reference against data, a chunk at a time; with nuisances their auxiliary likelihood is in it.

    If the data have a rho it is the likelihood of a finite reference, see `of_reference`.
    """

    def total(term: Callable[[Array, Array, Array | None], Array], points: Points) -> Float[Array, ""]:
        def add(sum_: Float[Array, ""], chunk: Chunks) -> tuple[Float[Array, ""], None]:
            x, weights = chunk
            return sum_ + term(family.forward(theta, x), weights, data.log_rho), None

        return jax.lax.scan(add, jnp.zeros((), theta.dtype), points.chunks)[0]

    likelihood = total(of_reference, reference) - total(of_data, data)
    if data.auxiliary is None or isinstance(family, Layout):
        return likelihood
    return likelihood + family.auxiliary_term(theta, data.auxiliary).loss


def expand(family: Family, theta: Float[Array, " p"], reference: Points, data: Points) -> Expansion:
    """L, its gradient, and the Gauss-Newton matrix sum_R w e^f (df)(df)^T.

    The matrix leaves out the term (sum_R w e^f - sum_D v) d2f, which is small where the model fits the data.
    With a finite reference it is sum_R w e^f / (1 + rho e^f) (df)(df)^T: the expectation, for data that follow the
    model, of sum_{R,D} v0 m rho e^f / (1 + rho e^f)^2 (df)(df)^T, which would need the Jacobian at the data as well.
    """

    def add_reference(sums: Expansion, chunk: Chunks) -> tuple[Expansion, None]:
        x, weights = chunk
        f, jacobian = family.value_and_jacobian(theta, x)
        value, tilted = jax.value_and_grad(of_reference)(f, weights, data.log_rho)
        curvature = (jacobian * tilted) @ jacobian.T
        # The derivative by the output's bias is one: that column is the gradient.
        part = Expansion(value, curvature[:, family.output_bias], curvature)
        return jax.tree.map(jnp.add, sums, part), None

    def add_data(
        sums: tuple[Float[Array, ""], Float[Array, " p"]], chunk: Chunks
    ) -> tuple[tuple[Float[Array, ""], Float[Array, " p"]], None]:
        x, weights = chunk
        part = jax.value_and_grad(lambda p: of_data(family.forward(p, x), weights, data.log_rho))(theta)
        return jax.tree.map(jnp.add, sums, part), None

    zero = jnp.zeros((), theta.dtype)
    nothing = Expansion(zero, jnp.zeros_like(theta), jnp.zeros((theta.size, theta.size), theta.dtype))
    ours, _ = jax.lax.scan(add_reference, nothing, reference.chunks)
    (total, gradient), _ = jax.lax.scan(add_data, (zero, jnp.zeros_like(theta)), data.chunks)
    likelihood = Expansion(ours.loss - total, ours.gradient - gradient, ours.curvature)
    if data.auxiliary is None or isinstance(family, Layout):
        return likelihood
    return jax.tree.map(jnp.add, likelihood, family.auxiliary_term(theta, data.auxiliary))


@partial(jax.jit, static_argnames=("family", "lanes"))
def climb_population(
    family: Family,
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
        return minimize(lambda p: expand(family, p, reference, data), *start, bound, iterations)

    states = jax.lax.map(one, (theta, damping), batch_size=lanes)
    return states.theta, states.expansion.loss, states.damping


@partial(jax.jit, static_argnames="family")
def climb_with_secants(
    family: Family,
    theta: Float[Array, " p"],
    damping: Float[Array, ""],
    bound: Float[Array, " p"],
    iterations: Int[Array, ""],
    reference: Points,
    data: Points,
) -> tuple[Float[Array, " p"], Float[Array, ""]]:
    """Climbs with one network on many events; most iterations cost no more than a gradient."""
    return minimize_with_secants(
        jax.value_and_grad(lambda p: network_loss(family, p, reference, data)),
        lambda p: expand(family, p, reference, data).curvature,
        theta,
        damping,
        bound,
        iterations,
    )


@partial(jax.jit, static_argnames="family")
def climb(
    family: Family,
    theta: Float[Array, " p"],
    damping: Float[Array, ""],
    bound: Float[Array, " p"],
    iterations: Int[Array, ""],
    reference: Points,
    data: Points,
) -> tuple[State, Float[Array, ""]]:
    """Climbs with one network; also returns by how much t would still rise (Newton decrement)."""
    state = minimize(lambda p: expand(family, p, reference, data), theta, damping, bound, iterations)
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
