"""Combinations of p-values against their exact distributions for independent tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2, hmean, kstest

from nplm.stats.combination import COMBINATIONS, Combination

K = 5


def exact(name: str, T: np.ndarray) -> np.ndarray:
    """P(T' >= T) for K independent uniform p-values."""
    if name == "min-p":
        return 1 - (1 - np.exp(-T)) ** K
    return np.asarray(chi2.sf(2 * T, 2 * K))


@pytest.mark.parametrize("name", ["min-p", "product"])
def test_independent_tests_follow_the_exact_null(name: Any, rng: np.random.Generator) -> None:
    """Kolmogorov-Smirnov at size 1e-3; the distribution of K - 1 tests must fail."""
    T = Combination(name)(np.log(rng.uniform(size=(20_000, K))))
    assert kstest(exact(name, T), "uniform").pvalue > 1e-3
    fewer = 1 - (1 - np.exp(-T)) ** (K - 1) if name == "min-p" else chi2.sf(2 * T, 2 * (K - 1))
    assert kstest(fewer, "uniform").pvalue < 1e-6


def test_the_formulas() -> None:
    p = np.array([[0.2, 0.5, 0.01], [1.0, 0.3, 0.6]])
    log_p = np.log(p)
    np.testing.assert_allclose(Combination("min-p")(log_p), -np.log(p.min(axis=1)))
    np.testing.assert_allclose(Combination("product")(log_p), -np.log(p.prod(axis=1)))
    np.testing.assert_allclose(Combination("average")(log_p), -np.log(p.mean(axis=1)))
    np.testing.assert_allclose(Combination("smooth-max")(log_p), -np.log(hmean(p, axis=1)))


def test_a_smooth_maximum_lies_between_the_smallest_p_and_the_product(rng: np.random.Generator) -> None:
    log_p = np.log(rng.uniform(size=(100, K)))
    cold, hot = Combination("smooth-max", 1e-3)(log_p), Combination("smooth-max", 1e4)(log_p)
    np.testing.assert_allclose(cold, Combination("min-p")(log_p), atol=2e-3)
    np.testing.assert_allclose(hot, Combination("product")(log_p) / K, rtol=1e-3)


@pytest.mark.parametrize("name", COMBINATIONS)
def test_tiny_p_values_do_not_saturate(name: Any) -> None:
    near, far = Combination(name)(np.array([[-1000.0, -1001.0], [-2000.0, -2001.0]]))
    assert np.isfinite(far)
    assert far > 1.9 * near


def test_bad_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="no combination 'max': choose min-p, product, average, smooth-max"):
        Combination("max")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="positive number, not 0"):
        Combination("smooth-max", 0.0)
