"""Conditional distributions of toy problems: densities and draws against those of SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, lognorm, norm, poisson, truncnorm

from toys.conditionals import Choice, Normal, Poisson, Sign, ZeroOrLogNormal

# The chance that a test fails a correct program.
SIZE = 1e-4


def test_conditional_densities_are_those_of_scipy(rng: np.random.Generator) -> None:
    n = 50
    one = np.ones(n)
    x = rng.lognormal(1.0, 1.0, n)
    expected = np.log(0.7) + lognorm(0.5, scale=np.exp(1.2)).logpdf(x)
    spiked = ZeroOrLogNormal(0.3 * one, 1.2 * one, 0.5 * one)
    np.testing.assert_allclose(spiked.log_density(x), expected, rtol=1e-12)
    np.testing.assert_allclose(spiked.log_density(0 * x), np.log(0.3), rtol=1e-12)
    np.testing.assert_allclose(Normal(one, 2.0).log_density(x), norm(1, 2).logpdf(x), rtol=1e-12)
    above = truncnorm(-0.5, np.inf, 1, 2)
    np.testing.assert_allclose(Normal(one, 2.0, 0.0).log_density(x), above.logpdf(x), rtol=1e-12)
    assert (Normal(one, 2.0, 0.0).log_density(-x) == -np.inf).all()
    assert kstest(Normal(np.ones(4000), 2.0, 0.0).draw(rng), above.cdf).pvalue > SIZE
    counts = np.arange(n, dtype=np.float64)
    np.testing.assert_allclose(Poisson(7 * one).log_density(counts), poisson(7).logpmf(counts), rtol=1e-9)
    choice = Choice(np.array([[0.2, 0.8, 0.0]]), np.zeros(4, dtype=np.int64))
    np.testing.assert_array_equal(
        choice.log_density(np.array([0.0, 1.0, 2.0, 1.5])), [np.log(0.2), np.log(0.8), -np.inf, -np.inf]
    )
    sign = Sign(0.7 * np.ones(3))
    np.testing.assert_allclose(sign.log_density(np.array([1.0, -1.0, 0.0])), [np.log(0.7), np.log(0.3), -np.inf])
    assert Sign(0.7 * np.ones(4000)).draw(rng).mean() == pytest.approx(0.4, abs=4 * np.sqrt(0.84 / 4000))
