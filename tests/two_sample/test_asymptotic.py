"""The asymptotic null, permutations and bootstrap: each against simulation, exact moments and each other."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import kstest

from nplm import Sample
from nplm.stats import WeightedChi2Null
from nplm.two_sample.asymptotic import ScoreNull
from nplm.two_sample.calibration import TwoSampleCalibration
from nplm.two_sample.modes import Basis
from nplm.two_sample.pooled import Pool
from nplm.two_sample.resampling import bootstrap_scores, permuted_scores
from nplm.two_sample.test import TwoSampleTest
from tests.two_sample.samples import gaussians, signed

SETTINGS = {"widths": [0.8, 2.5], "penalties": [1e-2, 1e-3], "centers": 40}


def test_equal_weights_have_the_null_of_all_permutations(rng) -> None:
    """Mean and covariance of the scores over permutations are exactly S (1/n_A + 1/n_B) with N - 1 in S."""
    basis = TwoSampleTest(gaussians(rng, 6, 1), gaussians(rng, 4, 1), widths=[1.0], penalties=[1e-2]).basis
    phi = basis(basis.pool.events)
    scores = np.array([phi[list(chosen)].sum(axis=0) for chosen in combinations(range(10), 4)]) / np.sqrt(
        basis.pool.unit
    )
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-8)
    np.testing.assert_allclose(scores.T @ scores / len(scores), ScoreNull.of(basis).covariance, atol=1e-8)


@pytest.mark.parametrize(("n_a", "n_b"), [(400, 400), (200, 1000), (1000, 200)])
def test_null_is_that_of_simulated_samples(rng, n_a: int, n_b: int) -> None:
    """P-values of 300 pairs of unit and signed samples are uniform (KS, size 1e-3); those of unit weights are not."""
    p, naive = [], []
    for _ in range(300):
        test = TwoSampleTest(gaussians(rng, n_a), signed(rng, n_b), widths=[1.5], penalties=[3e-2], centers=40)
        t = float(test.t[0])
        p.append(test.asymptotic_null.joint.marginals[0].pvalue(float(test.asymptotic_null.standard(test.t)[0])))
        # B taken for a sample of n_B events of unit weight.
        unit = n_a * n_b / (n_a + n_b)
        naive.append(WeightedChi2Null(test.basis.tests[0].shrinkage).pvalue(t * unit / test.pool.unit))
    assert kstest(p, "uniform").pvalue > 1e-3
    assert kstest(naive, "uniform").pvalue < 1e-6


def test_half_weights_change_neither_the_scores_nor_the_null_of_what_they_replace(rng) -> None:
    """An event split in two halves: with fixed modes u stays, and its variance is that of the halves.

    Halves of the weight w at one place add w phi to the sum, and 2 (w/2)^2 to that of squares, half of what one event
    of the whole weight adds.
    """
    a, b = gaussians(rng, 120), signed(rng, 90)
    rows = np.arange(0, 90, 9)
    weights = np.concatenate([b.weights, b.weights[rows] / 2])
    weights[rows] /= 2
    split = Sample(np.concatenate([b.events, b.events[rows]]), weights, b.features, "B")
    basis = TwoSampleTest(a, b, **SETTINGS).basis
    pools = [Pool.of(a, sample) for sample in (b, split)]
    u, v = [], []
    for pool in pools:
        # Both pools in the modes of the first, whose mean is that of both.
        phi = basis(
            (pool.events * pool.scaler.scale + pool.scaler.location - basis.pool.scaler.location)
            / basis.pool.scaler.scale
        )
        share = pool.masses / np.where(pool.in_b, pool.total_b, pool.total - pool.total_b)
        u.append(np.where(pool.in_b, share, -share) @ phi)
        v.append((phi * share[:, None] ** 2).T @ phi)
    np.testing.assert_allclose(u[0], u[1], rtol=1e-7, atol=1e-9)
    halved = basis((b.events[rows] - basis.pool.scaler.location) / basis.pool.scaler.scale)
    np.testing.assert_allclose(v[0] - v[1], halved.T @ halved / (2 * b.total_weight**2), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("ratio", [None, 1.0])
def test_permutations_have_the_moments_of_the_null(rng, ratio) -> None:
    """Mean within four standard errors, covariances too; four thousand permutations."""
    basis = Basis.of(Pool.of(gaussians(rng, 150), gaussians(rng, 150), expected_ratio=ratio), [1.5], [1e-2], 40)
    scores = permuted_scores(basis, 4000, 1)
    asymptotic_null = ScoreNull.of(basis)
    stacked = scores.modes if ratio is None else np.column_stack([scores.modes, scores.rate])
    assert np.abs(stacked.mean(axis=0)).max() < 4 / np.sqrt(4000)
    assert np.abs(stacked.T @ stacked / 4000 - asymptotic_null.covariance).max() < 5 * np.sqrt(2 / 4000)


def test_bootstrap_has_the_covariance_of_the_null_where_weights_vary(rng) -> None:
    """With weights that vary in both samples the bootstrap's covariance is the asymptotic one (4000, five errors)."""
    weights = rng.exponential(size=150)
    a = Sample(rng.normal(size=(150, 2)), weights)
    basis = Basis.of(Pool.of(a, signed(rng, 150), expected_ratio=1.0), [1.5], [1e-2], 40)
    scores = bootstrap_scores(basis, 4000, 1)
    stacked = np.column_stack([scores.modes, scores.rate])
    covariance = ScoreNull.of(basis).covariance
    error = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)) / 4000)
    difference = np.abs(stacked.T @ stacked / 4000 - covariance)
    assert (difference < 5 * error)[:-1, :-1].all()
    assert scores.rate @ scores.rate / 4000 == pytest.approx(1, abs=0.1)


@pytest.mark.slow
def test_permutation_p_values_are_uniform_and_the_nulls_too(rng) -> None:
    """300 pairs of 60 and 40 events, KS at size 1e-3; with a shift of half a sigma they are not."""
    for shift, uniform in ((0.0, True), (0.7, False)):
        counted, asymptotic = [], []
        for _ in range(300 if uniform else 60):
            test = TwoSampleTest(gaussians(rng, 60), gaussians(rng, 40, shift=shift), **SETTINGS)
            t = test.combined(test.t[None])[0]
            counted.append((1 + (test.combined(test.resampled("permutation", 99)) >= t).sum()) / 100)
            drawn = -test.asymptotic_null.quick_log_pvalues(test.asymptotic_null.draw(999, 1)).min(axis=1)
            asymptotic.append((1 + (drawn >= t).sum()) / 1000)
        assert bool(kstest(counted, "uniform").pvalue > 1e-3) is uniform
        assert bool(kstest(asymptotic, "uniform").pvalue > 1e-3) is uniform


def test_samples_from_a_pool_have_the_null(rng) -> None:
    """Mean t of 2000 pairs drawn from a large sample is that of the null within 5%, shapes and yields."""
    source = gaussians(rng, 20_000, name="pool")
    test = TwoSampleTest(gaussians(rng, 400), gaussians(rng, 300), expected_ratio=0.75, **SETTINGS)
    t = test.resampled("pool", 2000, pool=source)
    np.testing.assert_allclose(t.mean(axis=0), test.asymptotic_null.cumulants[0], rtol=0.08)


def test_small_p_values_agree_in_draws_tail_and_bound(rng) -> None:
    """Draws of the null, its tail by importance sampling, and Bonferroni's bound follow each other."""
    test = TwoSampleTest(gaussians(rng, 300), gaussians(rng, 300), **SETTINGS)
    z = []
    for scale in (0.9, 1.6, 2.2, 4.0, 5.0, 12.0):
        t = scale * test.asymptotic_null.cumulants[0]
        found = TwoSampleCalibration.of_asymptotic(test.asymptotic_null, t, 20_000, 1)
        local = max(null.z(x) for null, x in zip(test.asymptotic_null.joint.marginals, t.tolist(), strict=True))
        assert local - 1.0 < found.z <= local + 0.05
        z.append(found.z)
    assert np.all(np.diff(z) > 0)


@pytest.mark.parametrize(("n_a", "n_b", "dimension"), [(100, 100, 20), (500, 100, 5), (1000, 50, 1)])
def test_spread_is_that_of_permutations(rng, n_a: int, n_b: int, dimension: int) -> None:
    """Variance of t over 3000 permutations, over that of normal scores: within four errors of it (some 3% each) and 8%.

    In 20 dimensions it is three times smaller: with normal scores alone the test would hardly ever reject.
    """
    test = TwoSampleTest(gaussians(rng, n_a, dimension), gaussians(rng, n_b, dimension), centers=100)
    t = test.resampled("permutation", 3000)
    mean, variance, _ = test.asymptotic_null.cumulants
    np.testing.assert_allclose(t.mean(axis=0), mean, rtol=0.06)
    np.testing.assert_allclose(t.var(axis=0) / variance, test.asymptotic_null.spread, rtol=0.2)
    if dimension == 20:
        assert test.asymptotic_null.spread.min() < 0.4


def test_t_of_signed_samples_has_the_mean_and_spread_of_the_null(rng) -> None:
    """150 pairs of 300 unit and 60 signed events: mean within four errors and deviation within 25%, in all 12 tests.

    Normal scores alone would have twice the variance in some of them.
    """
    standard = []
    for _ in range(150):
        test = TwoSampleTest(gaussians(rng, 300), signed(rng, 60), centers=60)
        mean, variance, _ = test.asymptotic_null.cumulants
        standard.append((test.t - mean) / np.sqrt(variance * test.asymptotic_null.spread))
    assert np.abs(np.mean(standard, axis=0)).max() < 4 / np.sqrt(150)
    np.testing.assert_allclose(np.std(standard, axis=0), 1, atol=0.25)
    assert test.asymptotic_null.spread.min() < 0.6
