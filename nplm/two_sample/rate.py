"""The yields of two samples, compared apart from their shapes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_ndtr, xlogy

from nplm.two_sample.pool import Pool


@dataclass(frozen=True)
class Rate:
    """The yield of B against what is expected.

    Arguments:
        observed, expected: masses of B; of unit weights they are numbers of events.
        root: signed root of the deviance, normal without a difference.
    """

    observed: float
    expected: float
    root: float

    @classmethod
    def of(cls, pool: Pool, *, exact: bool) -> Rate | None:
        """The rate of a pool, or None if its yields are not compared.

        The masses of B are binomial given those of both samples; or Poisson, if A is to be taken as exact because its
        yield is known from elsewhere and not from the number of its events.
        """
        share = pool.expected_share
        if share is None:
            return None
        observed, mass = pool.total_b, pool.total
        expected = (mass - observed) * share / (1 - share)
        if exact:
            return cls(observed, expected, poisson_root(observed, expected))
        return cls(observed, expected, binomial_root(observed, mass, share))

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
        return float(min(np.log(2.0) + log_ndtr(-abs(self.root)), 0.0))


def binomial_root(k: float, n: float, share: float) -> float:
    """Signed root of the deviance of a binomial number k of n."""
    deviance = xlogy(k, k / (n * share)) + xlogy(n - k, (n - k) / (n * (1 - share)))
    return float(np.sign(k - n * share) * np.sqrt(2 * max(deviance, 0.0)))


def poisson_root(k: float, mean: float) -> float:
    """Signed root of the deviance of a Poisson number."""
    deviance = xlogy(k, k / mean) - k + mean
    return float(np.sign(k - mean) * np.sqrt(2 * max(deviance, 0.0)))
