"""Steps clipped to a box |theta| <= bound, as of a network's weights: damped, on the parameters that are free."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

# The diagonal's floor, relative to its largest entry: parameters that change nothing get bounded steps.
FLOOR = 1e-5
# Keeps quotients finite, in float32 too.
TINY = 1e-30
LARGEST_DAMPING = 1e8


def free_parameters(
    theta: Float[Array, " p"], gradient: Float[Array, " p"], bound: Float[Array, " p"]
) -> Bool[Array, " p"]:
    """All parameters but those at the bound from where descent leads out of the box."""
    outwards = ((theta <= -bound) & (gradient > 0)) | ((theta >= bound) & (gradient < 0))
    return ~outwards


def damped(curvature: Float[Array, "p p"], damping: Float[Array, ""] | float) -> Float[Array, "p p"]:
    """curvature + damping x its diagonal."""
    diagonal = jnp.abs(jnp.diag(curvature))
    return curvature + jnp.diag(damping * (diagonal + FLOOR * jnp.max(diagonal) + TINY))


def solve_free(matrix: Float[Array, "p p"], vector: Float[Array, " p"], free: Bool[Array, " p"]) -> Float[Array, " p"]:
    """matrix^-1 vector on the free parameters, zero on the others; NaN if the matrix is not positive definite."""
    factor = jnp.linalg.cholesky(jnp.where(free[:, None] & free, matrix, jnp.eye(free.size, dtype=matrix.dtype)))
    return jax.scipy.linalg.cho_solve((factor, True), jnp.where(free, vector, 0.0))


def step_in_box(
    inverse: Callable[[Float[Array, " p"], Bool[Array, " p"]], Float[Array, " p"]],
    matrix: Float[Array, "p p"],
    theta: Float[Array, " p"],
    gradient: Float[Array, " p"],
    bound: Float[Array, " p"],
) -> Float[Array, " p"]:
    """The point that a quasi-Newton step from theta leads to, inside the box.

    Parameters that the step takes to the bound are pinned there, and the others step again with that known: merely
    clipping the step would turn it away from descent, and the climb would crawl along the walls.

    Arguments:
        inverse: applies the inverse Hessian on the free parameters to a vector.
        matrix: the Hessian, damped.
        theta, gradient, bound: where the step starts, shapes (P,).

    Returns:
        The new point; theta itself if the matrix is not positive definite.
    """
    free = free_parameters(theta, gradient, bound)
    step = -inverse(gradient, free)
    beyond = free & (jnp.abs(theta + step) > bound)
    pinned = jnp.where(beyond, jnp.clip(theta + step, -bound, bound) - theta, 0.0)
    step = pinned - inverse(gradient + matrix @ pinned, free & ~beyond)
    return jnp.where(jnp.all(jnp.isfinite(step)), jnp.clip(theta + step, -bound, bound), theta)
