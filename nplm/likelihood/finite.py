"""The likelihood ratio of two finite samples of one unknown density: the loss of `nplm test` and `nplm validate`.

The reference is a sample too, and the density that both come from is profiled out (J. Qin, Biometrika 85 (1998) 619).
With rho the expected number of events of the data for each event of the reference, f the log-ratio of their densities,
and masses m that count events,

    L[f] = sum_{both} m l(f) - sum_data m f,    l(f) = log [(1 + rho e^f) / (1 + rho)].

An event of the data far from all others gains log [(1 + rho) / rho] and no more, and L / rho, in units of the
reference's weights, tends to the extended sum_R w (e^f - 1) - sum_D f as rho -> 0.

Functions take arrays of NumPy or of JAX, and give the like.
"""

from __future__ import annotations

from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nplm.likelihood.extended import data_term, reference_term

Values = TypeVar("Values", np.ndarray, Array)


def _of(f: Values) -> Any:
    return np if isinstance(f, np.ndarray) else jnp


def log_mixture(f: Values, rho: Any) -> Values:
    """l(f) = log [(1 + rho e^f) / (1 + rho)], which no f overflows: it grows as f does where f is large."""
    xp = _of(f)
    z = xp.log(rho) + f
    # Both logarithms are of the size of rho where that is small, so that nothing cancels. Written out, as logaddexp and
    # what JAX derives from it take three times as long; with `where`, as the derivatives that JAX has for maxima and
    # for absolute values are no pair at z = 0, where fits of two equal samples begin.
    above = z > 0
    values: Values = xp.where(above, z, 0) + xp.log1p(xp.exp(xp.where(above, -z, z))) - xp.log1p(rho)
    return values


def data_share(f: Values, rho: Any) -> Values:
    """dl/df = rho e^f / (1 + rho e^f): the share of the events at a place that are of the data, if f holds."""
    xp = _of(f)
    z = xp.log(rho) + f
    above = z > 0
    small = xp.exp(xp.where(above, -z, z))
    values: Values = xp.where(above, 1, small) / (1 + small)
    return values


def reference_value(f: Values, rho: Any) -> Values:
    """(1 + rho) l(f) / rho, which tends to e^f - 1: what a unit of weight of the reference adds to (1 + rho) L."""
    return (1 + rho) / rho * log_mixture(f, rho)


def reference_slope(f: Values, rho: Any) -> Values:
    """Its derivative, (1 + rho) e^f / (1 + rho e^f)."""
    return (1 + rho) / (_of(f).exp(-f) + rho)


def data_value(f: Values, rho: Any) -> Values:
    """(1 + rho) (l(f) - f), which tends to -f: what a unit of weight of the data adds to (1 + rho) L."""
    return (1 + rho) * (log_mixture(f, rho) - f)


def data_slope(f: Values, rho: Any) -> Values:
    """Its derivative, -(1 + rho) / (1 + rho e^f)."""
    return -(1 + rho) / (1 + rho * _of(f).exp(f))


def curvature(f: Values, rho: Any) -> Values:
    """Second derivative of `reference_value`, (1 + rho) e^f / (1 + rho e^f)^2, and of `data_value` over rho."""
    xp = _of(f)
    values: Values = (1 + rho) * xp.exp(-xp.abs(f)) / xp.where(f < 0, 1 + rho * xp.exp(f), xp.exp(-f) + rho) ** 2
    return values


def of_reference(
    f: Float[Array, " n"], weights: Float[Array, " n"], log_rho: Float[Array, ""] | None
) -> Float[Array, ""]:
    """The reference's part of L: sum_R w (exp f - 1) without rho, else sum_R (w / rho) l(f).

    With w0 = sum w^2 / sum w of the reference and v0 of the data, rho = w0 / v0, and masses m = w / w0 and v / v0, this
    is in units of the data's weights: v0 L.
    """
    if log_rho is None:
        return reference_term(f, weights)
    rho = jnp.exp(log_rho.astype(f.dtype))
    return jnp.dot(weights, log_mixture(f, rho)) / rho


def of_data(f: Float[Array, " m"], weights: Float[Array, " m"], log_rho: Float[Array, ""] | None) -> Float[Array, ""]:
    """What the data's part lowers L by: sum_D v f without rho, else sum_D v [f - l(f)]."""
    total = data_term(f, weights)
    if log_rho is None:
        return total
    return total - jnp.dot(weights, log_mixture(f, jnp.exp(log_rho.astype(f.dtype))))
