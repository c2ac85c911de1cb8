"""Newton's method with Levenberg damping for many smooth problems side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

# A step is taken if it lowers the objective by this share of what the expansion promised.
_ACCEPTED = 1e-4
# Damping once a step is refused, its growth, and its decay after a step that went as promised.
_FIRST, _GROWTH, _DECAY = 0.1, 10.0, 0.1
_GOOD = 0.5
_SMALLEST = 1e-3


class Expansion(NamedTuple):
    """B objectives at a point.

    Arguments:
        value: shape (B,).
        gradient: shape (B, r).
        curvature: whatever `solve` needs to know about the second derivatives, each array with B rows.
    """

    value: Float[Array, " B"]
    gradient: Float[Array, "B r"]
    curvature: Any


class Minimum(NamedTuple):
    """Where the minimization ended.

    Arguments:
        point: shape (B, r).
        value: of the objectives there, shape (B,).
        decrement: g^T H^{-1} g before the last step, twice what that step promised, shape (B,).
        converged: whether it was below the tolerance, shape (B,).
        iterations: number of iterations.
    """

    point: Float[Array, "B r"]
    value: Float[Array, " B"]
    decrement: Float[Array, " B"]
    converged: Bool[Array, " B"]
    iterations: Int[Array, ""]


def solve_dense(
    hessian: Float[Array, "B r r"], gradient: Float[Array, "B r"], damping: Float[Array, " B"]
) -> Float[Array, "B r"]:
    """The step where `curvature` is the Hessian itself, damped in proportion to its diagonal."""
    scale = jnp.maximum(jnp.abs(jnp.diagonal(hessian, axis1=1, axis2=2)), 1e-12)
    full = hessian + (damping[:, None] * scale)[:, :, None] * jnp.eye(hessian.shape[1])
    return jnp.linalg.solve(full, -gradient[:, :, None])[:, :, 0]


def damped_newton(
    expand: Callable[[Float[Array, "B r"]], Expansion],
    solve: Callable[[Any, Float[Array, "B r"], Float[Array, " B"]], Float[Array, "B r"]],
    start: Float[Array, "B r"],
    tolerance: float,
    iterations: int,
) -> Minimum:
    """Minimizes B objectives; each has its own damping, and none ends above where it began.

    A step d solves (H + damping D) d = -g. It is taken if it lowers the objective; else the damping grows. The last
    step, from a point whose decrement is below the tolerance, is taken too: Newton's method converges quadratically.

    Arguments:
        expand: the objectives with their derivatives at a point.
        solve: the step d from curvature, gradient and damping, (B, r); D is its own affair.
        start: shape (B, r).
        tolerance: of the decrement.
        iterations: at most so many.
    """

    class State(NamedTuple):
        point: Array
        at: Expansion
        damping: Array
        decrement: Array
        done: Array
        iteration: Array

    def proceed(state: State) -> Array:
        return (state.iteration < iterations) & ~jnp.all(state.done)

    def iterate(state: State) -> State:
        step = solve(state.at.curvature, state.at.gradient, state.damping)
        slope = -jnp.sum(state.at.gradient * step, axis=1)
        step = jnp.where(state.done[:, None], 0.0, step)
        trial = expand(state.point + step)
        gain = state.at.value - trial.value
        # A step that leads up, where the curvature is not positive, is refused until damping has turned it.
        down = slope >= 0
        # Half of the slope is the promise of an undamped step; near the minimum it drowns in the value's rounding.
        small = slope < tolerance
        noise = tolerance + 1e-12 * (1 + jnp.abs(state.at.value))
        taken = down & jnp.isfinite(trial.value) & ((gain > _ACCEPTED * slope / 2) | (small & (gain > -noise)))
        good = gain > _GOOD * slope / 2
        reduced = jnp.where(state.damping * _DECAY < _SMALLEST, 0.0, state.damping * _DECAY)
        grown = jnp.maximum(state.damping * _GROWTH, _FIRST)
        damping = jnp.where(taken, jnp.where(good, reduced, state.damping), grown)
        return State(
            point=_where(taken, state.point + step, state.point),
            at=jax.tree.map(lambda new, old: _where(taken, new, old), trial, state.at),
            damping=jnp.where(state.done, state.damping, damping),
            decrement=jnp.where(state.done, state.decrement, slope),
            done=state.done | (taken & small & (state.damping == 0)),
            iteration=state.iteration + 1,
        )

    count = len(start)
    first = State(
        start, expand(start), jnp.zeros(count), jnp.full(count, jnp.inf), jnp.zeros(count, bool), jnp.zeros((), int)
    )
    end = jax.lax.while_loop(proceed, iterate, first)
    return Minimum(end.point, end.at.value, end.decrement, end.done, end.iteration)


def conjugate_gradients(
    product: Callable[[Float[Array, "B r"]], Float[Array, "B r"]],
    right: Float[Array, "B r"],
    precondition: Callable[[Float[Array, "B r"]], Float[Array, "B r"]],
    tolerance: float,
    iterations: int,
) -> Float[Array, "B r"]:
    """Solves B systems H x = right by preconditioned conjugate gradients, side by side.

    A direction along which H is not positive ends a system where it is, at the preconditioned right side at worst.

    Arguments:
        product: H times vectors, (B, r).
        right: shape (B, r).
        precondition: an approximate inverse of H, times vectors.
        tolerance: of the residual's norm in the preconditioner's metric, relative to that of the right side.
        iterations: at most so many.
    """

    class State(NamedTuple):
        x: Array
        residual: Array
        direction: Array
        norm: Array
        active: Array
        iteration: Array

    z = precondition(right)
    norm = jnp.sum(right * z, axis=1)
    goal = tolerance**2 * norm

    def proceed(state: State) -> Array:
        return (state.iteration < iterations) & jnp.any(state.active)

    def iterate(state: State) -> State:
        image = product(state.direction)
        curvature = jnp.sum(state.direction * image, axis=1)
        positive = curvature > 0
        move = state.active & positive
        length = jnp.where(move, state.norm / jnp.where(positive, curvature, 1.0), 0.0)
        x = state.x + length[:, None] * state.direction
        residual = state.residual - length[:, None] * image
        z = precondition(residual)
        norm = jnp.where(move, jnp.sum(residual * z, axis=1), state.norm)
        ratio = jnp.where(move, norm / jnp.where(state.norm > 0, state.norm, 1.0), 0.0)
        direction = z + ratio[:, None] * state.direction
        first = state.iteration == 0
        x = jnp.where((first & state.active & ~positive)[:, None], state.direction, x)
        return State(x, residual, direction, norm, move & (norm > goal), state.iteration + 1)

    first = State(jnp.zeros_like(right), right, z, norm, norm > 0, jnp.zeros((), int))
    return jax.lax.while_loop(proceed, iterate, first).x


def _where(mask: Bool[Array, " B"], new: Array, old: Array) -> Array:
    return jnp.where(mask.reshape((-1,) + (1,) * (new.ndim - 1)), new, old)
