"""The likelihood ratio of data against a reference that is a finite sample itself, from f at the events of both."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from nplm.likelihood import data_term, reference_term


def excess(f: Float[Array, " n"], weights: Float[Array, " n"], log_rho: Float[Array, ""]) -> Float[Array, ""]:
    """sum_e w_e log [(1 + rho exp f) / (1 + rho)], which no f overflows: it grows as f does where f is large."""
    log_rho = log_rho.astype(f.dtype)
    return jnp.dot(weights, jax.nn.softplus(f + log_rho) - jax.nn.softplus(log_rho))


def of_reference(
    f: Float[Array, " n"], weights: Float[Array, " n"], log_rho: Float[Array, ""] | None
) -> Float[Array, ""]:
    """The reference's part of L: sum_R w (exp f - 1) without rho, else sum_R (w/rho) log [(1 + rho e^f) / (1 + rho)].

    L_w[f] = v0 { sum_R,D m log [(1 + rho e^f) / (1 + rho)] - sum_D m f } with w0 = sum w^2 / sum w of the reference and
    v0 of the data, rho = w0 / v0, and masses m = w / w0 and v / v0. It is -log of the empirical likelihood ratio, in
    which the density of the reference is profiled out (Qin, Biometrika 85 (1998) 619): of unit data, an event far from
    all others gains log [(1 + w0) / w0] and no more, and L_w tends to sum_R w (e^f - 1) - sum_D f as rho -> 0.
    """
    if log_rho is None:
        return reference_term(f, weights)
    return jnp.exp(-log_rho.astype(f.dtype)) * excess(f, weights, log_rho)


def of_data(f: Float[Array, " m"], weights: Float[Array, " m"], log_rho: Float[Array, ""] | None) -> Float[Array, ""]:
    """What the data's part lowers L by: sum_D v f without rho, else sum_D v { f - log [(1 + rho e^f) / (1 + rho)] }."""
    total = data_term(f, weights)
    return total if log_rho is None else total - excess(f, weights, log_rho)
