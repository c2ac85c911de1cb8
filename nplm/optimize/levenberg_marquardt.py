"""Levenberg-Marquardt maximization of the likelihood ratio inside a box of parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nplm.optimize.clip_to_box import LARGEST_DAMPING, TINY, damped, free_parameters, solve_free, step_in_box


class Expansion(NamedTuple):
    """The loss at a point, its gradient, and the Gauss-Newton matrix sum_R w e^f (df)(df)^T."""

    loss: Float[Array, ""]
    gradient: Float[Array, " p"]
    curvature: Float[Array, "p p"]


class State(NamedTuple):
    """Where an optimization stands; `damping` is Levenberg and Marquardt's lambda."""

    theta: Float[Array, " p"]
    expansion: Expansion
    damping: Float[Array, ""]


Expand = Callable[[Float[Array, " p"]], Expansion]

SMALLEST_DAMPING = 1e-6


def minimize(
    expand: Expand,
    theta: Float[Array, " p"],
    damping: Float[Array, ""],
    bound: Float[Array, " p"],
    iterations: Int[Array, ""] | int,
) -> State:
    """Runs a fixed number of damped Gauss-Newton steps from theta, each projected on |theta| <= bound.

    A step that does not lower the loss is refused and the damping raised (Marquardt, SIAM J. 11 (1963) 431).
    Parameters at the bound whose gradient points outwards are held for the step.
    """
    start = State(theta, expand(theta), damping)
    return jax.lax.fori_loop(0, iterations, lambda _, state: _step(expand, bound, state), start)


def newton_decrement(state: State, bound: Float[Array, " p"]) -> Float[Array, ""]:
    """g^T H^-1 g over the free parameters: how much t = -2 L would rise if the loss were its expansion."""
    _, gradient, curvature = state.expansion
    free = free_parameters(state.theta, gradient, bound)
    return gradient @ solve_free(damped(curvature, SMALLEST_DAMPING), gradient, free)


def _step(expand: Expand, bound: Float[Array, " p"], state: State) -> State:
    theta, (loss, gradient, curvature), damping = state
    matrix = damped(curvature, damping)
    target = step_in_box(partial(solve_free, matrix), matrix, theta, gradient, bound)
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
