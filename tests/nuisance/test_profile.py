"""Delta, against minimisers that know nothing of sums and batches."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from nplm import GaussianConstraint, Normalization, Sample
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
    found = profile.fit(profile.sums(data), profile.auxiliary(data))
    assert found.converged.all()
    for sample, delta, nu in zip(data, found.delta, found.nu, strict=True):
        options = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 10_000}
        best = minimize(
            lambda v, d=sample: loss(nuisances, reference, d, v), [0.0, 0.0], method="Nelder-Mead", options=options
        )
        assert delta == pytest.approx(-2 * best.fun, abs=1e-7)
        assert nu == pytest.approx(best.x, abs=1e-5)


def test_delta_of_a_yield_is_known_in_closed_form() -> None:
    """A normalisation that nothing else knows takes the data's yield: Delta is 2 [n log(n / N) - n + N]."""
    reference = draw_reference(np.random.default_rng(1), 1000)
    nuisances = Nuisances(Normalization("yield"), GaussianConstraint("yield", 1e6))
    profile = prepared(nuisances, reference)
    n = 2300.0
    data = Sample(np.ones(int(n)))
    found = profile.fit_sample(data)
    assert found.delta[0] == pytest.approx(2 * (n * np.log(n / EXPECTED) - n + EXPECTED), rel=1e-8)
    assert found.nu[0, 0] == pytest.approx(np.log(n / EXPECTED), rel=1e-8)


def test_mean_delta_of_set_up_a() -> None:
    """52.7 +- 0.1 at one standard deviation of the normalisation, as computed elsewhere; 400 toys."""
    rng = np.random.default_rng(11)
    nuisances, reference = scale_and_normalization(), draw_reference(rng, 20_000)
    profile = prepared(nuisances, reference)
    data = [draw_data(rng, more=0.15) for _ in range(400)]
    delta = profile.fit(profile.sums(data), profile.auxiliary(data)).delta
    error = delta.std() / np.sqrt(len(delta))
    # The reference is one draw, and a yield that is known exactly.
    assert abs(delta.mean() - 52.7) < 3 * np.hypot(error, 0.1)
    # Negative control: data at the nominal yield have a Delta of two degrees of freedom.
    nominal = [draw_data(rng) for _ in range(100)]
    assert profile.fit(profile.sums(nominal), profile.auxiliary(nominal)).delta.mean() < 5


def test_unknown_and_unconstrained_nuisances_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing constrains yield"):
        Nuisances(Normalization("yield"), GaussianConstraint("scale", 1.0))
    with pytest.raises(ValueError, match="other is constrained, but no log-ratio depends on it"):
        Nuisances(Normalization("yield"), GaussianConstraint(("yield", "other"), 1.0))
