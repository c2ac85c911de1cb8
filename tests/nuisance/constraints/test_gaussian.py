"""Auxiliary likelihoods: SciPy's densities, derivatives, draws around the truth, and refusals by name."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2, chisquare, kstest, multivariate_normal, norm, poisson

from nplm.nuisance.constraints.base import Constraint, Constraints
from nplm.nuisance.constraints.control_region import PoissonControlRegion
from nplm.nuisance.constraints.gaussian import CorrelatedGaussian, GaussianConstraint

# Size of each statistical test: the chance that it fails a correct program.
SIZE = 1e-4
COVARIANCE = np.array([[0.04, 0.027], [0.027, 0.0225]])
GAUSSIAN = GaussianConstraint(("scale", "shift"), [0.15, 2.0], [0.1, -1.0])
CORRELATED = CorrelatedGaussian(("a", "b"), COVARIANCE, [0.1, 0.2])
COUNT = PoissonControlRegion("norm", count=110, expected=80.0, response=0.5, background=25.0)
ALL = Constraints([GAUSSIAN, COUNT, CORRELATED])


def value(constraint: Constraint, nu: list[float]) -> float:
    with jax.enable_x64(True):
        return float(constraint.logpdf(jnp.asarray(nu)))


def curvature(constraint: Constraint, nu: list[float]) -> np.ndarray:
    with jax.enable_x64(True):
        return -np.asarray(jax.jit(jax.hessian(constraint.logpdf))(jnp.asarray(nu)))


@pytest.mark.parametrize("nu", [[0.0, 0.0], [0.3, -2.0], [-1.0, 5.0]])
def test_likelihoods_are_scipys_densities(nu: list[float]) -> None:
    gaussian = norm.logpdf([0.1, -1.0], nu, [0.15, 2.0]).sum()
    correlated = multivariate_normal.logpdf([0.1, 0.2], nu, COVARIANCE)
    count = poisson.logpmf(110, 80.0 * np.exp(0.5 * nu[0]) + 25.0)
    assert value(GAUSSIAN, nu) == pytest.approx(gaussian, rel=1e-12)
    assert value(CORRELATED, nu) == pytest.approx(correlated, rel=1e-12)
    assert value(COUNT, nu[:1]) == pytest.approx(count, rel=1e-12)
    assert value(PoissonControlRegion("n", 0, 3.0), nu[:1]) == pytest.approx(-3.0 * np.exp(nu[0]), rel=1e-12)
    assert value(ALL, [*nu, nu[0], *nu]) == pytest.approx(gaussian + count + correlated, rel=1e-12)


def test_derivatives_are_exact() -> None:
    np.testing.assert_allclose(curvature(GAUSSIAN, [0.3, 0.1]), np.diag([0.15**-2, 0.25]), rtol=1e-12)
    np.testing.assert_allclose(curvature(CORRELATED, [0.3, 0.1]), np.linalg.inv(COVARIANCE), rtol=1e-9)
    # mu = m e^(k nu) + b: -d2 log L = k^2 m e^(k nu) [1 - n b / mu^2].
    scaled = 80.0 * np.exp(0.5 * 0.3)
    exact = 0.25 * scaled * (1 - 110 * 25.0 / (scaled + 25.0) ** 2)
    np.testing.assert_allclose(curvature(COUNT, [0.3]), [[exact]], rtol=1e-12)
    blocks = curvature(ALL, [0.0] * 5)
    np.testing.assert_allclose(blocks[3:, 3:], np.linalg.inv(COVARIANCE), rtol=1e-9)
    assert not blocks[:3, 3:].any()


def test_sigma_is_the_root_of_the_inverse_information() -> None:
    asimov = COUNT.with_auxiliary(np.array([105.0]))
    expected = np.sqrt(np.diag(np.linalg.inv(curvature(Constraints([GAUSSIAN, asimov, CORRELATED]), [0.0] * 5))))
    np.testing.assert_allclose(ALL.sigma, expected, rtol=1e-9)
    log_normal = GaussianConstraint.log_normal("lumi", 0.025)
    assert log_normal.sigma == pytest.approx([np.log(1.025)], rel=1e-12)


def test_other_measurements_are_those_that_jax_traces_too() -> None:
    auxiliary = np.array([0.5, 1.0, 90.0, 0.0, -0.3])
    fresh = Constraints(
        [
            GaussianConstraint(("scale", "shift"), [0.15, 2.0], auxiliary[:2]),
            PoissonControlRegion("norm", 90, 80.0, 0.5, 25.0),
            CorrelatedGaussian(("a", "b"), COVARIANCE, auxiliary[3:]),
        ]
    )
    nu = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    with jax.enable_x64(True):
        traced = jax.jit(jax.vmap(lambda a, v: ALL.with_auxiliary(a).logpdf(v)))(auxiliary[None], nu[None])
    assert float(traced[0]) == pytest.approx(value(fresh, nu.tolist()), rel=1e-12)
    np.testing.assert_array_equal(ALL.with_auxiliary(auxiliary).auxiliary, auxiliary)
    # The original keeps its own.
    np.testing.assert_array_equal(ALL.auxiliary, [0.1, -1.0, 110.0, 0.1, 0.2])
    with pytest.raises(ValueError, match=r"must have shape \(5,\), not \(4,\)"):
        ALL.with_auxiliary(auxiliary[:4])
    with pytest.raises(ValueError, match=r"must have shape \(2,\), not \(3,\)"):
        GAUSSIAN.with_auxiliary(np.zeros(3))


def test_measurements_fluctuate_around_the_truth(rng: np.random.Generator) -> None:
    n, nu_true = 4000, np.array([0.2, 1.0, 0.4, -0.1, 0.3])
    drawn = np.array([ALL.sample(nu_true, rng).auxiliary for _ in range(n)])
    for column, (mean, sigma) in enumerate([(0.2, 0.15), (1.0, 2.0)]):
        assert kstest(drawn[:, column], norm(mean, sigma).cdf).pvalue > SIZE
    # A truth that is off by a fifth of sigma is found out.
    assert kstest(drawn[:, 0], norm(0.23, 0.15).cdf).pvalue < SIZE

    def distance(mean: np.ndarray) -> np.ndarray:
        left = drawn[:, 3:] - mean
        return np.einsum("ni,ij,nj->n", left, np.linalg.inv(COVARIANCE), left)

    assert kstest(distance(nu_true[3:]), chi2(2).cdf).pvalue > SIZE
    assert kstest(distance(np.zeros(2)), chi2(2).cdf).pvalue < SIZE

    edges = poisson.ppf([0.2, 0.4, 0.6, 0.8], 80.0 * np.exp(0.2) + 25.0)

    def counted(mean: float) -> float:
        share = np.diff(poisson.cdf([-1, *edges, np.inf], mean))
        return float(chisquare(np.bincount(np.searchsorted(edges, drawn[:, 2]), minlength=5), n * share).pvalue)

    assert counted(80.0 * np.exp(0.2) + 25.0) > SIZE
    assert counted(105.0) < SIZE


def test_documents_are_json_and_tell_constraints_apart() -> None:
    document = json.dumps(ALL.document())
    assert json.loads(document) == ALL.document()
    other = Constraints([GaussianConstraint(("scale", "shift"), [0.15, 2.1], [0.1, -1.0]), COUNT, CORRELATED])
    assert json.dumps(other.document()) != document


@pytest.mark.parametrize("sigma", [0.0, -0.1])
def test_sigma_must_be_positive(sigma: float) -> None:
    with pytest.raises(ValueError, match=f"sigma of scale must be positive, not {sigma:g}"):
        GaussianConstraint(("shift", "scale"), [0.1, sigma])
    with pytest.raises(ValueError, match="the relative uncertainty of lumi must be positive"):
        GaussianConstraint.log_normal("lumi", sigma)
    with pytest.raises(ValueError, match="sigma of b must be positive"):
        CorrelatedGaussian.from_correlation(("a", "b"), [1.0, sigma], np.eye(2))


@pytest.mark.parametrize("rho", [1.0, -1.0, 1.2])
def test_a_covariance_must_be_positive_definite(rho: float) -> None:
    with pytest.raises(ValueError, match=r"covariance of a, b is not positive definite.*merge nuisances"):
        CorrelatedGaussian.from_correlation(("a", "b"), [1e-4, 1.0], [[1.0, rho], [rho, 1.0]])
    # As strongly correlated as may be is taken.
    CorrelatedGaussian.from_correlation(("a", "b"), [1e-4, 1.0], [[1.0, 0.999999], [0.999999, 1.0]])


def test_bad_input_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"the covariance is not symmetric: it has 0\.5 for a and b, and 0\.1"):
        CorrelatedGaussian(("a", "b"), [[1.0, 0.5], [0.1, 1.0]])
    with pytest.raises(ValueError, match=r"must have shape \(2, 2\), not \(3, 3\)"):
        CorrelatedGaussian(("a", "b"), np.eye(3))
    with pytest.raises(ValueError, match="correlation of b with itself must be 1, not 2"):
        CorrelatedGaussian.from_correlation(("a", "b"), 1.0, np.diag([1.0, 2.0]))
    with pytest.raises(ValueError, match="the variance of a must be positive, not -1"):
        CorrelatedGaussian(("a", "b"), np.diag([-1.0, 2.0]))
    with pytest.raises(ValueError, match="covariance of a and b must be a finite number, not nan"):
        CorrelatedGaussian(("a", "b"), [[1.0, np.nan], [np.nan, 1.0]])
    with pytest.raises(ValueError, match="the measured value of b must be a finite number, not nan"):
        GaussianConstraint(("a", "b"), 1.0, [0.0, np.nan])
    with pytest.raises(ValueError, match="sigma: give one value for each of a, b"):
        GaussianConstraint(("a", "b"), [1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"norm must be a whole number of events, not 2\.5"):
        PoissonControlRegion("norm", 2.5, 3.0)
    with pytest.raises(ValueError, match="the expectation in the control region of norm must be positive, not 0"):
        PoissonControlRegion("norm", 2, 0.0)
    with pytest.raises(ValueError, match="the response of the control region to norm is 0"):
        PoissonControlRegion("norm", 2, 3.0, response=0.0)
    with pytest.raises(ValueError, match="background in the control region of norm must not be negative, not -1"):
        PoissonControlRegion("norm", 2, 3.0, background=-1.0)
    with pytest.raises(ValueError, match="scale is constrained twice, by a gaussian and by a poisson constraint"):
        Constraints([GAUSSIAN, PoissonControlRegion("scale", 3, 3.0)])
    with pytest.raises(ValueError, match="one constraint or more"):
        Constraints([])
