"""The losses that learn log-ratios, summed over rows of events with gradient and curvature."""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from nplm.learning.network import RatioNetwork

Loss = Literal["squared", "cross-entropy", "regression"]
Form = Literal["exponential", "positive"]

CHUNK = 4096
# Keeps the logarithm of the positive form finite where both its squares vanish.
_SMALLEST = 1e-30


class Rows(NamedTuple):
    """Events with what each adds to the loss, in C chunks of S rows; rows that fill up the last one have no weight.

    z of a row comes from the T networks' outputs f there. Classification: z = log r, and the loss is that of an event
    of weight `zero` at nu = 0 and of weight `one` at the varied point; regression: zero z^2 / 2 - one z.

    Arguments:
        x: standardized features, and ones, shape (C, d + 1, S), float32.
        terms: factors of the networks' outputs in z, shape (C, T, S).
        offset: of z, shape (C, S).
        zero, one: weights, shape (C, S).
        times: how often a bootstrap has drawn the event, shape (C, S).
    """

    x: Float[Array, "C d_plus_1 S"]
    terms: Float[Array, "C T S"]
    offset: Float[Array, "C S"]
    zero: Float[Array, "C S"]
    one: Float[Array, "C S"]
    times: Float[Array, "C S"]


class Sums(NamedTuple):
    """Sums over the rows.

    Arguments:
        loss: the loss.
        gradient: by the parameters, shape (T p,).
        curvature: Gauss-Newton approximation of the second derivatives, shape (T p, T p).
        second, square: sums of the loss's second derivative and of its squared first derivative by z, whose ratio is
            the scale at which the loss is a log-likelihood.
        weight: of the events.
    """

    loss: Float[Array, ""]
    gradient: Float[Array, " Tp"]
    curvature: Float[Array, "Tp Tp"]
    second: Float[Array, ""]
    square: Float[Array, ""]
    weight: Float[Array, ""]


def in_chunks(
    x: Float64[np.ndarray, "n d"],
    terms: Float64[np.ndarray, "n T"],
    offset: Float64[np.ndarray, " n"],
    zero: Float64[np.ndarray, " n"],
    one: Float64[np.ndarray, " n"],
    times: Float64[np.ndarray, " n"],
) -> Rows:
    """Rows laid out for the compiled loss."""
    size = CHUNK
    count = -(-len(x) // size)

    def pack(values: Float64[np.ndarray, "n m"]) -> Float[Array, "C m S"]:
        padded = np.zeros((count * size, values.shape[1]), dtype=np.float32)
        padded[: len(values)] = values
        return jnp.asarray(padded.reshape(count, size, -1).transpose(0, 2, 1))

    flat = [pack(values[:, None])[:, 0] for values in (offset, zero, one, times)]
    return Rows(pack(np.column_stack([x, np.ones(len(x))])), pack(terms), *flat)


@partial(jax.jit, static_argnames=("network", "kind", "form", "curved"))
def sums(network: RatioNetwork, kind: Loss, form: Form, curved: int, theta: Float[Array, "T p"], rows: Rows) -> Sums:
    """The sums over all rows; that of the curvature over the first `curved` chunks only, scaled to all."""
    theta = theta.astype(jnp.float32)
    size = theta.size

    def outputs(point: Float[Array, "T p"], chunk: Rows) -> Float[Array, "T S"]:
        return jax.vmap(network.traced, (0, None))(point, chunk.x)

    def add(total: Sums, chunk: Rows, with_curvature: bool) -> tuple[Sums, None]:
        if with_curvature:
            f, jacobian = jax.vmap(network.traced_jacobian, (0, None))(theta, chunk.x)
        else:
            f, backwards = jax.vjp(partial(outputs, chunk=chunk), theta)
        z, slopes = _combine(form, f, chunk)
        loss, first, second = _point_losses(kind, z, chunk.zero, chunk.one)
        pull = first * chunk.times
        if with_curvature:
            by_parameters = (jacobian * slopes[:, None]).reshape(size, -1)
            gradient = by_parameters @ pull
            curvature = total.curvature + (by_parameters * (second * chunk.times)) @ by_parameters.T
        else:
            gradient = backwards(slopes * pull)[0].ravel()
            curvature = total.curvature
        return Sums(
            total.loss + jnp.sum(chunk.times * loss),
            total.gradient + gradient,
            curvature,
            total.second + jnp.sum(chunk.times * second),
            total.square + jnp.sum(chunk.times * first**2),
            total.weight + jnp.sum(chunk.times * (chunk.zero if kind == "regression" else chunk.zero + chunk.one)),
        ), None

    zero = jnp.zeros((), jnp.float64)
    total = Sums(zero, jnp.zeros(size, jnp.float64), jnp.zeros((size, size), jnp.float64), zero, zero, zero)
    head, tail = (jax.tree.map(lambda a, s=part: a[s], rows) for part in (slice(None, curved), slice(curved, None)))
    total, _ = jax.lax.scan(partial(add, with_curvature=True), total, head)
    total, _ = jax.lax.scan(partial(add, with_curvature=False), total, tail)
    # Bootstrap numbers are small integers, so that this is the share of the events.
    share = jnp.sum(head.times, dtype=jnp.float64) / jnp.sum(rows.times, dtype=jnp.float64)
    return total._replace(curvature=total.curvature / share)


def _combine(form: Form, f: Float[Array, "T S"], rows: Rows) -> tuple[Float[Array, " S"], Float[Array, "T S"]]:
    """z, and its derivatives by the outputs of the networks."""
    if form == "exponential":
        return jnp.sum(rows.terms * f, axis=0) + rows.offset, rows.terms
    nu = rows.terms[0]
    linear, square = 1 + nu * f[0], nu * f[1]
    r = linear**2 + square**2 + _SMALLEST
    return jnp.log(r) + rows.offset, 2 * nu * jnp.stack([linear, square]) / r


def _point_losses(
    kind: Loss, z: Float[Array, " S"], zero: Float[Array, " S"], one: Float[Array, " S"]
) -> tuple[Float[Array, " S"], Float[Array, " S"], Float[Array, " S"]]:
    """The loss of each row with its first and its (Gauss-Newton) second derivative by z.

    With c = 1 / (1 + e^z), the share of events at nu = 0: squared, one c^2 + zero (1 - c)^2; cross-entropy,
    -one log(1 - c) - zero log c.
    """
    if kind == "regression":
        return zero * z**2 / 2 - one * z, zero * z - one, zero
    c, rest = jax.nn.sigmoid(-z), jax.nn.sigmoid(z)
    if kind == "squared":
        product = c * rest
        return one * c**2 + zero * rest**2, 2 * product * (zero * rest - one * c), 2 * (zero + one) * product**2
    return one * jax.nn.softplus(-z) + zero * jax.nn.softplus(z), zero * rest - one * c, (zero + one) * c * rest
