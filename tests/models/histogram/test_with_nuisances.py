"""Bins with nuisances: the saturated goodness of fit with constraints, to rounding."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2

from nplm import GaussianConstraint, HistogramModel, NPLMTest, Sample
from nplm.nuisance import CorrelatedGaussian, Normalization, SeparableLogRatio, SumOfLogRatios
from nplm.nuisance.nuisances import Nuisances
from tests.nuisance.problems import draw_data, draw_reference, loss, scale_and_normalization

EDGES = (0.0, 0.3, 0.8, 1.5, 3.0, 20.0)


SLOPE = np.array([0.5, 0.3, 0.0, -0.3, -0.8])
SIGMA = np.array([0.3, 0.1])


def bins(x: np.ndarray) -> np.ndarray:
    return np.searchsorted(EDGES[1:-1], x[:, 0], side="right")


def tilt_and_rate() -> Nuisances:
    """log r is constant in each bin."""
    tilt = SeparableLogRatio("tilt", lambda nu: jnp.array([0.0 * nu[0], nu[0]]), lambda x: SLOPE[bins(x)])
    ratio = SumOfLogRatios([tilt, Normalization("rate")])
    return Nuisances(ratio, GaussianConstraint(ratio.nuisances, SIGMA))


def test_ratio_constant_in_bins_gives_the_saturated_goodness_of_fit() -> None:
    """t = 2 [ln L_sat(D) + max ln L(nu|A) - max_nu (ln L(nu|D) + ln L(nu|A))], to 1e-8."""
    rng = np.random.default_rng(1)
    reference, data = draw_reference(rng, 3000), draw_data(rng, 0.2, 0.1)
    test = NPLMTest(
        reference, HistogramModel(edges=(EDGES,), reference_exact=True), coordinates="raw", nuisances=tilt_and_rate()
    )
    n = np.bincount(bins(data.events), minlength=5)
    expected = np.bincount(bins(reference.events), reference.weights, 5)
    assert data.auxiliary is not None

    def minus_log_likelihood(nu: np.ndarray) -> float:
        mu = expected * np.exp(nu[0] * SLOPE + nu[1])
        return float(mu.sum() - n @ np.log(mu) + ((data.auxiliary - nu) ** 2 / SIGMA**2).sum() / 2)

    best = minimize(minus_log_likelihood, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-12})
    saturated = n.sum() - n @ np.log(n)
    t = test.fit([data]).t[0]
    assert t == pytest.approx(2 * (best.fun - saturated), abs=1e-8)


def test_ratio_that_varies_in_bins_is_profiled_exactly() -> None:
    rng = np.random.default_rng(2)
    nuisances, reference, data = scale_and_normalization(), draw_reference(rng, 3000), draw_data(rng, 0.3, 0.1)
    test = NPLMTest(
        reference, HistogramModel(edges=(EDGES,), reference_exact=True), coordinates="raw", nuisances=nuisances
    )
    n = np.bincount(bins(data.events), minlength=5)

    def minus_half_tau(nu: np.ndarray) -> float:
        r = np.exp(-nu[0] - reference.events[:, 0] * np.expm1(-nu[0]) + nu[1])
        f = np.log(n / np.bincount(bins(reference.events), reference.weights * r, 5))
        return loss(nuisances, reference, data, nu, (f[bins(reference.events)], f[bins(data.events)]))

    best = minimize(minus_half_tau, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-11})
    fits = test.fit([data])
    assert fits.delta is not None
    assert fits.t[0] + fits.delta[0] == pytest.approx(-2 * best.fun, abs=1e-6)


def test_a_finite_reference_gives_the_goodness_of_fit_of_two_poisson_samples() -> None:
    """With r constant in each bin the rates are profiled in closed form: (n + N) / (r + 1/w) events at r = 1."""
    rng = np.random.default_rng(4)
    reference, data = draw_reference(rng, 3000), draw_data(rng, 0.2, 0.1)
    test = NPLMTest(reference, HistogramModel(edges=(EDGES,)), coordinates="raw", nuisances=tilt_and_rate())
    n, of_reference = (np.bincount(bins(sample.events), minlength=5) for sample in (data, reference))
    w = reference.weights[0]
    auxiliary = data.auxiliary
    assert auxiliary is not None

    def minus_log_likelihood(nu: np.ndarray) -> float:
        r = np.exp(nu[0] * SLOPE + nu[1])
        rate = (n + of_reference) / (r + 1 / w)
        constraint = ((auxiliary - nu) ** 2 / SIGMA**2).sum() / 2
        return float(-(n @ np.log(rate * r) + of_reference @ np.log(rate / w)) + constraint)

    best = minimize(minus_log_likelihood, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-12})
    saturated = -(n @ np.log(n) + of_reference @ np.log(of_reference))
    fits = test.fit([data])
    assert fits.t[0] == pytest.approx(2 * (best.fun - saturated), abs=1e-6)
    assert fits.nu_delta is not None
    assert fits.nu_delta[0] == pytest.approx(best.x, abs=1e-6)


def test_a_bin_without_data_is_fitted() -> None:
    """Where f falls without limit t has its own: 2 N log(1 + w) for a bin of N events that are all the reference's."""
    reference, nothing = Sample([0.1, 0.2, 1.0, 1.1, 1.2], np.full(5, 0.5)), Normalization("none")
    nuisances = Nuisances(nothing, GaussianConstraint("none", 1e-6))
    model = HistogramModel(edges=((0.0, 0.5, 2.0),))
    test = NPLMTest(reference, model, coordinates="raw", nuisances=nuisances)
    fits = test.fit([Sample([0.1])])
    assert fits.converged[0]
    assert fits.t[0] == pytest.approx(2 * 3 * np.log(1.5), abs=1e-6)
    assert fits.parameters[0, 1] == -np.inf


@pytest.mark.parametrize("exact", [False, True])
def test_a_reference_as_small_as_the_data_keeps_the_size(exact: bool) -> None:
    """100 pairs of 500 + 500 events, both fresh: 5% fire, but with the reference taken as exact more."""
    nuisances, p = scale_and_normalization(), []
    for key in range(100):
        rng = np.random.default_rng([key, 1])
        reference, moved = Sample(rng.exponential(size=500)), rng.choice([-0.15, 0, 0.15])
        model = HistogramModel(10, reference_exact=exact)
        test = NPLMTest(reference, model, coordinates="raw", nuisances=nuisances)
        p.append(chi2(10).sf(test.statistic(draw_data(rng, moved, expected=500.0))))
    rejected, error = np.mean(np.array(p) < 0.05), np.sqrt(0.05 * 0.95 / 100)
    assert (abs(rejected - 0.05) < 3.3 * error) == (not exact)


@pytest.mark.parametrize("rho", [0.9, 0.0])
def test_correlated_normalizations_keep_the_size(rho: float) -> None:
    """One bin of 20,000 events, two normalizations of 2.5% whose measurements are correlated by 0.9; 4000 toys.

    A test that takes them for independent fires three times too often.
    """
    rng = np.random.default_rng(3)
    sigma, toys = np.full(2, 0.025), 4000
    covariance = np.outer(sigma, sigma) * np.array([[1, 0.9], [0.9, 1]])
    ratio = SumOfLogRatios([Normalization("first"), Normalization("second")])
    assumed = np.outer(sigma, sigma) * np.array([[1, rho], [rho, 1]])
    constraint = CorrelatedGaussian(("first", "second"), assumed)
    reference = Sample(np.linspace(0.1, 0.9, 50), np.full(50, 400.0))
    test = NPLMTest(
        reference, HistogramModel(1, reference_exact=True), coordinates="raw", nuisances=Nuisances(ratio, constraint)
    )
    auxiliary = rng.multivariate_normal(np.zeros(2), covariance, toys)
    counts = rng.poisson(20_000, toys)
    data = [Sample([0.5], [n]).with_auxiliary(a) for n, a in zip(counts, auxiliary, strict=True)]
    rejected = np.mean(test.fit(data).t > chi2(1).isf(0.05))
    error = np.sqrt(0.05 * 0.95 / toys)
    if rho == 0.9:
        assert abs(rejected - 0.05) < 3.3 * error
    else:
        assert rejected > 0.1
