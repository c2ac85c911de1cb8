"""Delta, against minimizers that know nothing of sums and batches."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from nplm import GaussianConstraint, Sample
from nplm.nuisance import Constraint, CorrelatedGaussian, Normalization, PoissonControlRegion, SumOfLogRatios
from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.profile import PreparedNuisances
from tests.nuisance.problems import EXPECTED, draw_data, draw_reference, loss, scale_and_normalization


def prepared(nuisances: Nuisances, reference: Sample) -> PreparedNuisances:
    return PreparedNuisances.of(nuisances, nuisances.columns(reference.events), reference.weights)


@pytest.mark.parametrize("moved", [0.0, 0.3, -0.3])
def test_delta_is_the_minimum_that_a_simplex_finds(moved: float) -> None:
    rng = np.random.default_rng(5)
    nuisances, reference = scale_and_normalization(), draw_reference(rng, 4000)
    data = [draw_data(rng, moved, more) for more in (0.0, 0.15)]
    profile = prepared(nuisances, reference)
    found = profile.fit(data)
    assert found.converged.all()
    for sample, delta, nu in zip(data, found.delta, found.nu, strict=True):
        options = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 10_000}
        best = minimize(
            lambda v, d=sample: loss(nuisances, reference, d, v), [0.0, 0.0], method="Nelder-Mead", options=options
        )
        assert delta == pytest.approx(-2 * best.fun, abs=1e-7)
        assert nu == pytest.approx(best.x, abs=1e-5)


def test_delta_of_a_yield_is_known_in_closed_form() -> None:
    """A normalization that nothing else knows takes the data's yield: Delta is 2 [n log(n / N) - n + N]."""
    reference = draw_reference(np.random.default_rng(1), 1000)
    nuisances = Nuisances(Normalization("yield"), GaussianConstraint("yield", 1e6))
    profile = prepared(nuisances, reference)
    n = 2300.0
    data = Sample(np.ones(int(n)))
    found = profile.fit([data])
    assert found.delta[0] == pytest.approx(2 * (n * np.log(n / EXPECTED) - n + EXPECTED), rel=1e-8)
    assert found.nu[0, 0] == pytest.approx(np.log(n / EXPECTED), rel=1e-8)


def test_mean_delta_of_set_up_a() -> None:
    """52.7 +- 0.1 at one standard deviation of the normalization, as computed elsewhere; 400 toys."""
    rng = np.random.default_rng(11)
    nuisances, reference = scale_and_normalization(), draw_reference(rng, 20_000)
    profile = prepared(nuisances, reference)
    data = [draw_data(rng, more=0.15) for _ in range(400)]
    delta = profile.fit(data).delta
    error = delta.std() / np.sqrt(len(delta))
    # The reference is one draw, and a yield that is known exactly.
    assert abs(delta.mean() - 52.7) < 3 * np.hypot(error, 0.1)
    # Negative control: data at the nominal yield have a Delta of two degrees of freedom.
    nominal = [draw_data(rng) for _ in range(100)]
    assert profile.fit(nominal).delta.mean() < 5


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        (GaussianConstraint("yield", 0.1, 0.03), 0.03),
        (PoissonControlRegion("yield", 130, 200.0, response=2.0, background=30.0), np.log(100 / 200) / 2),
        # No count is the more likely the smaller the yield: there is no best one.
        (PoissonControlRegion("yield", 0, 200.0), np.nan),
    ],
    ids=["gaussian", "poisson", "no count"],
)
def test_measured_is_the_maximum_of_the_auxiliary_likelihood(constraint: Constraint, expected: float) -> None:
    reference = draw_reference(np.random.default_rng(1), 500)
    profile = prepared(Nuisances(Normalization("yield"), constraint), reference)
    found = profile.measured(np.asarray(constraint.auxiliary))
    np.testing.assert_allclose(found, [expected], atol=1e-8)


def test_measured_values_that_are_correlated_are_what_was_measured() -> None:
    covariance = np.array([[0.04, 0.015], [0.015, 0.01]])
    ratio = SumOfLogRatios([Normalization("first"), Normalization("second")])
    nuisances = Nuisances(ratio, CorrelatedGaussian(("second", "first"), covariance))
    profile = prepared(nuisances, draw_reference(np.random.default_rng(1), 500))
    # The constraint has another order than the log-ratio.
    np.testing.assert_allclose(profile.measured(np.array([0.3, -0.1])), [-0.1, 0.3], atol=1e-8)


def test_unknown_and_unconstrained_nuisances_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing constrains yield"):
        Nuisances(Normalization("yield"), GaussianConstraint("scale", 1.0))
    with pytest.raises(ValueError, match="other is constrained, but no log-ratio depends on it"):
        Nuisances(Normalization("yield"), GaussianConstraint(("yield", "other"), 1.0))
