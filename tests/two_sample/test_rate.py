"""The p-value of a yield: exact for numbers of events, and finite however far out."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, poisson

from nplm import Sample
from nplm.stats.yields import Rate, log_p_of_binomial, log_p_of_poisson, log_p_of_root, poisson_root
from nplm.two_sample.pooled import Pool
from nplm.two_sample.rate import rate_of


@pytest.mark.parametrize("mean", [0.3, 3.0, 20.5])
def test_a_poisson_number_has_twice_its_smaller_tail(mean: float) -> None:
    for k in range(60):
        exact = min(1.0, 2 * min(poisson.cdf(k, mean), poisson.sf(k - 1, mean)))
        assert np.exp(log_p_of_poisson(k, mean)) == pytest.approx(exact, rel=1e-9)
    assert log_p_of_poisson(0, 8.0) == pytest.approx(np.log(2) - 8)
    # Never smaller than is right: P(p <= alpha) <= alpha. The root of the deviance is, for none where 2 are expected.
    p = np.exp([log_p_of_poisson(k, mean) for k in range(200)])
    for alpha in (0.3, 0.05, 0.01):
        assert poisson.pmf(np.arange(200), mean)[p <= alpha].sum() <= alpha
    assert np.exp(log_p_of_root(poisson_root(0, 2.0))) < 0.05 < 2 * poisson.cdf(0, 2.0)


@pytest.mark.parametrize(("n", "share"), [(5, 0.5), (40, 0.1), (300, 0.02)])
def test_a_binomial_number_has_twice_its_smaller_tail(n: int, share: float) -> None:
    for k in range(min(n, 60) + 1):
        exact = min(1.0, 2 * min(binom.cdf(k, n, share), binom.sf(k - 1, n, share)))
        assert np.exp(log_p_of_binomial(k, n, share)) == pytest.approx(exact, rel=1e-9)
        assert log_p_of_binomial(n - k, n, 1 - share) == pytest.approx(log_p_of_binomial(k, n, share), rel=1e-9)


@pytest.mark.parametrize("mean", [100.0, 1e4])
def test_the_deep_tail_is_finite_and_goes_on_without_a_step(mean: float) -> None:
    """Where float64 ends the root takes over, which there differs by less than a percent of the logarithm."""
    numbers = np.arange(int(mean), int(mean) + int(60 * np.sqrt(mean)), max(1, int(np.sqrt(mean)) // 10))
    logs = np.array([log_p_of_poisson(k, mean) for k in numbers])
    assert logs[-1] < -700
    assert (np.diff(logs) <= 0).all()
    roots = np.array([log_p_of_root(poisson_root(k, mean)) for k in numbers])
    deep = logs < -500
    np.testing.assert_allclose(logs[deep], roots[deep], rtol=0.01)
    assert np.isfinite(log_p_of_binomial(10**6, 2 * 10**6, 1e-4))


def test_numbers_of_events_are_exact_and_other_masses_have_the_root(rng: np.random.Generator) -> None:
    def rate(weights: np.ndarray, exact: bool) -> Rate:
        a, b = Sample(rng.normal(size=400), np.full(400, 0.1)), Sample(rng.normal(size=len(weights)), weights)
        found = rate_of(Pool.of(a, b, expected_ratio=0.25), exact=exact)
        assert found is not None
        return found

    # Ten events are expected, and four seen.
    assert rate(np.ones(4), True).p_value == pytest.approx(2 * poisson.cdf(4, 10))
    assert rate(np.ones(4), False).p_value == pytest.approx(2 * binom.cdf(4, 404, 10 / 410))
    weighted = rate(np.array([1.0, 1.0, 1.0, 2.0]), True)
    assert weighted.counted is None
    assert weighted.log_p == log_p_of_root(weighted.root)
