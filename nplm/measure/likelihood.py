"""The extended likelihood of a parametric model, with its derivatives: sums over blocks of events, by JAX.

    L(theta, nu) = sum_R w (r - 1) - sum_D v log r - log [L(nu | A) / L(0 | A)],    r = r(x; theta, nu),

the loss of Delta in `nplm.nuisance.profile` with parameters that nothing constrains. log r is evaluated event by event,
so that it may have any form. Twice the difference of L is that of -2 log likelihood, yields included.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.ratios.pointwise import Together

# Events of a block at most; fewer where there are many columns, so that derivatives of a block fit into the cache.
_BLOCK, _VALUES = 8192, 1 << 19


class Events(NamedTuple):
    """Columns and weights of events in blocks, filled up with copies of the first event of weight zero.

    Arguments:
        columns: shape (blocks, m, q).
        weights: shape (blocks, m).
    """

    columns: Float[Array, "blocks m q"]
    weights: Float[Array, "blocks m"]

    @classmethod
    def of(cls, columns: Float64[np.ndarray, "n q"], weights: Float64[np.ndarray, " n"]) -> Events:
        """Lays events out; of few ones the number is filled up to a power of two, so that compilations are shared."""
        n, q = columns.shape
        most = max(256, min(_BLOCK, _VALUES // max(q, 1)))
        most = 1 << (most.bit_length() - 1)
        size = min(most, 1 << max(n - 1, 63).bit_length())
        count = max(1, -(-n // size))
        # More blocks come in steps of an eighth of their number: toys of like sizes share a compilation.
        step = max(1, 1 << max(count.bit_length() - 4, 0))
        count = -(-count // step) * step
        room, w = np.zeros((count * size, q)), np.zeros(count * size)
        room[:n], w[:n] = columns, weights
        if n:
            room[n:] = columns[0]
        with jax.enable_x64(True):
            return cls(jnp.asarray(room.reshape(count, size, q)), jnp.asarray(w.reshape(count, size)))

    def rows(self) -> Float64[np.ndarray, "n q"]:
        """The columns of one event after the other, with those that fill blocks up."""
        columns = np.asarray(self.columns)
        return columns.reshape(self.weights.size, columns.shape[-1])


class Terms(NamedTuple):
    """Value, gradient and second derivatives of a sum."""

    value: Float[Array, ""]
    gradient: Float[Array, " k"]
    hessian: Float[Array, "k k"]


@partial(jax.jit, static_argnames="ratio")
def reference_terms(ratio: Together, events: Events, point: Float[Array, " k"]) -> Terms:
    """sum_R w (r - 1)."""
    return _summed(lambda at, columns, w: jnp.dot(w, jnp.expm1(ratio.log_r(columns, at))), events, point)


@partial(jax.jit, static_argnames="ratio")
def data_terms(ratio: Together, events: Events, point: Float[Array, " k"]) -> Terms:
    """-sum_D v log r; where r of an event is 0 it is infinite."""

    def of(at: Array, columns: Array, w: Array) -> Array:
        return -jnp.dot(w, jnp.where(w == 0, 0.0, ratio.log_r(columns, at)))

    return _summed(of, events, point)


@partial(jax.jit, static_argnames="nuisances")
def auxiliary_terms(nuisances: Nuisances, nu: Float[Array, " k"], auxiliary: Float[Array, " a"]) -> Terms:
    """-log [L(nu | A) / L(0 | A)]."""

    def of(at: Array) -> Array:
        return -nuisances.log_auxiliary(at, auxiliary)

    return Terms(*jax.value_and_grad(of)(nu), jax.hessian(of)(nu))


@partial(jax.jit, static_argnames="ratio")
def slopes(
    ratio: Together, reference: Events, data: Events | None, point: Float[Array, " k"]
) -> tuple[Float[Array, ""], Float[Array, " k"]]:
    """sum_R w (r - 1) - sum_D v log r and its gradient, which cost a small part of what second derivatives do."""

    def added(of: Callable[[Array, Array], Array], events: Events, at: Array) -> Array:
        def add(total: Array, block: Events) -> tuple[Array, None]:
            return total + of(ratio.log_r(block.columns, at), block.weights), None

        return jax.lax.scan(add, jnp.zeros(()), events)[0]

    def loss(at: Array) -> Array:
        total = added(lambda log_r, w: jnp.dot(w, jnp.expm1(log_r)), reference, at)
        if data is not None:
            total = total - added(lambda log_r, w: jnp.dot(w, jnp.where(w == 0, 0.0, log_r)), data, at)
        return total

    return jax.value_and_grad(loss)(point)


@partial(jax.jit, static_argnames="ratio")
def reference_value(ratio: Together, events: Events, point: Float[Array, " k"]) -> Float[Array, ""]:
    """sum_R w (r - 1) alone."""

    def add(total: Array, block: Events) -> tuple[Array, None]:
        return total + jnp.dot(block.weights, jnp.expm1(ratio.log_r(block.columns, point))), None

    return jax.lax.scan(add, jnp.zeros(()), events)[0]


@partial(jax.jit, static_argnames="ratio")
def data_values(ratio: Together, events: Events, points: Float[Array, "p k"]) -> Float[Array, " p"]:
    """-sum_D v log r at several points."""

    def add(total: Array, block: Events) -> tuple[Array, None]:
        log_r = jax.vmap(lambda at: ratio.log_r(block.columns, at))(points)
        return total - jnp.where(block.weights == 0, 0.0, log_r) @ block.weights, None

    return jax.lax.scan(add, jnp.zeros(len(points)), events)[0]


@partial(jax.jit, static_argnames="ratio")
def second_moments(ratio: Together, events: Events, point: Float[Array, " k"]) -> tuple[Array, Array, Array, Array]:
    """sum w r, sum w r s, sum w r s s^T and sum (w r)^2 (s, 1)(s, 1)^T, with s = d log r of each event."""
    k = len(point)

    def add(total: tuple[Array, Array], block: Events) -> tuple[tuple[Array, Array], None]:
        log_r, s = _with_scores(ratio, block.columns, point)
        density = block.weights * jnp.exp(log_r)
        columns = jnp.concatenate([s, jnp.ones((len(s), 1))], axis=1)
        first = (columns * density[:, None]).T @ columns
        second = (columns * (density**2)[:, None]).T @ columns
        return (total[0] + first, total[1] + second), None

    zero = jnp.zeros((k + 1, k + 1))
    (first, second), _ = jax.lax.scan(add, (zero, zero), events)
    return first[k, k], first[:k, k], first[:k, :k], second


@partial(jax.jit, static_argnames="ratio")
def scores(
    ratio: Together, events: Events, point: Float[Array, " k"]
) -> tuple[Float[Array, "blocks m"], Float[Array, "blocks m k"]]:
    """log r and s = d log r of each event."""
    return jax.lax.map(lambda block: _with_scores(ratio, block.columns, point), events)


def _with_scores(ratio: Together, columns: Array, point: Array) -> tuple[Array, Array]:
    log_r = ratio.log_r(columns, point)
    return log_r, jax.jacfwd(lambda at: ratio.log_r(columns, at))(point)


def _summed(of: object, events: Events, point: Array) -> Terms:
    def add(total: Terms, block: Events) -> tuple[Terms, None]:
        def here(at: Array) -> Array:
            return of(at, block.columns, block.weights)  # type: ignore[operator]

        value, gradient = jax.value_and_grad(here)(point)
        found = Terms(value, gradient, jax.hessian(here)(point))
        return jax.tree.map(jnp.add, total, found), None

    k = len(point)
    zero = Terms(jnp.zeros(()), jnp.zeros(k), jnp.zeros((k, k)))
    return jax.lax.scan(add, zero, events)[0]
