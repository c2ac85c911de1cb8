"""Functions of several parameters as sums of products of Chebyshev polynomials, up to a total degree."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int64

from nplm.nuisance.ratios.monomials import monomials


class Expansion:
    """f(theta) = sum_n a_n [T_n(theta / reach) - T_n(0)], with T_n = prod_i T_{n_i} and 0 < sum_i n_i <= order.

    It is 0 at theta = 0. a_n is found from f at the nodes of all T of that degree. Beyond the reach f goes on as a
    straight line.

    Arguments:
        reach: largest |theta_i|.
        order: largest total degree.
    """

    def __init__(self, reach: Float64[np.ndarray, " k"], order: int) -> None:
        k, m = len(reach), order + 1
        self.reach, self.order = reach, order
        self.degrees: Int64[np.ndarray, "q k"] = monomials(k, order)[1:]
        at = np.cos(np.pi * (np.arange(m) + 0.5) / m)
        # The polynomials are orthogonal in sums over their nodes.
        transform = np.cos(np.outer(np.arange(m), np.arccos(at))) * 2 / m
        transform[0] /= 2
        grid = np.stack([axis.ravel() for axis in np.meshgrid(*[np.arange(m)] * k, indexing="ij")], axis=1)
        self.nodes: Float64[np.ndarray, "N k"] = at[grid] * reach
        self.transform: Float64[np.ndarray, "N q"] = np.ones((len(grid), len(self.degrees)))
        for i in range(k):
            self.transform *= transform[np.ix_(self.degrees[:, i], grid[:, i])].T

    @property
    def size(self) -> int:
        """Number of functions of theta, q."""
        return len(self.degrees)

    def coefficients(self, theta: Float[Array, " k"]) -> Float[Array, " q"]:
        """T_n(theta / reach) - T_n(0); traced by JAX."""
        u = theta / self.reach
        inside = jnp.clip(u, -1.0, 1.0)
        value, beyond = jax.jvp(partial(_products, degrees=self.degrees), (inside,), (u - inside,))
        return value + beyond - _products(jnp.zeros_like(u), self.degrees)


def _products(u: Float[Array, " k"], degrees: Int64[np.ndarray, "q k"]) -> Float[Array, " q"]:
    # By recurrence, whose derivatives exist everywhere, unlike those of cos(n arccos u).
    values = [jnp.ones_like(u), u]
    while len(values) <= degrees.max():
        values.append(2 * u * values[-1] - values[-2])
    of_each = jnp.stack(values)
    return jnp.prod(jnp.stack([of_each[degrees[:, i], i] for i in range(len(u))]), axis=0)
