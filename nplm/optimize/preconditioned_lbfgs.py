"""Limited-memory quasi-Newton minimization inside a box, preconditioned with a Gauss-Newton matrix.

Gauss-Newton leaves out the second derivatives of f, and on large networks that is what limits its steps. The secant
pairs of L-BFGS put them back, at the price of a gradient an iteration; the matrix is renewed only now and then.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from nplm.optimize.clip_to_box import LARGEST_DAMPING, damped, solve_free, step_in_box

MEMORY = 12
RENEWAL = 15
# Damping is multiplied by these after a step is taken or refused.
RELAX, RAISE = 0.8, 3.0
LEAST_DAMPING = 1e-3
# A pair enters the memory if its curvature s.y is at least this share of |s||y|.
LEAST_CURVATURE = 1e-6

Gradient = Callable[[Float[Array, " p"]], tuple[Float[Array, ""], Float[Array, " p"]]]
Curvature = Callable[[Float[Array, " p"]], Float[Array, "p p"]]


class _State(NamedTuple):
    theta: Float[Array, " p"]
    loss: Float[Array, ""]
    gradient: Float[Array, " p"]
    curvature: Float[Array, "p p"]
    damping: Float[Array, ""]
    steps: Float[Array, "memory p"]
    changes: Float[Array, "memory p"]
    pairs: Int[Array, ""]


def minimize_with_secants(
    value_and_gradient: Gradient,
    curvature: Curvature,
    theta: Float[Array, " p"],
    damping: Float[Array, ""],
    bound: Float[Array, " p"],
    iterations: Int[Array, ""] | int,
) -> tuple[Float[Array, " p"], Float[Array, ""]]:
    """Runs a fixed number of iterations from theta, each projected on |theta| <= bound; returns theta and its loss.

    The step is the two-loop recursion of L-BFGS (Nocedal, Math. Comp. 35 (1980) 773) with the damped Gauss-Newton
    solve as the initial inverse Hessian. A step that does not lower the loss is refused; the memory is then dropped.
    """
    loss, gradient = value_and_gradient(theta)
    nothing = jnp.zeros((MEMORY, theta.size), theta.dtype)
    none = jnp.zeros((theta.size, theta.size), theta.dtype)
    start = _State(theta, loss, gradient, none, damping, nothing, nothing, jnp.zeros((), jnp.int32))

    def iterate(i: Int[Array, ""], state: _State) -> _State:
        renewed = jax.lax.cond(i % RENEWAL == 0, lambda s: curvature(s.theta), lambda s: s.curvature, state)
        return _iterate(value_and_gradient, bound, state._replace(curvature=renewed))

    end = jax.lax.fori_loop(0, iterations, iterate, start)
    return end.theta, end.loss


def _iterate(value_and_gradient: Gradient, bound: Float[Array, " p"], state: _State) -> _State:
    theta, loss, gradient = state.theta, state.loss, state.gradient
    matrix = damped(state.curvature, state.damping)
    target = step_in_box(partial(_inverse, state, matrix), matrix, theta, gradient, bound)
    step = target - theta
    new_loss, new_gradient = value_and_gradient(target)
    accepted = jnp.any(step != 0) & jnp.isfinite(new_loss) & (new_loss <= loss)
    change = new_gradient - gradient
    curved = step @ change > LEAST_CURVATURE * jnp.linalg.norm(step) * jnp.linalg.norm(change)
    slot = state.pairs % MEMORY
    steps, changes = (
        jnp.where(accepted & curved, memory.at[slot].set(new), memory)
        for memory, new in ((state.steps, step), (state.changes, change))
    )
    damping = jnp.clip(state.damping * jnp.where(accepted, RELAX, RAISE), LEAST_DAMPING, LARGEST_DAMPING)
    theta, loss, gradient = (
        jnp.where(accepted, new, old) for new, old in ((target, theta), (new_loss, loss), (new_gradient, gradient))
    )
    pairs = jnp.where(accepted, state.pairs + curved, 0)
    return _State(theta, loss, gradient, state.curvature, damping, steps, changes, pairs)


def _inverse(
    state: _State, matrix: Float[Array, "p p"], vector: Float[Array, " p"], free: Bool[Array, " p"]
) -> Float[Array, " p"]:
    """The two-loop recursion on the free parameters; without the pairs where they would spoil the descent."""
    # Newest pair first.
    slots = (state.pairs - 1 - jnp.arange(MEMORY)) % MEMORY
    s, y = (jnp.where(free, memory[slots], 0.0) for memory in (state.steps, state.changes))
    products = jnp.sum(s * y, axis=1)
    used = (jnp.arange(MEMORY) < state.pairs) & (products > 0)
    rho = jnp.where(used, 1 / jnp.where(used, products, 1.0), 0.0)

    def down(q: Float[Array, " p"], pair: tuple[Array, Array, Array]) -> tuple[Float[Array, " p"], Float[Array, ""]]:
        s, y, rho = pair
        alpha = rho * (s @ q)
        return q - alpha * y, alpha

    def up(r: Float[Array, " p"], pair: tuple[Array, Array, Array, Array]) -> tuple[Float[Array, " p"], None]:
        s, y, rho, alpha = pair
        return r + (alpha - rho * (y @ r)) * s, None

    vector = jnp.where(free, vector, 0.0)
    q, alpha = jax.lax.scan(down, vector, (s, y, rho))
    r, _ = jax.lax.scan(up, solve_free(matrix, q, free), (s, y, rho, alpha), reverse=True)
    return jnp.where(r @ vector > 0, r, solve_free(matrix, vector, free))
