"""The null of the smallest p-value, counted from more toys at some widths than at another."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import expon, norm

from experiments.kernel_power_1d.min_p import MinPNull
from nplm.stats import signal_power


@pytest.fixture
def toys() -> tuple[np.ndarray, np.ndarray]:
    """-log p of two independent tests, the second of which has a fifth of the toys."""
    rng = np.random.default_rng(1)
    return rng.exponential(size=50_000), rng.exponential(size=10_000)


def test_each_toy_is_counted_once(toys) -> None:
    others, first = toys
    null = MinPNull(others, first)
    for t in (0.0, 1.0, 3.0, 8.0, others.max(), first.max(), 50.0):
        by_others = (others >= t).sum()
        by_first = sum(f >= t > o for f, o in zip(first, others, strict=False))
        assert null.counts(t) == (by_others, by_first)
        assert null.pvalue(t) == pytest.approx((1 + by_others) / 50_001 + (1 + by_first) / 10_001)


def test_p_is_that_of_independent_tests(toys) -> None:
    """P(T >= t) = 1 - (1 - exp(-t))^2, within four standard errors (size 1e-4 each)."""
    null = MinPNull(*toys)
    for t in (0.5, 2.0, 5.0):
        exact = 1 - (1 - np.exp(-t)) ** 2
        low, high = null.interval(t)
        assert null.pvalue(t) == pytest.approx(exact, abs=2 * (high - low))
        # One test alone is five errors away and more.
        assert abs(null.pvalue(t) - np.exp(-t)) > 2.5 * (high - low)


def test_thresholds_have_their_p_value(toys) -> None:
    null = MinPNull(*toys)
    for z in (1.0, 2.0, 3.0):
        p = float(norm.sf(z))
        t = null.threshold(p)
        assert t is not None
        assert null.pvalue(t) <= p < null.pvalue(t - 0.01) + 2e-4
        low, high = null.threshold_interval(p)
        assert low < t < high
        assert -np.log1p(-np.sqrt(1 - p)) == pytest.approx(t, abs=2 * (high - low))
    # The least p is that of one more toy than there were in each of the terms.
    assert null.threshold(1 / 10_001) is None


def test_failed_toys_exceed_everything() -> None:
    others = np.append(np.linspace(0, 5, 999), np.inf)
    null = MinPNull(others, np.zeros(100))
    assert null.failed == 1
    assert null.pvalue(100.0) == pytest.approx(2 / 1001 + 1 / 101)


def test_power_of_a_shifted_statistic(toys) -> None:
    """Half of the signal toys reach the threshold that is their median."""
    threshold = -np.log1p(-np.sqrt(norm.cdf(2.0)))
    t = threshold + expon.ppf((np.arange(1000) + 0.5) / 1000) - np.log(2)
    (at,) = signal_power(MinPNull(*toys), t, (2.0,)).at
    assert at.power == pytest.approx(0.5, abs=0.06)
