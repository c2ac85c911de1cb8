"""The extended likelihood ratio of data against a weighted reference."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Float

# With positive weights and a free constant in f, a maximum never has f above log(sum_D v / w_e) at a reference event of
# weight w_e, because the expected yield equals the observed one there; f = 70 would take w_e below 1e-30 of the data.
# float32 has room beyond: to f = 10^8.
LARGEST_LOG_RATIO = 70.0


def guarded_exp(f: Float[Array, "*shape"]) -> Float[Array, "*shape"]:
    """exp(f), continued by its tangent above f = 70, so that no step of an optimizer overflows.

    The continuation is convex with a continuous slope, and no maximum that has a meaning lies there.
    """
    capped = jnp.minimum(f, LARGEST_LOG_RATIO)
    return jnp.exp(capped) * (1.0 + (f - capped))


def reference_term(f: Float[Array, " n"], weights: Float[Array, " n"]) -> Float[Array, ""]:
    """sum_R w (exp f - 1): the change of the expected yield."""
    return jnp.dot(weights, guarded_exp(f) - 1.0)


def data_term(f: Float[Array, " m"], weights: Float[Array, " m"]) -> Float[Array, ""]:
    """sum_D v f."""
    return jnp.dot(weights, f)


def loss(
    f_reference: Float[Array, " n"],
    weights: Float[Array, " n"],
    f_data: Float[Array, " m"],
    data_weights: Float[Array, " m"],
) -> Float[Array, ""]:
    """L[f] = sum_R w (exp f - 1) - sum_D v f (arXiv:1806.02350, with event weights on both sides)."""
    return reference_term(f_reference, weights) - data_term(f_data, data_weights)


def statistic(minimal_loss: Float[Array, "*b"]) -> Float[Array, "*b"]:
    """t = -2 min L, twice the maximal log-likelihood ratio."""
    return -2.0 * minimal_loss
