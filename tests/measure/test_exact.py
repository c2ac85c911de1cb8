"""Measurements whose answers can be written down: an exponential's scale and yield, counts, and constrained yields."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import chi2, norm

from nplm.data.sample import Sample
from nplm.measure import Measurement, Parameters
from nplm.nuisance import GaussianConstraint, JaxLogRatio, Normalization, Nuisances, SeparableLogRatio
from toys.exponential_nuisances import scale_ratio

YIELD = 500.0
POINTS, SHARES = np.polynomial.laguerre.laggauss(60)
# Gauss-Laguerre points stand for an exponential reference without any fluctuation.
REFERENCE = Sample(POINTS, YIELD * SHARES, ["x"], "reference")
PARAMETERS = Parameters([scale_ratio(), Normalization("norm")])


@pytest.fixture(scope="module")
def measurement() -> Measurement:
    return Measurement(REFERENCE, PARAMETERS)


@pytest.fixture(scope="module")
def data() -> Sample:
    rng = np.random.default_rng(11)
    return Sample(rng.exponential(np.exp(0.1), 540), features=["x"], name="data")


def test_fisher_information_is_the_yield(measurement: Measurement) -> None:
    """I = N for scale and log yield, which are independent, wherever they are; and with the luminosity."""
    found = measurement.information()
    np.testing.assert_allclose(found.total, YIELD * np.eye(2), atol=1e-8 * YIELD)
    np.testing.assert_allclose(found.per_event, np.eye(2), atol=1e-8)
    moved = measurement.information({"scale": 0.2, "norm": 0.3})
    np.testing.assert_allclose(moved.total, YIELD * np.exp(0.3) * np.eye(2), atol=1e-4 * YIELD)
    np.testing.assert_allclose(list(found.errors(4.0).values()), 1 / np.sqrt(4 * YIELD), rtol=1e-6)


def test_the_fit_is_the_closed_form(measurement: Measurement, data: Sample) -> None:
    """exp(scale) is the mean of x and exp(norm) the ratio of the yields; their errors are 1 / sqrt(n)."""
    result = measurement.run(data, goodness_of_fit=False, contours=[])
    assert result["scale"] == pytest.approx(np.log(data.events.mean()), abs=1e-6)
    assert result["norm"] == pytest.approx(np.log(len(data) / YIELD), abs=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(result.of_data)), 1 / np.sqrt(len(data)), rtol=1e-4)
    n, mean = len(data), float(data.events.mean())
    # -2 log of the ratio of both densities, with the yields.
    deviance = 2 * n * (mean - 1 - np.log(mean)) + 2 * (YIELD - n + n * np.log(n / YIELD))
    assert result.deviance == pytest.approx(deviance, rel=1e-5)
    assert result.expected_yield == pytest.approx(n, rel=1e-6)


@pytest.mark.parametrize("level", [0.6827, 0.95])
def test_profile_intervals_are_those_of_the_likelihoods_that_factorize(data: Sample, level: float) -> None:
    """Each end solves q = chi2, of a Poisson count and of a gamma density; a reference without noise is needed."""
    exact = Sample(np.repeat(POINTS, 1), YIELD * SHARES, ["x"])
    measurement = Measurement(exact, PARAMETERS)
    model, observed, found = measurement.fit(data)
    from nplm.measure.intervals import Profiler

    profiler = Profiler(model, observed, found, np.linalg.inv(found.hessian))
    n, mean, limit = len(data), float(data.events.mean()), chi2.ppf(level, 1)

    def of_norm(v: float) -> float:
        return 2 * (YIELD * np.exp(v) - n - n * (v + np.log(YIELD / n))) - limit

    def of_scale(v: float) -> float:
        return 2 * n * (mean * np.exp(-v) + v - 1 - np.log(mean)) - limit

    for i, q in enumerate((of_scale, of_norm)):
        best = found.point[i]
        expected = brentq(q, best - 1, best), brentq(q, best, best + 1)
        np.testing.assert_allclose(profiler.interval(i, level), expected, atol=2e-4)
    line = profiler.contour(0, 1, level)
    both = [profiler.at([0, 1], point)[0] for point in line]
    np.testing.assert_allclose(both, chi2.ppf(level, 2), rtol=5e-3)
    # It is not that of one parameter, which is smaller.
    assert line[:, 1].max() > profiler.interval(1, level)[1] * 1.05


def test_a_yield_and_its_constraint_add_in_quadrature() -> None:
    """theta and nu move the same yield: Var theta = 1 / n + sigma^2, and nu stays where it was measured."""
    nuisances = Nuisances(Normalization("luminosity"), GaussianConstraint("luminosity", 0.05, 0.02))
    data = Sample(np.full(550, 1.0), features=["x"], name="data")
    result = Measurement(REFERENCE, Normalization("signal"), nuisances).run(data, goodness_of_fit=False)
    assert result["luminosity"] == pytest.approx(0.02, abs=1e-6)
    assert result["signal"] == pytest.approx(np.log(1.1) - 0.02, abs=1e-6)
    assert np.sqrt(result.of_data[0, 0]) == pytest.approx(np.hypot(1 / np.sqrt(550), 0.05), rel=1e-5)
    assert result.pulls[0] == pytest.approx(0.0, abs=1e-6)
    # The nuisance moved up by its error takes as much from theta.
    assert result.impact[0, 0] == pytest.approx(-0.05, rel=1e-3)


def _signal(mu: np.ndarray) -> JaxLogRatio:
    del mu
    return JaxLogRatio("mu", lambda x, mu: jnp.log1p(0.2 * mu[0]) + 0 * x[:, 0], "a count with 20% signal")


@pytest.mark.parametrize("count", [90, 100, 118])
def test_limits_of_a_count_are_those_of_the_formula(count: int) -> None:
    """n events where b (1 + .2 mu) are expected, b = 100: q_mu, CLs and what is expected, all from the Poisson law."""
    b, slope, alpha = 100.0, 20.0, 0.05
    reference = Sample(np.linspace(0, 1, 50), np.full(50, b / 50), ["x"])
    parameters = Parameters(_signal(np.zeros(1)), bounds={"mu": (-4.9, 50.0)})
    data = Sample(np.full(count, 0.5), features=["x"], name="data")
    result = Measurement(reference, parameters, expected_yield=b).run(data, limits=["mu"], goodness_of_fit=False)

    def q_of(n: float, mu: float) -> float:
        nu = b + slope * mu
        return max(2 * (nu - n + n * np.log(n / nu)), 0.0) if nu > n else 0.0

    def cls(mu: float) -> float:
        root, asimov = np.sqrt(q_of(count, mu)), np.sqrt(q_of(b, mu))
        return norm.sf(root) / norm.cdf(asimov - root) - alpha

    limit = result.limits[0]
    best = max((count - b) / slope, 0.0)
    assert limit.cls == pytest.approx(brentq(cls, best + 1e-6, 30), rel=1e-3)
    plain = brentq(lambda mu: norm.sf(np.sqrt(q_of(count, mu))) - alpha, (count - b) / slope + 1e-9, 30)
    assert limit.plain == pytest.approx(plain, rel=1e-3)
    median = brentq(lambda mu: np.sqrt(q_of(b, mu)) - norm.ppf(1 - alpha / 2), 1e-3, 30)
    assert limit.expected[2] == pytest.approx(median, rel=1e-3)
    assert list(limit.expected) == sorted(limit.expected)


def test_expected_errors_come_without_data(measurement: Measurement) -> None:
    result = measurement.expected({"norm": 0.1}, limits=["norm"])
    assert result.expected
    assert result["norm"] == pytest.approx(0.1, abs=1e-6)
    assert result["scale"] == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_allclose(np.sqrt(np.diag(result.of_data)), 1 / np.sqrt(YIELD * np.exp(0.1)), rtol=1e-4)
    assert result.goodness_of_fit is None


def test_latent_gaussian_errors_are_those_of_the_density() -> None:
    """log r of a Gaussian mean, separable or by JAX, gives the mean of the data with error sigma / sqrt(n)."""
    points, shares = np.polynomial.hermite_e.hermegauss(40)
    reference = Sample(2 * points, 300 * shares / shares.sum(), ["x"])
    rng = np.random.default_rng(5)
    data = Sample(rng.normal(0.3, 2.0, 300), features=["x"], name="data")
    separable = SeparableLogRatio("mean", lambda t: jnp.array([-(t[0] ** 2) / 8, t[0] / 4]), lambda e: e[:, :1])
    by_jax = JaxLogRatio("mean", lambda x, t: (x[:, 0] * t[0] - t[0] ** 2 / 2) / 4)
    both = [Measurement(reference, ratio).run(data, goodness_of_fit=False) for ratio in (separable, by_jax)]
    for result in both:
        assert result["mean"] == pytest.approx(data.events.mean(), abs=1e-5)
        assert np.sqrt(result.of_data[0, 0]) == pytest.approx(2 / np.sqrt(300), rel=1e-3)
