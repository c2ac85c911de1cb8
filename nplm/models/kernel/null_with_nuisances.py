"""The null distribution of t = tau - Delta of a kernel model, to second order in the fluctuations."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from nplm._util.blas import blas_threads
from nplm.stats.weighted_chi2 import WeightedChi2Null


def weighted_chi2_with_nuisances(
    information: Float64[np.ndarray, "c c"],
    covariance: Float64[np.ndarray, "c c"],
    slope: Float64[np.ndarray, "e k"],
    stiffness: Float64[np.ndarray, "k k"],
    penalty: Float64[np.ndarray, " r"],
) -> WeightedChi2Null:
    """The asymptotic null of t at a point nu, with nu profiled in the quadratic expansion of the loss there.

    With u the fluctuation of the modes' sums, v = dc/dnu^T of those of (1, g), A = sum w r phi phi^T, G and D the
    moments of phi with the scores of nu and of these with themselves, and S = -d2 log L(nu|A) / dnu2,

        u~ = u - G (D + S)^-1 (v + S a),    H = A - G (D + S)^-1 G^T,
        t -> u~^T (H + P)^-1 (H + 2P) (H + P)^-1 u~,    P = diag p,

    where S a, the auxiliary measurement's own fluctuation, has covariance S. For Poisson data of unit weights Cov u~ is
    H whatever nu is: to this order t does not know the true nu. It is a weighted sum of chi2 variables whose weights
    are the eigenvalues of Cov(u~) times the matrix between them.

    Arguments:
        information: sum_R w r (phi, 1, g)(phi, 1, g)^T.
        covariance: of the sums of (phi, 1, g) over data less those over the reference.
        slope: dc/dnu, shape (q + 1, k).
        stiffness: S.
        penalty: p of each mode.
    """
    r, k = len(penalty), slope.shape[1]
    to_scores = np.zeros((r + k, len(information)))
    to_scores[:r, :r] = np.eye(r)
    to_scores[r:, r:] = slope.T
    moments, spread = (to_scores @ m @ to_scores.T for m in (information, covariance))
    a, g, d = moments[:r, :r], moments[:r, r:], moments[r:, r:]
    gain = np.linalg.solve(d + stiffness, g.T).T
    h = a - gain @ g.T
    profile = np.column_stack([np.eye(r), -gain])
    noise = profile @ spread @ profile.T + gain @ stiffness @ gain.T
    with blas_threads(r):
        inverse = np.linalg.inv(h + np.diag(penalty))
        quadratic = inverse @ (h + 2 * np.diag(penalty)) @ inverse
        size, vectors = np.linalg.eigh(noise)
        root = vectors * np.sqrt(np.clip(size, 0, None))
        weights = np.linalg.eigvalsh(root.T @ quadratic @ root)
    return WeightedChi2Null(np.clip(weights[::-1], 0, None))
