"""The distribution of a kernel model's t in the presence of a signal, without toys.

With a signal of N_S events expected, the sums over the modes are s = s_R + mu + delta: mu = sum_S w phi of the signal,
and delta normal with covariance V = V_0 + sum_S w phi phi^T, V_0 that of the null. About the fit b to the expectation
s_R + mu itself, whose t is t_A, with H the Hessian of the likelihood there, P the penalty and M = (H + P)^-1,

    t = t_A + g . delta + delta^T C delta,   g = 2 (b + M P b),   C = M + M P M,

to second order in delta, however strong the signal is. In the eigenvectors of V^1/2 C V^1/2 it is a sum of squares of
shifted normal variables and a constant. Without a signal it is the null of `PreparedKernel.null`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nplm._util.blas import blas_threads
from nplm.stats.weighted_chi2 import WeightedChi2Null

# Directions in which t has no curvature to speak of, in units of the largest: there t is linear in delta.
_LEAST_CURVATURE = 1e-9


@dataclass(frozen=True, eq=False)
class ExpectedT:
    """t = constant + a weighted chi2.

    Arguments:
        t_expected: t_A, that of the expectation itself.
        constant: what is added.
        rest: the weighted chi2 that is left.
    """

    t_expected: float
    constant: float
    rest: WeightedChi2Null

    def sf(self, t: float) -> float:
        """P(T >= t)."""
        return self.rest.pvalue(t - self.constant)

    def quantile(self, share: float) -> float:
        """The t that a share of the data lies below."""
        return self.constant + self.rest.threshold(1 - share)


def expected_t(
    t_expected: float,
    b: Float64[np.ndarray, " r"],
    hessian: Float64[np.ndarray, "r r"],
    penalty: Float64[np.ndarray, " r"],
    covariance: Float64[np.ndarray, "r r"],
) -> ExpectedT:
    """The distribution of t about the fit to the expectation; see the module.

    Arguments:
        t_expected: t of that fit.
        b: its parameters.
        hessian: sum_R w exp(b . phi) phi phi^T.
        penalty: p of each mode.
        covariance: V of the sums over the modes.
    """
    with blas_threads(len(penalty)):
        inverse = np.linalg.inv(hessian + np.diag(penalty))
        gradient = 2 * (b + inverse @ (penalty * b))
        curvature = inverse + inverse @ (penalty[:, None] * inverse)
    return quadratic_distribution(t_expected, gradient, curvature, covariance)


def quadratic_distribution(
    t_expected: float,
    gradient: Float64[np.ndarray, " k"],
    curvature: Float64[np.ndarray, "k k"],
    covariance: Float64[np.ndarray, "k k"],
    least: float = _LEAST_CURVATURE,
) -> ExpectedT:
    """That of t_expected + gradient . delta + delta^T curvature delta, with delta normal of that covariance.

    Arguments:
        t_expected, gradient, curvature, covariance: see above.
        least: curvature of directions in which there is none, in units of the largest.
    """
    with blas_threads(len(gradient)):
        value, vector = np.linalg.eigh(covariance)
        root = vector * np.sqrt(np.clip(value, 0, None))
        weights, directions = np.linalg.eigh(root.T @ curvature @ root)
    weights = np.maximum(weights, least * weights[-1])
    slope = directions.T @ (root.T @ gradient)
    shift = slope / (2 * weights)
    return ExpectedT(t_expected, t_expected - float(weights @ shift**2), WeightedChi2Null(weights, shift))
