"""Levenberg-Marquardt maximisation of the likelihood ratio inside a box of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


class Expansion(NamedTuple):
    """The loss at a point, its gradient, and the Gauss-Newton matrix sum_R w e^f (df)(df)^T."""

    loss: Float[Array, ""]
    gradient: Float[Array, " p"]
    curvature: Float[Array, "p p"]


class State(NamedTuple):
    """Where an optimisation stands; `damping` is Levenberg and Marquardt's lambda."""

    theta: Float[Array, " p"]
    expansion: Expansion
    damping: Float[Array, ""]


Expand = Callable[[Float[Array, " p"]], Expansion]

# The diagonal's floor, relative to its largest entry: parameters that change nothing get bounded steps.
FLOOR = 1e-5
SMALLEST_DAMPING, LARGEST_DAMPING = 1e-6, 1e8
# Keeps quotients finite, in float32 too.
TINY = 1e-30


def minimise(
    expand: Expand,
    theta: Float[Array, " p"],
    damping: Float[Array, ""],
    bound: Float[Array, " p"],
    iterations: Float[Array, ""],
) -> State:
    """Runs a fixed number of damped Gauss-Newton steps from theta, each projected on |theta| <= bound.

    A step that does not lower the loss is refused and the damping raised (Marquardt, SIAM J. 11 (1963) 431).
    Parameters at the bound whose gradient points outwards are held for the step.
    """
    start = State(theta, expand(theta), damping)
    return jax.lax.fori_loop(0, iterations, lambda _, state: _step(expand, bound, state), start)


def newton_decrement(state: State, bound: Float[Array, " p"]) -> Float[Array, ""]:
    """g^T H^-1 g over the free parameters: how much t = -2 L would rise if the loss were its expansion."""
    gradient = state.expansion.gradient
    step = _solve(state.expansion.curvature, gradient, SMALLEST_DAMPING, _free(state.theta, gradient, bound))
    return -gradient @ step


def _free(theta: Float[Array, " p"], gradient: Float[Array, " p"], bound: Float[Array, " p"]) -> Bool[Array, " p"]:
    outwards = ((theta <= -bound) & (gradient > 0)) | ((theta >= bound) & (gradient < 0))
    return ~outwards


def _solve(
    curvature: Float[Array, "p p"],
    gradient: Float[Array, " p"],
    damping: Float[Array, ""] | float,
    free: Bool[Array, " p"],
) -> Float[Array, " p"]:
    """The damped step on the free parameters; NaN where the matrix is not positive definite."""
    diagonal = jnp.abs(jnp.diag(curvature))
    diagonal = diagonal + FLOOR * jnp.max(diagonal) + TINY
    matrix = jnp.where(free[:, None] & free, curvature, 0.0) + jnp.diag(jnp.where(free, damping * diagonal, 1.0))
    factor = jnp.linalg.cholesky(matrix)
    return -jax.scipy.linalg.cho_solve((factor, True), jnp.where(free, gradient, 0.0))


def _step(expand: Expand, bound: Float[Array, " p"], state: State) -> State:
    theta, (loss, gradient, curvature), damping = state
    proposed = _solve(curvature, gradient, damping, _free(theta, gradient, bound))
    target = jnp.clip(theta + jnp.where(jnp.isfinite(proposed), proposed, 0.0), -bound, bound)
    step = target - theta
    predicted = -(gradient @ step + 0.5 * step @ curvature @ step)
    expansion = expand(target)
    accepted = jnp.isfinite(expansion.loss) & (expansion.loss <= loss)
    quality = (loss - expansion.loss) / jnp.maximum(predicted, TINY)
    factor = jnp.where(quality > 0.75, 0.5, jnp.where(quality < 0.25, 1.5, 1.0))
    damping = jnp.clip(damping * jnp.where(accepted, factor, 2.0), SMALLEST_DAMPING, LARGEST_DAMPING)
    theta, expansion = jax.tree.map(
        lambda new, old: jnp.where(accepted, new, old), (target, expansion), (theta, state.expansion)
    )
    return State(theta, expansion, damping)
