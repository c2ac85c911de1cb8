"""The penalized weighted cross-entropy of two samples, minimized: what one Newton step from f = 0 approximates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float64

from nplm.likelihood.finite import data_share, log_mixture
from nplm.models.kernel.filled_up import shared_multiple
from nplm.optimize.batched_newton import Expansion, damped_newton
from nplm.two_sample.modes import Basis, KernelTest

_TOLERANCE, _ITERATIONS, _SIMPLE = 1e-10, 60, 100
# Labellings that are fitted at a time: their matrices of labels and of second derivatives hold so many bytes.
_BATCH_BYTES = 1 << 26


@dataclass(frozen=True, eq=False)
class LogisticFits:
    """The fits of L labellings in one test.

    Arguments:
        t: at the minimum, without the penalty, shape (L,); never below zero for non-negative weights.
        constant: c of f = c + b . phi, shape (L,).
        coefficients: b, shape (L, r).
        converged: shape (L,).
    """

    t: Float64[np.ndarray, " L"]
    constant: Float64[np.ndarray, " L"]
    coefficients: Float64[np.ndarray, "L r"]
    converged: Bool[np.ndarray, " L"]


def fit_labels(basis: Basis, test: KernelTest, in_b: Bool[np.ndarray, "L n"]) -> LogisticFits:
    """Minimizes the cross-entropy of each labelling with the penalty (N pi_A pi_B lambda / 2) ||f||^2.

    L[f] = sum_A,B m log(pi_A + pi_B e^f) - sum_B m f, and t = -2 L at the minimum of L + penalty. The constant is not
    penalized. Newton's method, damped where signed weights make the loss other than convex.

    Arguments:
        basis: holds the events.
        test: the modes and their penalties.
        in_b: labels, shape (L, n).
    """
    pool, used = basis.pool, test.shrinkage > 0
    n, r = len(pool), int(used.sum())
    # Modes that are zero everywhere, and beside one labelling events without mass, let tests share compilations.
    rows = n + (-n % shared_multiple(n) if len(in_b) == 1 else 0)
    columns = r + -r % shared_multiple(r)
    phi = np.zeros((rows, columns))
    for at, block in basis.blocks():
        phi[at, :r] = block[:, test.columns][:, used]
    masses, in_b = np.pad(pool.masses, (0, rows - n)), np.pad(in_b, ((0, 0), (0, rows - n)))
    ratios = np.pad(test.ratios[used], (0, columns - r), constant_values=1.0)
    point, t = np.zeros((len(in_b), columns + 1)), np.zeros(len(in_b))
    converged = np.zeros(len(in_b), dtype=bool)
    with jax.enable_x64(True):
        shared = tuple(map(jnp.asarray, (phi, masses, ratios)))
        # Labels of the null are near enough to f = 0 for its second derivatives, which are diagonal, to lead on.
        for newton, iterations in ((False, _SIMPLE), (True, _ITERATIONS)):
            waiting = np.flatnonzero(~converged) if newton or len(in_b) > 1 else np.empty(0, dtype=int)
            batch = max(1, _BATCH_BYTES // (8 * (rows + newton * columns**2)))
            for start in range(0, len(waiting), batch):
                some = waiting[start : start + batch]
                found = _fit(*shared, jnp.asarray(in_b[some]), newton, iterations)
                point[some], t[some], converged[some] = (np.asarray(part) for part in found)
    coefficients = np.zeros((len(in_b), len(used)))
    coefficients[:, used] = point[:, 1 : r + 1]
    return LogisticFits(t, point[:, 0], coefficients, converged)


@partial(jax.jit, static_argnames=("newton", "iterations"))
def _fit(
    phi: Float[Array, "n r"],
    masses: Float[Array, " n"],
    ratios: Float[Array, " r"],
    in_b: Bool[Array, "L n"],
    newton: bool,
    iterations: int,
) -> tuple[Array, Array, Array]:
    in_sample = in_b * masses
    total, total_b = jnp.sum(masses), jnp.sum(in_sample, axis=1)
    share = total_b / total
    rho = (share / (1 - share))[:, None]
    unit = total * share * (1 - share)
    features = jnp.concatenate([jnp.ones((len(phi), 1)), phi], axis=1)
    weights = jnp.concatenate([jnp.zeros(1), ratios])
    scores = in_sample @ features

    def loss(theta: Array) -> Array:
        f = theta @ features.T
        return log_mixture(f, rho) @ masses - jnp.sum(theta * scores, axis=1)

    def expand(theta: Array) -> Expansion:
        s = data_share(theta @ features.T, rho)
        pull = unit[:, None] * weights * theta
        gradient = (s * masses) @ features - scores + pull
        hessian = jnp.zeros(len(in_b))
        if newton:
            second = jnp.einsum("ln,ni,nj->lij", s * (1 - s) * masses, features, features)
            hessian = second + (unit[:, None] * weights)[:, :, None] * jnp.eye(len(weights))
        return Expansion(loss(theta) + jnp.sum(pull * theta, axis=1) / 2, gradient, hessian)

    def solve(hessian: Array, gradient: Array, damping: Array) -> Array:
        at_zero = unit[:, None] * (1 + weights)
        if not newton:
            return -gradient / (at_zero * (1 + damping[:, None]))
        scale = damping[:, None] * at_zero
        return -jnp.linalg.solve(hessian + scale[:, :, None] * jnp.eye(len(weights)), gradient[:, :, None])[:, :, 0]

    start = jnp.zeros((len(in_b), len(weights)))
    found = damped_newton(expand, solve, start, _TOLERANCE, iterations)
    return found.point, -2 * loss(found.point), found.converged
