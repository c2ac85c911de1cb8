"""Tails of combinations of p-values whose normal scores are correlated normal variables."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy.special import log_ndtr, ndtri_exp

_DRAWS = 100_000


def log_tail_of_smallest(
    log_p: float, correlation: Float64[np.ndarray, "k k"], seed: int, draws: int = _DRAWS
) -> tuple[float, float]:
    """log P(the smallest of K p-values <= p), and its relative error.

    With E_i the event that Z_i is at least z, P(any E_i) = sum_i P(E_i) E[1 / #{j: E_j} given E_i], and Z given E_i is
    easily drawn (R. J. Adler, J. H. Blanchet and J. Liu, Ann. Appl. Probab. 22 (2012) 1167): right at any depth.
    """
    k = len(correlation)
    rng = np.random.default_rng(seed)
    z = -float(ndtri_exp(log_p))
    values = []
    for i in range(k):
        first = -ndtri_exp(log_p + np.log(rng.random(draws)))
        left = np.delete(np.arange(k), i)
        slope = correlation[left, i]
        rest = correlation[np.ix_(left, left)] - np.outer(slope, slope)
        others = first[:, None] * slope + rng.standard_normal((draws, k - 1)) @ _root(rest).T
        values.append(1 / (1 + (others >= z).sum(axis=1)))
    mean = np.mean(values)
    error = np.sqrt(np.sum([v.var(ddof=1) / draws for v in values])) / (k * mean)
    return float(log_p + np.log(k * mean)), float(error)


def log_tail_of_product(
    statistic: float, correlation: Float64[np.ndarray, "k k"], seed: int, draws: int = _DRAWS
) -> tuple[float, float]:
    """log P(-sum_i log p_i >= statistic) for K p-values, and its relative error, by importance sampling.

    Z is drawn in equal parts from the null and from normal distributions that are moved to where the region begins:
    with one large p-value's logarithm each, and with all alike; a draw counts with the ratio of the null to their mean.
    """
    k = len(correlation)
    rng = np.random.default_rng(seed)
    alone = max(statistic - (k - 1), statistic / k)
    shifts = [np.zeros(k), correlation.sum(axis=1) / correlation.sum(axis=1).max() * _z(statistic / k)]
    shifts += [correlation[:, i] * _z(alone) for i in range(k)]
    inverse, root = np.linalg.pinv(correlation), _root(correlation)
    each = -(-draws // len(shifts))
    z = np.concatenate([shift + rng.standard_normal((each, k)) @ root.T for shift in shifts])
    logs = np.column_stack([z @ inverse @ shift - shift @ inverse @ shift / 2 for shift in shifts])
    largest = logs.max(axis=1)
    log_weight = -(largest + np.log(np.exp(logs - largest[:, None]).mean(axis=1)))
    inside = -log_ndtr(-z).sum(axis=1) >= statistic
    if not inside.any():
        return -np.inf, np.nan
    unit = log_weight[inside].max()
    counted = np.where(inside, np.exp(np.minimum(log_weight - unit, 0.0)), 0.0)
    mean = counted.mean()
    return float(np.log(mean) + unit), float(counted.std(ddof=1) / (mean * np.sqrt(len(counted))))


def require_correlation(correlation: Float64[np.ndarray, "k k"], names: tuple[str, ...]) -> None:
    """Refuses what is no matrix of correlations of these channels.

    Raises:
        ValueError: saying why.
    """
    k = len(names)
    if correlation.shape != (k, k):
        raise ValueError(f"correlations of {k} channels need {k} rows and columns, not shape {correlation.shape}")
    if not np.isfinite(correlation).all() or not np.allclose(correlation, correlation.T, atol=1e-9):
        raise ValueError("correlations must be finite and symmetric")
    if not np.allclose(np.diag(correlation), 1.0, atol=1e-9):
        raise ValueError("correlations must have ones on the diagonal")
    least = float(np.linalg.eigvalsh(correlation)[0])
    if least < -1e-9:
        raise ValueError(
            f"correlations of {', '.join(names)} are not positive: their smallest eigenvalue is {least:.2g}"
        )


def _z(log_p: float) -> float:
    return float(max(0.0, -ndtri_exp(-log_p))) if log_p > 0 else 0.0


def _root(covariance: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.clip(values, 0.0, None)))
