"""Yields: numbers of events, or masses, against what is expected; Poisson, or binomial given those of both samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import betainc, gammainc, gammaincc, log_ndtr, xlogy

# Below this, tails lose digits in float64; the root of the deviance has their logarithm there, to a percent or better.
_DEEPEST = 1e-290


@dataclass(frozen=True)
class Rate:
    """The yield of B against what is expected.

    Arguments:
        observed, expected: masses of B; of unit weights they are numbers of events.
        root: signed root of the deviance, normal without a difference.
        counted: logarithm of the exact two-sided p-value of numbers of events, twice that of the smaller tail; None for
            other masses, whose p-value is that of the root.
    """

    observed: float
    expected: float
    root: float
    counted: float | None = None

    @property
    def p_value(self) -> float:
        """Two-sided p-value."""
        return float(np.exp(self.log_p))

    def to_dict(self) -> dict[str, float]:
        """The numbers by name."""
        return {"observed": self.observed, "expected": self.expected, "root": self.root, "p_value": self.p_value}

    @property
    def log_p(self) -> float:
        """Its logarithm."""
        return log_p_of_root(self.root) if self.counted is None else self.counted


def log_p_of_root(root: float) -> float:
    """Logarithm of the two-sided p-value of a normal number."""
    return float(min(np.log(2.0) + log_ndtr(-abs(root)), 0.0))


def log_p_of_poisson(k: float, mean: float) -> float:
    """Logarithm of 2 min[P(N <= k), P(N >= k)], at most 0, of a Poisson number N: exact to where float64 ends."""
    k = round(k)
    tail = min(float(gammaincc(k + 1, mean)), float(gammainc(k, mean)) if k else 1.0)
    return _log_of_both_sides(tail, poisson_root(k, mean))


def log_p_of_binomial(k: float, n: float, share: float) -> float:
    """Logarithm of 2 min[P(K <= k), P(K >= k)], at most 0, of a binomial number K of n."""
    k, n = round(k), round(n)
    lower = float(betainc(n - k, k + 1, 1 - share)) if k < n else 1.0
    tail = min(lower, float(betainc(k, n - k + 1, share)) if k else 1.0)
    return _log_of_both_sides(tail, binomial_root(k, n, share))


def _log_of_both_sides(tail: float, root: float) -> float:
    return float(min(np.log(2.0 * tail), 0.0)) if tail > _DEEPEST else log_p_of_root(root)


def binomial_root(k: float, n: float, share: float) -> float:
    """Signed root of the deviance of a binomial number k of n."""
    deviance = xlogy(k, k / (n * share)) + xlogy(n - k, (n - k) / (n * (1 - share)))
    return float(np.sign(k - n * share) * np.sqrt(2 * max(deviance, 0.0)))


def poisson_root(k: float, mean: float) -> float:
    """Signed root of the deviance of a Poisson number."""
    deviance = xlogy(k, k / mean) - k + mean
    return float(np.sign(k - mean) * np.sqrt(2 * max(deviance, 0.0)))
