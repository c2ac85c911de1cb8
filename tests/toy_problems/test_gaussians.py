"""Correlated Gaussians: densities, draws, and ideal significances with closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import dblquad
from scipy.stats import chi2, kstest, multivariate_normal, norm

from toys.additive import Signal
from toys.gaussians import GAUSSIANS_5D, GAUSSIANS_5D_ALTERNATIVE, CorrelatedGaussians, Gaussian

# Size of each Kolmogorov-Smirnov and moment test below: the chance that it fails a correct program.
SIZE = 1e-4


def covariance(gaussian: Gaussian | CorrelatedGaussians, scale: float = 1.0) -> np.ndarray:
    d, rho = gaussian.dimension, gaussian.correlation
    return scale**2 * ((1 - rho) * np.eye(d) + rho * np.ones((d, d)))


def mean_ratio(narrow: np.ndarray, wide: np.ndarray) -> float:
    """Integral of s^2 / b for Gaussians s and b of mean 0 with these covariances."""
    both = 2 * np.linalg.inv(narrow) - np.linalg.inv(wide)
    return float(np.linalg.det(wide) ** 0.5 / np.linalg.det(narrow) / np.linalg.det(both) ** 0.5)


@pytest.mark.parametrize(
    "gaussian",
    [
        Gaussian(1, 0.3, 2.0, 0.7),
        Gaussian(2, 0.0, 1.0, -0.9),
        Gaussian(5, 1.5, 0.4, 0.0),
        Gaussian(5, 0.0, 1.0, 0.5),
        Gaussian(30, -1.0, 3.0, 0.8),
    ],
    ids=str,
)
def test_density_and_draws(gaussian: Gaussian, rng: np.random.Generator) -> None:
    matrix = covariance(gaussian, gaussian.scale)
    exact = multivariate_normal(np.full(gaussian.dimension, gaussian.mean), matrix)
    events = gaussian.sample(rng, 5000)
    np.testing.assert_allclose(gaussian.log_density(events), exact.logpdf(events), rtol=1e-10)

    # With C = L L^T, the elements of L^-1 (x - mu) are independent unit Gaussians if, and only if, C is the covariance.
    white = np.linalg.solve(np.linalg.cholesky(matrix), (events - gaussian.mean).T)
    assert kstest(white.ravel(), norm.cdf).pvalue > SIZE
    assert kstest((white**2).sum(axis=0), chi2(gaussian.dimension).cdf).pvalue > SIZE
    assert kstest(white.sum(axis=0) / gaussian.dimension**0.5, norm.cdf).pvalue > SIZE


def test_draws_of_another_correlation_are_told_apart(rng: np.random.Generator) -> None:
    """The control of the test above."""
    white = np.linalg.solve(
        np.linalg.cholesky(covariance(Gaussian(5, correlation=0.6))), Gaussian(5, correlation=0.5).sample(rng, 5000).T
    )
    assert kstest((white**2).sum(axis=0), chi2(5).cdf).pvalue < SIZE


def test_density_integrates_to_one() -> None:
    gaussian = Gaussian(2, 0.5, 0.7, -0.6)
    total, _ = dblquad(lambda x, y: np.exp(gaussian.log_density(np.array([[x, y]]))[0]), -6, 7, -6, 7, epsabs=1e-7)
    assert total == pytest.approx(1.0, abs=1e-6)


def test_log_ratios_are_those_of_the_densities(rng: np.random.Generator) -> None:
    x = 2.0 * rng.standard_normal((200, 5))
    b = multivariate_normal(np.zeros(5), covariance(GAUSSIANS_5D))
    cluster = multivariate_normal(np.full(5, 1.5), 0.16 * np.eye(5))
    expected = np.log1p(30.0 / 500.0 * cluster.pdf(x) / b.pdf(x))
    np.testing.assert_allclose(
        GAUSSIANS_5D.log_ratio(x, GAUSSIANS_5D.SIGNALS["cluster"], 30.0, 500.0), expected, rtol=1e-9, atol=1e-14
    )
    other = CorrelatedGaussians(5, 0.6, 3000.0)
    expected = np.log(1.5) + multivariate_normal(np.zeros(5), covariance(other)).logpdf(x) - b.logpdf(x)
    np.testing.assert_allclose(GAUSSIANS_5D.log_ratio_to(x, other), expected, rtol=1e-9, atol=1e-10)


def test_log_ratio_does_not_overflow() -> None:
    # s / b is exp(870) at the peak of the signal.
    far = Signal("far", 1.0, Gaussian(5, mean=30.0, correlation=0.5))
    y = GAUSSIANS_5D.log_ratio(np.full((1, 5), 30.0), far)
    assert y[0] == pytest.approx(5 * 30.0**2 / 3 / 2 - np.log(2000.0), rel=1e-12)


def test_ideal_z_of_a_weak_shift_is_gaussian() -> None:
    # Z^2 = N(S)^2 / N(B) * integral of s^2 / b, which for a shift delta is exp(delta C^-1 delta).
    shifted = Signal("shifted", 3000.0, Gaussian(5, mean=0.3, correlation=0.5))
    exact = 3000.0 / 1e6**0.5 * np.exp(5 * 0.3**2 / 3 / 2)
    assert GAUSSIANS_5D.ideal_z(shifted, expected_yield=1e6) == pytest.approx(exact, rel=0.003)


def test_ideal_z_of_a_weak_correlation_is_gaussian() -> None:
    integral = mean_ratio(covariance(CorrelatedGaussians(5, 0.75)), covariance(GAUSSIANS_5D))
    exact = 3000.0 / 1e7**0.5 * integral**0.5
    z = GAUSSIANS_5D.ideal_z(GAUSSIANS_5D.SIGNALS["correlated"], 3000.0, 1e7)
    assert z == pytest.approx(exact, rel=0.005)


def test_ideal_z_to_a_near_alternative_is_gaussian() -> None:
    # Z^2 = N * integral of (a - b)^2 / b.
    alternative = CorrelatedGaussians(5, 0.502, expected_yield=1e6)
    reference = CorrelatedGaussians(5, 0.5, expected_yield=1e6)
    exact = 1e3 * (mean_ratio(covariance(alternative), covariance(reference)) - 1) ** 0.5
    assert reference.ideal_z_to(alternative) == pytest.approx(exact, rel=0.01)


def test_ideal_z_to_a_larger_yield_counts_events() -> None:
    # The same density: (N(A) - N(B)) / sqrt(N(B)) for large numbers.
    z = CorrelatedGaussians(2, 0.5, 1e6).ideal_z_to(CorrelatedGaussians(2, 0.5, 1.003e6))
    assert z == pytest.approx(3.0, abs=0.005)


def test_alternative_is_another_instance(rng: np.random.Generator) -> None:
    data = GAUSSIANS_5D_ALTERNATIVE.draw_data(rng, expected_yield=20_000.0)
    # A correlation's error is (1 - rho^2) / sqrt(n) at most.
    assert np.corrcoef(data.events.T)[0, 1] == pytest.approx(0.6, abs=norm.isf(SIZE / 2) * 0.64 / 20_000**0.5)
    assert GAUSSIANS_5D.ideal_z_to(GAUSSIANS_5D_ALTERNATIVE) > 5.0


@pytest.mark.parametrize(("dimension", "correlation"), [(0, 0.0), (5, 1.0), (5, -0.25), (5, np.nan)])
def test_impossible_covariance_is_refused(dimension: int, correlation: float) -> None:
    with pytest.raises(ValueError, match="correlation below 1"):
        CorrelatedGaussians(dimension, correlation).sample(np.random.default_rng(1), 1)
