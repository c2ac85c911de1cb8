"""Bins and nuisances together, with a reference of finite size: the likelihood and its minimum."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from nplm.likelihood.finite import curvature, data_slope, data_value, reference_slope, reference_value
from nplm.nuisance.joint_likelihood import bend, curve_of
from nplm.nuisance.nuisances import Nuisances
from nplm.optimize.batched_newton import Expansion, Minimum, damped_newton, solve_dense

# Tolerance of the Newton decrement, and steps at most: in a bin without data f falls by about one a step.
_TOLERANCE, _STEPS = 1e-10, 200


class Binned(NamedTuple):
    """Events, or kinds of events: their bin, columns (1, g), and weights; of B samples with one more axis in front.

    Arguments:
        bins: shape (n,).
        columns: shape (n, e).
        weights: shape (n,); zero fills up.
    """

    bins: Int[Array, "*B n"]
    columns: Float[Array, "*B n e"]
    weights: Float[Array, "*B n"]


class _Sums(NamedTuple):
    """The loss without the auxiliary term, and its derivatives in f of each bin and in the columns' coefficients."""

    value: Float[Array, ""]
    of_f: Float[Array, " bins"]
    of_c: Float[Array, " e"]
    f_f: Float[Array, " bins"]
    f_c: Float[Array, "bins e"]
    c_c: Float[Array, "e e"]


@partial(jax.jit, static_argnames="nuisances")
def minimize_in_bins(
    nuisances: Nuisances,
    reference: Binned,
    data: Binned,
    ratio: Float[Array, "B bins"],
    auxiliary: Float[Array, "B a"],
    start: Float[Array, "B bins_plus_k"],
    free: Float[Array, "B bins_plus_k"],
) -> Minimum:
    """Minimizes L over f of each bin and nu, for B samples.

    With F = f_b + log r(x; nu), v0 the weight of a data event, w0 that of a reference event in bin b and rho = w0 / v0,

        L = sum_R (w / rho) l(F) + sum_D v [l(F) - F] - log [L(nu|A) / L(0|A)],  l(F) = log [(1 + rho e^F) / (1 + rho)],

    which with r constant in each bin is that of two Poisson samples.

    Arguments:
        nuisances: c(nu) and the auxiliary likelihood.
        reference: kinds of its events.
        data: events of each sample.
        ratio: rho of each sample and bin.
        auxiliary: measurements of each sample.
        start: f and nu.
        free: 0 for what stays where it starts, 1 for the others.
    """
    bins = ratio.shape[1]

    def sums(f: Array, c: Array, of_sample: Binned, rho: Array) -> _Sums:
        def of(rows: Binned, value: Array, slope: Array, second: Array) -> _Sums:
            weighted = second[:, None] * rows.columns
            return _Sums(
                value.sum(),
                jax.ops.segment_sum(slope, rows.bins, bins),
                slope @ rows.columns,
                jax.ops.segment_sum(second, rows.bins, bins),
                jax.ops.segment_sum(weighted, rows.bins, bins),
                weighted.T @ rows.columns,
            )

        def at(rows: Binned) -> tuple[Array, Array, Array]:
            own = rho[rows.bins]
            return f[rows.bins] + rows.columns @ c, own, rows.weights / (1 + own)

        total, own, w = at(reference)
        first = of(
            reference, w * reference_value(total, own), w * reference_slope(total, own), w * curvature(total, own)
        )
        total, own, v = at(of_sample)
        second = of(of_sample, v * data_value(total, own), v * data_slope(total, own), v * own * curvature(total, own))
        return _Sums(*(a + b for a, b in zip(first, second, strict=True)))

    def expand(point: Float[Array, "B bins_plus_k"]) -> Expansion:
        f, nu = point[:, :bins], point[:, bins:]
        curve = curve_of(nuisances, nu, auxiliary, free[:, bins:])
        found = jax.lax.map(lambda row: sums(*row), (f, curve.value, data, ratio))
        moves = free[:, :bins]
        of_nu = jnp.einsum("bek,be->bk", curve.first, found.of_c) - curve.pull
        across = jnp.einsum("bie,bek->bik", found.f_c, curve.first) * moves[:, :, None]
        outer = jnp.einsum("bef,bek,bfl->bkl", found.c_c, curve.first, curve.first)
        inner = outer + bend(nuisances, nu, found.of_c, free[:, bins:]) + curve.stiffness
        diagonal = (moves * found.f_f + 1 - moves)[:, :, None] * jnp.eye(bins)
        hessian = jnp.concatenate(
            [
                jnp.concatenate([diagonal, across], axis=2),
                jnp.concatenate([jnp.swapaxes(across, 1, 2), inner], axis=2),
            ],
            axis=1,
        )
        return Expansion(found.value - curve.auxiliary, jnp.concatenate([moves * found.of_f, of_nu], axis=1), hessian)

    return damped_newton(expand, solve_dense, start, _TOLERANCE, _STEPS)
