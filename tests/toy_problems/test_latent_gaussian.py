"""Latent Gaussians: the exact ratio against SciPy's densities, weights and scores against their definitions."""

from __future__ import annotations

import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import kstest, multivariate_normal, norm

from nplm.nuisance.ratios.base import log_ratio
from toys.latent_gaussian import LATENT_1D, LATENT_5D, LatentGaussian

# Size of each statistical test: the chance that it fails a correct program.
SIZE = 1e-4
REACH = norm.isf(SIZE / 2)

problems = pytest.mark.parametrize("problem", [LATENT_1D, LATENT_5D, LatentGaussian(2, -0.4, 1.5, 0.3)], ids=str)


def covariance(problem: LatentGaussian, width: float = 0.0) -> np.ndarray:
    d, rho = problem.dimension, problem.correlation
    return np.exp(2 * width) * problem.latent_scale**2 * ((1 - rho) * np.eye(d) + rho * np.ones((d, d)))


def density_of_x(problem: LatentGaussian, shift: float, width: float) -> multivariate_normal:
    total = covariance(problem, width) + problem.noise**2 * np.eye(problem.dimension)
    return multivariate_normal(np.full(problem.dimension, shift), total)


@problems
def test_the_ratio_is_that_of_the_densities(problem: LatentGaussian, rng: np.random.Generator) -> None:
    x, _ = problem.draw(rng, 200)
    for shift, width in ((0.0, 0.0), (0.5, 0.0), (0.0, -0.2), (-0.3, 0.25)):
        exact = density_of_x(problem, shift, width).logpdf(x) - density_of_x(problem, 0.0, 0.0).logpdf(x)
        found = log_ratio(problem.exact_ratio(), x, {"shift": shift, "width": width})
        np.testing.assert_allclose(found, exact, atol=1e-11)
    assert pickle.loads(pickle.dumps(problem)).exact_ratio().document() == problem.exact_ratio().document()


def test_the_shift_in_one_dimension_has_the_known_d1_and_d2(rng: np.random.Generator) -> None:
    """Identity: d1 = x / 5, and d2 = -1/5 for every event."""
    x, _ = LATENT_1D.draw(rng, 100)
    rows = np.column_stack([np.ones(len(x)), LATENT_1D.exact_ratio().basis(x)])
    c = LATENT_1D.exact_ratio().coefficients
    with jax.enable_x64(True):
        zero = jnp.zeros(2)
        first, second = np.asarray(jax.jacfwd(c)(zero)), np.asarray(jax.jacfwd(jax.jacfwd(c))(zero))
    np.testing.assert_allclose(rows @ first[:, 0], x[:, 0] / 5, atol=1e-13)
    np.testing.assert_allclose(rows @ second[:, 0, 0], -0.2, atol=1e-13)


@problems
def test_weights_are_ratios_of_latent_densities_with_the_scores_as_derivatives(
    problem: LatentGaussian, rng: np.random.Generator
) -> None:
    _, z = problem.draw(rng, 50)
    mean, scale = np.full(problem.dimension, 0.3), covariance(problem, 0.1)
    exact = multivariate_normal(mean, scale).logpdf(z) - multivariate_normal(0 * mean, covariance(problem)).logpdf(z)
    np.testing.assert_allclose(np.log(problem.weight(z, {"shift": 0.3, "width": 0.1})), exact, atol=1e-11)

    def w(shift: float, width: float) -> np.ndarray:
        return problem.weight(z, {"shift": shift, "width": width})

    h = 1e-4
    slopes = np.stack([w(h, 0) - w(-h, 0), w(0, h) - w(0, -h)], axis=1) / (2 * h)
    np.testing.assert_allclose(problem.joint_score(z), slopes, rtol=1e-4, atol=1e-4)
    second = problem.second_derivative(z)
    np.testing.assert_allclose(second[:, 0, 0], (w(h, 0) - 2 + w(-h, 0)) / h**2, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(second[:, 1, 1], (w(0, h) - 2 + w(0, -h)) / h**2, rtol=1e-3, atol=1e-3)
    mixed = (w(h, h) - w(h, -h) - w(-h, h) + w(-h, -h)) / (4 * h**2)
    np.testing.assert_allclose(second[:, 0, 1], mixed, rtol=1e-3, atol=1e-3)


def test_averages_of_the_scores_at_given_x_are_d1_and_d2(rng: np.random.Generator) -> None:
    """Regression in one dimension, where E[t|x] is linear and E[w''|x] quadratic in x; without the variance of t given
    x the second would be -1/4."""
    n = 400_000
    x, z = LATENT_1D.draw(rng, n)
    t, second = LATENT_1D.joint_score(z)[:, 0], LATENT_1D.second_derivative(z)[:, 0, 0]
    design = np.column_stack([np.ones(n), x[:, 0], x[:, 0] ** 2])
    inverse = np.linalg.inv(design.T @ design)
    for values, exact in ((t, [0.0, 0.2, 0.0]), (second, [-0.2, 0.0, 0.04])):
        found = inverse @ design.T @ values
        residual = (values - design @ found)[:, None] * design
        error = np.sqrt(np.diag(inverse @ (residual.T @ residual) @ inverse))
        assert np.all(np.abs(found - exact) < REACH * error)
    # Negative control: the biased answer is far outside.
    assert abs(found[0] + 0.25) > 5 * REACH * error[0]


@problems
def test_draws_at_nu_follow_the_density(problem: LatentGaussian, rng: np.random.Generator) -> None:
    nu = {"shift": 0.4, "width": 0.15}
    x, z = problem.draw(rng, 20_000, nu)
    one = np.exp(0.15) * problem.latent_scale
    assert kstest(z[:, 0], norm(0.4, one).cdf).pvalue > SIZE
    assert kstest(x[:, 0], norm(0.4, np.hypot(one, problem.noise)).cdf).pvalue > SIZE
    total = norm(0.4 * problem.dimension, np.sqrt(density_of_x(problem, 0, 0.15).cov.sum()))
    assert kstest(x.sum(axis=1), total.cdf).pvalue > SIZE
    assert kstest(x[:, 0], norm(0.4, np.hypot(problem.latent_scale, problem.noise)).cdf).pvalue < SIZE
    # Reweighted central events have the moments of the varied ones.
    central, latent = problem.draw(rng, 20_000)
    weights = problem.weight(latent, nu)
    assert weights.mean() == pytest.approx(1.0, abs=REACH * weights.std() / 20_000**0.5)
    moved = weights * central[:, 0]
    assert moved.mean() == pytest.approx(0.4, abs=REACH * moved.std() / 20_000**0.5)


def test_samples_have_the_expected_yields(rng: np.random.Generator) -> None:
    assert LATENT_5D.draw_reference(rng, 100, nu={"shift": 1.0}).total_weight == pytest.approx(2000.0)
    assert len(LATENT_5D.draw_data(rng)) == pytest.approx(2000.0, abs=REACH * 2000**0.5)
    assert LATENT_5D.draw_data(rng, 10.0).features == ("x0", "x1", "x2", "x3", "x4")


@pytest.mark.parametrize("bad", [{"dimension": 0}, {"noise": 0.0}, {"dimension": 3, "correlation": -0.5}])
def test_bad_settings_are_refused(bad: dict) -> None:
    with pytest.raises(ValueError, match="dimension must be 1 or more"):
        LatentGaussian(**bad)
