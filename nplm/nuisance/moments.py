"""Moments of an event's columns at some nu: what the asymptotic null of t and the errors of nu are made of.

With q = 1 / (1 + rho r) the gradient of the loss in the coefficients of the columns is

    sum_R w h - sum_D v q columns,    h = r q columns,

and rho is 0 where the reference is taken as exact. If the data come from nu, the density of both samples together is
estimated by events of the reference of weight w q and those of the data of weight v rho q (Qin, Biometrika 85 (1998)
619), and every moment over it by their sum; without data by the reference alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from nplm.likelihood.log_linear import Blocks
from nplm.nuisance.nuisances import Nuisances


class Rows(NamedTuple):
    """Events of the data.

    Arguments:
        columns: shape (n, c), of which the last are (1, g).
        weights: shape (n,).
        weighted: whether their fluctuation is that of the weights, instead of unit ones.
    """

    columns: Float64[np.ndarray, "n c"]
    weights: Float64[np.ndarray, " n"]
    weighted: bool


class Moments(NamedTuple):
    """Moments at nu.

    Arguments:
        information: the expected second derivatives of the loss, shape (c, c).
        of_data: covariance of sum_D v q columns, shape (c, c).
        slope: dc/dnu, shape (e, k).
        stiffness: -d2 log L(nu|A) / dnu2, shape (k, k).
    """

    information: Float64[np.ndarray, "c c"]
    of_data: Float64[np.ndarray, "c c"]
    slope: Float64[np.ndarray, "e k"]
    stiffness: Float64[np.ndarray, "k k"]


def moments_at(
    nuisances: Nuisances,
    blocks: Blocks,
    nu: Float64[np.ndarray, " k"],
    auxiliary: Float64[np.ndarray, " a"],
    ratio: float = 0.0,
    data: Rows | None = None,
) -> Moments:
    """The moments of the likelihood and of the data.

    Arguments:
        nuisances: c(nu) and the auxiliary likelihood.
        blocks: the reference; the last of its columns are (1, g).
        nu: where the data come from.
        auxiliary: measurements.
        ratio: rho.
        data: to estimate the density with; None for the reference alone.
    """
    with jax.enable_x64(True):
        at = jnp.asarray(nu)
        c = np.asarray(nuisances.coefficients(at))
        slope = np.asarray(jax.jacfwd(nuisances.coefficients)(at))
        stiffness = -np.asarray(jax.hessian(nuisances.log_auxiliary)(at, jnp.asarray(auxiliary)))
    information, of_data = np.zeros((2, blocks.columns, blocks.columns))
    for columns, weights in _density(blocks, c, ratio, data):
        r = _ratio_at(columns, c)
        share = weights * r / (1 + ratio * r)
        information += (columns * share[:, None]).T @ columns
        of_data += (columns * (share / (1 + ratio * r))[:, None]).T @ columns
    if data is not None and data.weighted:
        q = data.columns * (data.weights / (1 + ratio * _ratio_at(data.columns, c)))[:, None]
        of_data = q.T @ q
    return Moments(information, of_data, slope, stiffness)


def sum_of_reference(blocks: Blocks, c: Float64[np.ndarray, " e"], ratio: float) -> Float64[np.ndarray, " c"]:
    """sum_R w h."""
    return sum(weights @ moved(columns, c, ratio) for columns, weights in _rows(blocks))


def noise_of_rows(
    blocks: Blocks, event_weight: Float64[np.ndarray, "blocks m"], c: Float64[np.ndarray, " e"], ratio: float
) -> Float64[np.ndarray, "c_plus_1 c_plus_1"]:
    """sum_R w^2 (h, 1)(h, 1)^T.

    Arguments:
        blocks: the reference.
        event_weight: of the events that each row stands for.
        c: coefficients of log r.
        ratio: rho.
    """
    total = np.zeros((blocks.columns + 1,) * 2)
    for (columns, weights), own in zip(_rows(blocks), event_weight, strict=True):
        h = np.column_stack([moved(columns, c, ratio), np.ones(len(columns))])
        total += (h * (weights * own)[:, None]).T @ h
    return total


def noise_of_data(
    blocks: Blocks, c: Float64[np.ndarray, " e"], ratio: float, data: Rows, event_weight: float
) -> Float64[np.ndarray, "c c"]:
    """What w0 sum_R w h h^T, an average over the density that the reference gives, is less than over that of both."""
    total = np.zeros((blocks.columns, blocks.columns))
    for sign, parts in ((1, _density(blocks, c, ratio, data)), (-1, _rows(blocks))):
        for columns, weights in parts:
            h = moved(columns, c, ratio)
            total += (h * (sign * event_weight * weights)[:, None]).T @ h
    return total


def moved(
    columns: Float64[np.ndarray, "n c"], c: Float64[np.ndarray, " e"], ratio: float
) -> Float64[np.ndarray, "n c"]:
    """h of events."""
    r = _ratio_at(columns, c)
    return columns * (r / (1 + ratio * r))[:, None]


def _ratio_at(columns: Float64[np.ndarray, "n c"], c: Float64[np.ndarray, " e"]) -> Float64[np.ndarray, " n"]:
    return np.exp(columns[:, columns.shape[1] - len(c) :] @ c)


def _density(
    blocks: Blocks, c: Float64[np.ndarray, " e"], ratio: float, data: Rows | None
) -> Iterator[tuple[Float64[np.ndarray, "m c"], Float64[np.ndarray, " m"]]]:
    """The columns of events that estimate the density of the reference, with their weights."""
    if data is None:
        yield from _rows(blocks)
        return
    for columns, weights in _rows(blocks):
        yield columns, weights / (1 + ratio * _ratio_at(columns, c))
    yield data.columns, data.weights * ratio / (1 + ratio * _ratio_at(data.columns, c))


def _rows(blocks: Blocks) -> Iterator[tuple[Float64[np.ndarray, "m c"], Float64[np.ndarray, " m"]]]:
    """The columns of the reference, modes first, block by block."""
    for i in range(len(blocks.weights)):
        with jax.enable_x64(True):
            columns = blocks.to_modes(blocks.rows(blocks.x[i], None if blocks.more is None else blocks.more[i]))
        yield np.asarray(columns), np.asarray(blocks.weights[i])
