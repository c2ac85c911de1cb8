"""Other tests of two samples of equal weights, each with a p-value of its own."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from itertools import combinations_with_replacement

import numpy as np
from jaxtyping import Bool, Float64
from scipy.spatial.distance import cdist
from scipy.stats import chi2, ks_2samp

from nplm import TwoSampleTest

# Bins of equal content in both samples together.
_BINS = 20
_PAIRED = 500


def panel(a: np.ndarray, b: np.ndarray, permutations: int, rng: np.random.Generator) -> dict[str, float]:
    """p-values of all tests."""
    pool = np.concatenate([a, b])
    z = (pool - pool.mean(axis=0)) / pool.std(axis=0)
    labels = np.arange(len(pool)) >= len(a)
    shuffled = np.stack([labels, *(rng.permutation(labels) for _ in range(permutations))])
    energy, mmd = _distances(z, shuffled)
    return {
        "chi2": _smallest(a, b, _chi2),
        "KS": _smallest(a, b, lambda x, y: float(ks_2samp(x, y, method="asymp").pvalue)),
        "quadratic": _counted(_quadratic(z, shuffled)),
        "energy": energy,
        "MMD": mmd,
        **_boosting(pool, labels, permutations, rng),
        "old default": TwoSampleTest(a, b).run(resamples=permutations, draws=0).p_value,
    }


def _smallest(a: np.ndarray, b: np.ndarray, p_value: Callable[[np.ndarray, np.ndarray], float]) -> float:
    """The smallest p-value of all features, times their number (Bonferroni)."""
    return min(1.0, a.shape[1] * min(p_value(x, y) for x, y in zip(a.T, b.T, strict=True)))


def _chi2(x: np.ndarray, y: np.ndarray) -> float:
    together = np.concatenate([x, y])
    edges = np.unique(np.quantile(together, np.linspace(0, 1, _BINS + 1)[1:-1]))
    in_a, in_b = (np.bincount(np.searchsorted(edges, v, side="right"), minlength=len(edges) + 1) for v in (x, y))
    both, share = in_a + in_b, len(y) / len(together)
    used = both > 0
    # Given both numbers of events and the contents of the bins, as in a table of contingency.
    t = ((in_b - both * share)[used] ** 2 / (both[used] * share * (1 - share))).sum()
    return float(chi2.sf(t, used.sum() - 1))


def _quadratic(z: np.ndarray, shuffled: Bool[np.ndarray, "L n"]) -> Float64[np.ndarray, " L"]:
    """The score test of logistic regression on all features, squares and products: u^T I^-1 u."""
    pairs = combinations_with_replacement(range(z.shape[1]), 2)
    columns = np.column_stack([z, *(z[:, i] * z[:, j] for i, j in pairs)])
    u, s, _ = np.linalg.svd(columns - columns.mean(axis=0), full_matrices=False)
    return np.asarray(((shuffled @ u[:, s > 1e-8 * s[0]]) ** 2).sum(axis=1))


def _distances(z: np.ndarray, shuffled: Bool[np.ndarray, "L n"]) -> tuple[float, float]:
    """Energy distance, and the maximum mean discrepancy of a Gaussian kernel with the median width."""
    distance = cdist(z, z).astype(np.float32)
    some = distance[:: max(1, len(z) // _PAIRED), :: max(1, len(z) // _PAIRED)]
    width = float(np.median(some[some > 0]))
    n_b = int(shuffled[0].sum())
    signed = np.where(shuffled, 1 / n_b, -1 / (len(z) - n_b)).astype(np.float32)
    found = []
    for kernel in (-distance, np.exp(-(distance**2) / (2 * width**2))):
        found.append(_counted(((signed @ kernel) * signed).sum(axis=1)))
    return found[0], found[1]


def _boosting(pool: np.ndarray, labels: np.ndarray, permutations: int, rng: np.random.Generator) -> dict[str, float]:
    """Boosted trees that learn from one half; their mean score of B in the other half, whose labels are permuted."""
    if importlib.util.find_spec("sklearn") is None:
        return {}
    trees = importlib.import_module("sklearn.ensemble").HistGradientBoostingClassifier(
        max_iter=50, max_leaf_nodes=8, early_stopping=False
    )
    first = rng.permutation(len(pool)) < len(pool) // 2
    scores = trees.fit(pool[first], labels[first]).decision_function(pool[~first])
    held = labels[~first]
    sums = [scores[held].sum(), *(scores[rng.permutation(held)].sum() for _ in range(permutations))]
    return {"boosting": _counted(np.array(sums))}


def _counted(t: Float64[np.ndarray, " L"]) -> float:
    """(1 + #{t >= t_observed}) / (1 + L), the observed one first."""
    return float((t >= t[0] - 1e-9 * abs(t[0])).mean())
