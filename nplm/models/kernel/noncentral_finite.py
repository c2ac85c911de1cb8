"""The distribution of t with a signal for a reference of finite size, about the fit to the expectation itself.

The expectation is the reference's events as data, and the signal's. There G and its gradient move with the events of
both samples, by more than their sums of phi: an event of the data adds d(f) to G and d'(f) phi to the gradient, one of
the reference r(f) and r'(f) phi, with the terms d and r of `kernel_likelihood` at the fit b. With a = -delta G and
delta = -delta G' of all events, both normal, H the Hessian of G and M = (H + P)^-1,

    (1 + rho) t = (1 + rho) t_A + 2 a + 2 (M P b) . delta + delta^T (M + M P M) delta

to second order. For rho -> 0 a is b . delta, and this is the distribution of `kernel_expected`.
"""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64

from nplm._util.blas import blas_threads
from nplm.likelihood.data_blocks import Rows
from nplm.likelihood.finite import curvature, data_slope, data_value, reference_slope, reference_value
from nplm.likelihood.log_linear import Blocks
from nplm.likelihood.log_linear_fit import FiniteReference, loss_at, minimize
from nplm.models.kernel.noncentral import ExpectedT, quadratic_distribution

# In units of the largest, of the direction in which t is linear: it moves t by as much as nothing, and its weighted
# chi2's probabilities keep their digits.
_LEAST_CURVATURE = 1e-4


def expected_with_signal(
    blocks: Blocks,
    penalty: Float64[np.ndarray, " r"],
    signal: Rows,
    noise: Float64[np.ndarray, "r_plus_1 r_plus_1"],
    events: int,
    *,
    size: float,
    event_weight: float,
    normalized: bool,
) -> ExpectedT:
    """The distribution of t about the fit to the expectation; see the module.

    Arguments:
        blocks: the reference.
        penalty: p of each mode.
        signal: phi of the signal's events, or features where those of the reference are, with their weights.
        noise: sum_R w^2 (phi, 1)(phi, 1)^T; that it is not w0 sum_R w (phi, 1)(phi, 1)^T is taken from f = 0.
        events: number of reference events.
        size: v0, the weight of an event of the data.
        event_weight: w0.
        normalized: the reference was scaled to a yield that is known from elsewhere.
    """
    r, rho = len(penalty), event_weight / size
    with jax.enable_x64(True):
        extra = _signal_blocks(blocks, signal)
        expectation = Blocks(
            jnp.concatenate([blocks.x, extra.x])[:, None],
            jnp.concatenate([blocks.weights, extra.weights])[:, None],
            *blocks[2:5],
        )
        likelihood = FiniteReference(blocks, expectation, jnp.full(1, rho))
        b = minimize(likelihood, jnp.asarray(penalty), jnp.zeros((1, r))).point
        loss = float(loss_at(likelihood, b)[0][0])
        b = np.asarray(b[0])
        hessian, spread, other = np.zeros((r, r)), np.zeros((r + 1, r + 1)), np.zeros((r + 1, r + 1))
        mean, total = np.zeros(r + 1), 0.0
        for is_reference, phi, w in _parts(blocks, extra):
            f = phi @ b
            terms = (data_slope, data_value, reference_slope, reference_value, curvature)
            d_slope, d_value, r_slope, r_value, bend = (term(f, rho) for term in terms)
            of_data = np.column_stack([phi * d_slope[:, None], d_value])
            spread += (of_data * (size * w)[:, None]).T @ of_data
            hessian += (phi * (w * bend * (rho + is_reference))[:, None]).T @ phi
            if is_reference:
                of_reference = np.column_stack([phi * r_slope[:, None], r_value])
                other += (of_reference * w[:, None]).T @ of_reference
                mean += w @ of_reference
                total += float(w.sum())
    moved = event_weight * other
    moved[:r, :r] += noise[:r, :r] - event_weight * np.eye(r)
    # The number of the reference's events does not fluctuate; with a yield from elsewhere only their shares do.
    moved -= np.outer(mean, mean) * (event_weight / total if normalized else 1 / events)
    with blas_threads(r):
        inverse = np.linalg.inv(hessian + np.diag(penalty))
        quadratic = inverse + inverse @ (penalty[:, None] * inverse)
        gradient = np.append(2 * inverse @ (penalty * b), 2.0)
    bent = np.pad(quadratic, (0, 1)) / (1 + rho)
    return quadratic_distribution(-2 * loss, gradient / (1 + rho), bent, spread + moved, _LEAST_CURVATURE)


def _signal_blocks(blocks: Blocks, signal: Rows) -> Blocks:
    """The signal's events in blocks like those of the reference."""
    rows = blocks.x.shape[1]
    values, weights = signal
    count = -(-len(weights) // rows)
    x, w = np.zeros((count * rows, values.shape[1])), np.zeros(count * rows)
    x[: len(weights)], w[: len(weights)] = values, weights
    return blocks._replace(x=jnp.asarray(x.reshape(count, rows, -1)), weights=jnp.asarray(w.reshape(count, rows)))


def _parts(reference: Blocks, signal: Blocks) -> Iterator[tuple[bool, np.ndarray, np.ndarray]]:
    """Whether it is the reference, phi and weights, block by block."""
    for is_reference, blocks in ((True, reference), (False, signal)):
        for x, w in zip(blocks.x, blocks.weights, strict=True):
            yield is_reference, np.asarray(blocks.to_modes(blocks.rows(x, None))), np.asarray(w)
