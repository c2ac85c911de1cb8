"""P-values of the rate against sums of Poisson and binomial probabilities, and their size."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, gamma, kstest, poisson

from nplm import Sample
from nplm.monitor.rate import ExpectedRate


def test_a_known_rate_is_a_poisson_count() -> None:
    rate = ExpectedRate(50.0)
    assert rate(np.ones(120), 2.0).p == pytest.approx(2 * poisson.sf(119, 100), rel=1e-12)
    assert rate(np.ones(80), 2.0).p == pytest.approx(2 * poisson.cdf(80, 100), rel=1e-12)
    assert rate(np.ones(0), 0.1).p == pytest.approx(2 * np.exp(-5), rel=1e-12)
    assert rate(np.ones(100), 2.0).p == 1
    assert rate(np.ones(120), 2.0).z > 1.9 > 0 > rate(np.ones(80), 2.0).z


def test_a_counted_rate_is_the_test_of_two_poisson_counts() -> None:
    reference = Sample(np.zeros((1000, 1)))
    rate = ExpectedRate.of_reference(reference, 10.0)
    assert rate(np.ones(120), 1.0).p == pytest.approx(2 * binom.sf(119, 1120, 1 / 11), rel=1e-10)
    assert rate(np.ones(70), 1.0).p == pytest.approx(2 * binom.cdf(70, 1070, 1 / 11), rel=1e-10)
    assert rate.shared_fluctuation(100) == pytest.approx(1 / 11)


def test_equal_weights_are_units() -> None:
    assert ExpectedRate(50.0)(np.full(120, 0.5), 1.2).p == pytest.approx(ExpectedRate(100.0)(np.ones(120), 1.2).p)
    halves = ExpectedRate.of_reference(Sample(np.zeros((1000, 1)), np.full(1000, 0.5)), 10.0)
    whole = ExpectedRate.of_reference(Sample(np.zeros((1000, 1))), 10.0)
    assert halves(np.full(120, 0.5), 1.0).p == pytest.approx(whole(np.ones(120), 1.0).p)


def test_an_exposure_that_ends_with_an_event_is_a_gamma_variable() -> None:
    rate, n = ExpectedRate(3.0), 40
    t = 11.0
    p = 2 * min(gamma.cdf(t, n, scale=1 / 3), gamma.sf(t, n, scale=1 / 3))
    assert rate(np.ones(n), t, ends_with_event=True).p == pytest.approx(p, rel=1e-10)
    times = np.random.default_rng(1).gamma(n, 1 / 3, 2000)
    uniform = [rate(np.ones(n), t, ends_with_event=True).p for t in times]
    assert kstest(uniform, "uniform").pvalue > 0.01
    # Negative control: windows at a rate that is 10% off.
    assert kstest([ExpectedRate(3.3)(np.ones(n), t, ends_with_event=True).p for t in times], "uniform").pvalue < 1e-4


def test_size_with_a_counted_rate_and_z_without_bias() -> None:
    # 4000 windows, each with its own reference: the 5% test rejects 5% at most, and not much less; 0.04 to 0.053 is
    # more than three standard errors, and the steps of the counts.
    rng = np.random.default_rng(4)
    results = []
    for _ in range(4000):
        m = rng.poisson(400)
        rate = ExpectedRate.of_reference(Sample(np.zeros((m, 1))), 2.0)
        results.append(rate(np.ones(rng.poisson(200)), 1.0))
    size = np.mean([r.p <= 0.05 for r in results])
    assert 0.037 < size < 0.055
    z = np.array([r.z for r in results])
    assert abs(z.mean()) < 4 / np.sqrt(4000)
    assert z.std() == pytest.approx(1, abs=0.04)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="expected rate must be a positive"):
        ExpectedRate(0.0)
    with pytest.raises(ValueError, match="exposure of the reference"):
        ExpectedRate.of_reference(Sample(np.zeros((10, 1))), -1.0)
    with pytest.raises(ValueError, match="exposure of a window"):
        ExpectedRate(1.0)(np.ones(3), 0.0)
