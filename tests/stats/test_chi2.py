"""The chi2 nulls: given and fitted degrees of freedom."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import digamma, gamma
from scipy.stats import chi2, kstest

from nplm.stats.chi2 import Chi2Null, FittedChi2Null, fit_chi2, fit_error, solve_degrees_of_freedom


@pytest.mark.parametrize(("t", "dof"), [(3.0, 2), (11.6, 13), (60.0, 13)])
def test_p_value_is_the_integral_of_the_density(t: float, dof: int) -> None:
    p, _ = quad(lambda x: x ** (dof / 2 - 1) * np.exp(-x / 2) / (2 ** (dof / 2) * gamma(dof / 2)), t, np.inf)
    assert Chi2Null(dof).pvalue(t) == pytest.approx(p, rel=1e-6)
    assert Chi2Null(dof).interval(t) == (Chi2Null(dof).pvalue(t), Chi2Null(dof).pvalue(t))


def test_tail_does_not_saturate() -> None:
    assert 0 < Chi2Null(13).pvalue(1000.0) < 1e-190


def test_description_names_the_degrees_of_freedom() -> None:
    assert Chi2Null(13).describe() == "chi2 with 13 degrees of freedom"


@pytest.mark.parametrize("null", [Chi2Null(13), FittedChi2Null(12.7, 0.2, 400)])
def test_threshold_is_the_inverse_of_the_p_value(null: Chi2Null | FittedChi2Null) -> None:
    t = np.array([1.0, 12.0, 60.0])
    np.testing.assert_array_equal(null.pvalues(t), [null.pvalue(float(v)) for v in t])
    for p in (0.5, 0.02275, 2.87e-7):
        assert null.pvalue(null.threshold(p)) == pytest.approx(p, rel=1e-9)


def test_degrees_of_freedom_solve_the_likelihood_equation() -> None:
    k = np.array([1e-3, 0.1, 1.0, 2.0, 13.0, 300.0, 1e5])
    np.testing.assert_allclose(solve_degrees_of_freedom(digamma(k / 2) + np.log(2)), k, rtol=1e-9)
    # E log t = -gamma for an exponential of mean 2 divided by 2: Euler's constant, from outside SciPy.
    assert float(solve_degrees_of_freedom(np.log(2) - 0.5772156649015329)) == pytest.approx(2.0, rel=1e-12)


@pytest.mark.parametrize("k", [0.7, 2.0, 13.0])
def test_fit_maximizes_the_likelihood(k: float, rng: np.random.Generator) -> None:
    t = rng.chisquare(k, 300)
    fit = fit_chi2(t)
    by_scipy = chi2.fit(t[t >= 1e-6], floc=0, fscale=1)[0]
    assert fit.degrees_of_freedom == pytest.approx(by_scipy, rel=1e-4)

    def log_likelihood(k: float) -> float:
        return float(chi2.logpdf(t[t >= 1e-6], k).sum())

    # The error is that of the curvature: one standard deviation costs 1/2, up to the cubic term.
    best, error = fit.degrees_of_freedom, fit.error
    loss = [log_likelihood(best) - log_likelihood(best + sign * 0.1 * error) for sign in (-1, 1)]
    assert np.mean(loss) == pytest.approx(0.005, rel=0.01)


def test_fitted_degrees_of_freedom_scatter_by_their_error(rng: np.random.Generator) -> None:
    """400 fits to 200 toys of chi2(13): the pulls are standard normal (size 1e-3), and those of chi2(13.2) are not."""
    fits = [fit_chi2(rng.chisquare(13, 200)) for _ in range(400)]
    k, error = np.array([(fit.degrees_of_freedom, fit.error) for fit in fits]).T
    assert kstest((k - 13) / error, "norm").pvalue > 1e-3
    assert kstest((k - 13.2) / error, "norm").pvalue < 1e-3
    assert fit_error(13, 800) == pytest.approx(fit_error(13, 200) / 2)


def test_failed_and_zero_toys_are_left_out_of_the_fit_and_said(rng: np.random.Generator) -> None:
    t = rng.chisquare(13, 100)
    fit = fit_chi2(np.concatenate([t, [np.nan, np.nan, 0.0, -1e-12, 1e-9]]))
    assert (fit.degrees_of_freedom, fit.toys, fit.failed, fit.zeros) == (fit_chi2(t).degrees_of_freedom, 100, 2, 3)
    assert "fitted to 100 toys (2 failed and 3 with t = 0 left out)" in fit.describe()
    assert "left out" not in fit_chi2(t).describe()
    with pytest.raises(ValueError, match="at least 2 toys with t > 0, not 1"):
        fit_chi2(np.array([0.0, 3.0, np.nan]))


def test_intervals_of_the_fitted_chi2_are_those_of_its_degrees_of_freedom() -> None:
    fit = FittedChi2Null(12.7, 0.2, 400)
    assert (fit.kind, Chi2Null(13).kind) == ("chi2 fitted", "chi2 given")
    assert fit.interval(30.0) == pytest.approx((Chi2Null(12.5).pvalue(30.0), Chi2Null(12.9).pvalue(30.0)))
    assert fit.threshold_interval(0.01) == pytest.approx(
        (Chi2Null(12.5).threshold(0.01), Chi2Null(12.9).threshold(0.01))
    )
    assert Chi2Null(13).threshold_interval(0.01) == (Chi2Null(13).threshold(0.01),) * 2
    for k in (1e-3, 1.0, 1e4):
        assert fit_error(k, 2) < k


@pytest.mark.parametrize("z", [-6.0, -1.0, 0.0, 3.0, 35.0, 60.0])
def test_the_t_of_a_z_has_that_z_however_far_out(z: float) -> None:
    null = Chi2Null(7)
    assert null.z(null.threshold_of_z(z)) == pytest.approx(z, rel=1e-9, abs=1e-9)
