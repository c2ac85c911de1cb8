"""The extended likelihood ratio of data against a weighted reference."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

# A maximum never has f above log(sum_D v / w_e) at a reference event of weight w_e, because the expected yield
# equals the observed one there; f = 70 would take w_e below 1e-30 of the data. float32 has room beyond: to f = 10^8.
LARGEST_LOG_RATIO = 70.0


def guarded_exp(f: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """exp(f), continued by its tangent above f = 70, so that no step of an optimiser overflows.

    The continuation is convex with a continuous slope, and no maximum of the likelihood lies there.
    """
    capped = jnp.minimum(f, LARGEST_LOG_RATIO)
    return jnp.exp(capped) * (1.0 + (f - capped))


def loss(
    f_reference: Float[Array, " n"],
    weights: Float[Array, " n"],
    f_data: Float[Array, " m"],
    data_weights: Float[Array, " m"],
) -> Float[Array, ""]:
    """L[f] = sum_R w (exp f - 1) - sum_D v f (arXiv:1806.02350, eq. 11, with event weights on both sides)."""
    return jnp.dot(weights, guarded_exp(f_reference) - 1.0) - jnp.dot(data_weights, f_data)


def statistic(minimal_loss: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """t = -2 min L, twice the maximal log-likelihood ratio."""
    return -2.0 * minimal_loss
