"""The chance that any window and kernel, or any window of the spectrum, has a p-value this small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtri_exp

from nplm._util.blas import blas_threads
from nplm.stats.saddle import saddle
from nplm.stats.weighted_chi2 import WeightedChi2Null

DRAWS = 500
_AT_A_TIME = 100
# So many rows are drawn for each that is used, at most so often.
_CANDIDATES, _ROUNDS = 5, 50
# Directions with less than this of the largest variance are left out: of correlations what is rounding, and of modes
# what those of another width have as well.
_ROUNDING, _REPEATED = 1e-10, 1e-3


@blas_threads()
def log_union_of_forms(
    log_p: float,
    correlations: Float64[np.ndarray, "J J"],
    covariance: Float64[np.ndarray, "r r"],
    filters: Float64[np.ndarray, "r K"],
    nulls: Sequence[WeightedChi2Null],
    seed: int,
    draws: int = DRAWS,
) -> tuple[float, float]:
    """log P(any t_jk has a p-value of at most p), for scores with vec U ~ Normal(0, Gamma x S), and its relative error.

    P = sum_jk P(A_jk) E[1 / N given A_jk], with N the number of t that exceed (A. B. Owen, Y. Maximov and M. Chertkov,
    Electron. J. Stat. 13 (2019) 231). Given A_jk the row U_j comes from a tilted normal distribution with the weight
    that makes up for it, and the other rows are U + Gamma_j (U_j drawn - U_j).

    Arguments:
        log_p: of one t.
        correlations: Gamma, with ones on its diagonal.
        covariance: S.
        filters: c of each kernel.
        nulls: of each kernel's t.
        seed: of the draws.
        draws: how many.
    """
    rng = np.random.default_rng([seed, 0x666F726D])
    rows, kernels = len(correlations), len(nulls)
    threshold = np.array([null.threshold_of_z(float(-ndtri_exp(log_p))) for null in nulls])
    root, row_root = _root(covariance, _REPEATED), _root(correlations, _ROUNDING)
    kernel = rng.integers(kernels, size=draws)
    own = np.empty((draws, len(covariance)))
    for k in np.unique(kernel):
        own[kernel == k] = _exceeding(rng, root, filters[:, k], threshold[k], int((kernel == k).sum()))
    # Single precision is enough where the number of draws tells p to a few percent, and takes half of the time.
    root_32, row_root_32, filters_32 = (a.astype(np.float32) for a in (root.T, row_root, filters))
    row = rng.integers(rows, size=draws)
    inverse = np.empty(draws)
    for start in range(0, draws, _AT_A_TIME):
        some = range(start, min(start + _AT_A_TIME, draws))
        noise = rng.standard_normal((len(some), row_root.shape[1], len(root_32)), dtype=np.float32)
        for number, scores in zip(some, np.matmul(row_root_32, noise @ root_32), strict=True):
            scores += np.outer(correlations[:, row[number]], own[number] - scores[row[number]])
            exceeding = int((scores**2 @ filters_32 >= threshold * (1 - 1e-6)).sum())
            inverse[number] = 1 / max(exceeding, 1)
    mean = float(inverse.mean())
    error = float(inverse.std() / np.sqrt(draws) / mean)
    return min(0.0, log_p + float(np.log(rows * kernels) + np.log(mean))), error


def _exceeding(
    rng: np.random.Generator,
    root: Float64[np.ndarray, "r q"],
    c: Float64[np.ndarray, " r"],
    threshold: float,
    count: int,
) -> Float64[np.ndarray, "count r"]:
    """Scores u ~ Normal(0, root root^T) given that c . u^2 exceeds a threshold.

    Many are drawn from a normal distribution that is tilted by exp(theta t), so that t has the threshold for its mean,
    and of these so many are chosen in proportion to exp(-theta t), if t exceeds (sampling and importance resampling, D.
    B. Rubin, J. Am. Stat. Assoc. 82 (1987) 543).
    """
    values, vectors = np.linalg.eigh((root.T * c) @ root)
    values = np.maximum(values, 0.0)
    theta = saddle(values, threshold)
    drawn, weights = [], np.empty(0)
    # Far out few of them carry the weight: more are drawn until as many count as are used.
    while weights.sum() ** 2 < count * (weights @ weights) or not weights.any():
        z = rng.standard_normal((_CANDIDATES * count, len(values))) / np.sqrt(1 - 2 * theta * values)
        t = z**2 @ values
        # Where none exceeds, the largest stands for them.
        exceeds = t >= min(threshold, float(t.max()))
        drawn.append(z[exceeds])
        weights = np.append(weights, np.exp(-theta * (t[exceeds] - threshold)))
        if len(drawn) == _ROUNDS:
            break
    places = (rng.random() + np.arange(count)) / count
    chosen = np.searchsorted(np.cumsum(weights) / weights.sum(), places).clip(max=len(weights) - 1)
    return np.asarray(np.concatenate(drawn)[chosen] @ (root @ vectors).T)


@blas_threads()
def log_union_of_normal(log_p: float, correlations: Float64[np.ndarray, "J J"], seed: int, draws: int = DRAWS) -> float:
    """log P(any of J standard normal variables has an upper tail of at most p), in the same way."""
    rng = np.random.default_rng([seed, 0x6E6F726D])
    j = rng.integers(len(correlations), size=draws)
    root = _root(correlations, _ROUNDING)
    z = rng.standard_normal((draws, root.shape[1])) @ root.T
    lifted = -ndtri_exp(np.log(rng.random(draws)) + log_p)
    z += correlations[j] * (lifted - z[np.arange(draws), j])[:, None]
    number = np.maximum((z >= -ndtri_exp(log_p) * (1 - 1e-12)).sum(axis=1), 1)
    return min(0.0, float(np.log(len(correlations)) + log_p + np.log((1 / number).mean())))


def log_of_two(first: float, second: float) -> float:
    """log P of the smaller of two independent p-values: 1 - (1 - p)^2 (Sidak)."""
    smaller = min(first, second)
    return float(smaller + np.log(2 - np.exp(smaller)))


def _root(matrix: Float64[np.ndarray, "n n"], least: float) -> Float64[np.ndarray, "n q"]:
    """L with L L^T = matrix, but for directions with less than this share of the largest variance."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values > least * values[-1]
    return vectors[:, kept] * np.sqrt(values[kept])
