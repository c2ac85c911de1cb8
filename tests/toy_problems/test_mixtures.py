"""Mixtures of Gaussians: densities, draws, and the benchmark of MMD-FUSE."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.stats import chi2, chisquare, kstest, multivariate_normal, norm

from toys.mixtures import (
    MIXTURE_2D,
    MIXTURE_2D_ALTERNATIVE,
    MIXTURE_10D,
    MIXTURE_30D,
    GaussianMixture,
    Mixture,
    four_corners,
    scattered,
)

# Size of each Kolmogorov-Smirnov, chi2 and moment test below: the chance that it fails a correct program.
SIZE = 1e-4
PAIR = Mixture(((0.0, 0.0), (2.0, -1.0)), (0.5, 1.5))


def corner_distances(events: np.ndarray, mixture: GaussianMixture) -> tuple[np.ndarray, np.ndarray]:
    """For each event the nearest component, and its squared distance from it in units of the scale."""
    squares = ((events[:, None, :] - np.array(mixture.means)) ** 2).sum(axis=2)
    nearest = squares.argmin(axis=1)
    return nearest, squares.min(axis=1) / np.array(mixture.scales)[nearest] ** 2


@pytest.mark.parametrize(
    "mixture", [PAIR, MIXTURE_2D_ALTERNATIVE, MIXTURE_10D, MIXTURE_30D], ids=["2", "2", "10", "30"]
)
def test_density_is_the_average_of_the_components(mixture: Mixture | GaussianMixture, rng: np.random.Generator) -> None:
    events = mixture.sample(rng, 300)
    components = zip(mixture.means, mixture.scales, strict=True)
    density = np.mean([multivariate_normal(mean, scale**2).pdf(events) for mean, scale in components], axis=0)
    np.testing.assert_allclose(mixture.log_density(events), np.log(density), rtol=1e-9)


def test_density_integrates_to_one() -> None:
    x = np.linspace(-12.0, 14.0, 1001)
    grid = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1)
    density = np.exp(PAIR.log_density(grid.reshape(-1, 2))).reshape(1001, 1001)
    assert trapezoid(trapezoid(density, x), x) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("mixture", [PAIR, MIXTURE_10D, MIXTURE_30D], ids=["2", "10", "30"])
def test_draws_follow_the_density(mixture: Mixture | GaussianMixture, rng: np.random.Generator) -> None:
    events = mixture.sample(rng, 5000)
    # Along any direction v the mixture is one of Gaussians in one dimension.
    for v in np.linalg.qr(rng.standard_normal((events.shape[1], 2)))[0].T:
        means, scales = np.array(mixture.means) @ v, np.array(mixture.scales)

        def cdf(x: np.ndarray, means: np.ndarray = means, scales: np.ndarray = scales) -> np.ndarray:
            return norm.cdf(x[:, None], means, scales).mean(axis=1)

        assert kstest(events @ v, cdf).pvalue > SIZE
        # The control: a scale that is 20% off.
        assert kstest(1.2 * (events @ v), cdf).pvalue < SIZE


@pytest.mark.parametrize("dimension", [2, 6])
def test_four_corners_are_those_of_mmd_fuse(dimension: int, rng: np.random.Generator) -> None:
    mixture = four_corners(1.3, dimension)
    assert {mean[:2] for mean in mixture.means} == {(20, 20), (-20, 20), (20, -20), (-20, -20)}
    assert all(mean[2:] == (0.0,) * (dimension - 2) for mean in mixture.means)
    assert (mixture.means[-1][:2], mixture.scales) == ((-20, -20), (1.0, 1.0, 1.0, 1.3))

    nearest, square = corner_distances(mixture.sample(rng, 8000), mixture)
    assert chisquare(np.bincount(nearest, minlength=4)).pvalue > SIZE
    assert kstest(square, chi2(dimension).cdf).pvalue > SIZE
    # The control: the last corner is not as wide as the others.
    last = square[nearest == 3]
    assert kstest(last, chi2(dimension).cdf).pvalue > SIZE
    assert kstest(1.3**2 * last, chi2(dimension).cdf).pvalue < SIZE


def test_ready_made_mixtures() -> None:
    assert MIXTURE_2D == four_corners() != MIXTURE_2D_ALTERNATIVE
    assert MIXTURE_2D_ALTERNATIVE.scales == (1.0, 1.0, 1.0, 1.3)
    assert [len(mixture.features) for mixture in (MIXTURE_2D, MIXTURE_10D, MIXTURE_30D)] == [2, 10, 30]


def test_log_ratio_to_the_alternative_lives_in_one_corner(rng: np.random.Generator) -> None:
    events = MIXTURE_2D_ALTERNATIVE.sample(rng, 2000)
    nearest, square = corner_distances(events, MIXTURE_2D)
    expected = np.where(nearest == 3, square / 2 * (1 - 1 / 1.3**2) - 2 * np.log(1.3), 0.0)
    np.testing.assert_allclose(MIXTURE_2D.log_ratio_to(events, MIXTURE_2D_ALTERNATIVE), expected, atol=1e-10)
    twice = GaussianMixture(MIXTURE_2D.means, MIXTURE_2D.scales, 4000.0)
    np.testing.assert_allclose(MIXTURE_2D.log_ratio_to(events, twice), np.log(2.0), rtol=1e-12)


def test_log_ratio_to_a_signal_is_that_of_the_densities(rng: np.random.Generator) -> None:
    events = MIXTURE_10D.sample(rng, 300)
    mean, scale = np.array(MIXTURE_10D.means[-1]), MIXTURE_10D.scales[-1]
    b = np.exp(MIXTURE_10D.log_density(events))
    moved = multivariate_normal(mean + 1.5 * scale * np.eye(10)[0], scale**2).pdf(events)
    wider = multivariate_normal(mean, (1.3 * scale) ** 2).pdf(events)
    for name, s in (("shifted", moved), ("wider", wider)):
        y = MIXTURE_10D.log_ratio(events, MIXTURE_10D.SIGNALS[name], 60.0, 300.0)
        np.testing.assert_allclose(y, np.log1p(60.0 / 300.0 * s / b), rtol=1e-8, atol=1e-14)


def test_ideal_z_of_a_weak_shift_is_gaussian() -> None:
    # Z^2 = N(S)^2 / N(B) * integral of s^2 / b; a quarter of b is a Gaussian, and the shift is 1.5.
    exact = 500.0 / 1e7**0.5 * (4 * np.exp(1.5**2)) ** 0.5
    assert MIXTURE_2D.ideal_z(MIXTURE_2D.SIGNALS["shifted"], 500.0, 1e7) == pytest.approx(exact, rel=0.01)


def test_ideal_z_to_a_near_alternative_is_gaussian() -> None:
    # Z^2 = N * integral of (a - b)^2 / b, to which only one corner adds.
    scale, n = 1.01, 1e5
    corner = scale**-4 / (2 / scale**2 - 1) - 1
    alternative, reference = four_corners(scale, expected_yield=n), four_corners(expected_yield=n)
    assert reference.ideal_z_to(alternative) == pytest.approx((n * corner / 4) ** 0.5, rel=0.02)


def test_scattered_means_keep_their_distance(rng: np.random.Generator) -> None:
    mixture = scattered(rng, 30, scales=(1.0,) * 400, spread=2.0)
    square = (np.array(mixture.means) ** 2).sum(axis=1)
    # spread^2 chi2_30 / 30.
    assert square.mean() == pytest.approx(4.0, abs=norm.isf(SIZE / 2) * 4.0 * (2 / 30 / 400) ** 0.5)
    assert mixture.scales == (1.0,) * 400
    assert len(set(mixture.means)) == 400


@pytest.mark.parametrize(
    ("means", "scales", "match"),
    [
        ((), (), "one or more means"),
        (((1.0, 2.0), (1.0,)), (1.0, 1.0), "same number"),
        (((1.0, 2.0),), (1.0, 1.0), "one positive scale"),
        (((1.0, 2.0),), (0.0,), "one positive scale"),
    ],
)
def test_bad_mixtures_are_refused(means: tuple[tuple[float, ...], ...], scales: tuple[float, ...], match: str) -> None:
    for kind in (Mixture, GaussianMixture):
        with pytest.raises(ValueError, match=match):
            kind(means, scales)
