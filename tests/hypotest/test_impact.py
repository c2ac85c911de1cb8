"""Impacts: t with a nuisance held at 0, less t, against minimizers and tests that know no such nuisance."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from nplm import GaussianConstraint, HistogramModel, KernelModel, NPLMTest, Nuisances, Sample
from nplm.hypotest.assembly import with_impacts
from nplm.hypotest.impact import impacts
from nplm.models.base import Model, PreparedWithNuisances
from nplm.nuisance import Constraint, CorrelatedGaussian, LogRatio, Normalization, SeparableLogRatio, SumOfLogRatios
from tests.nuisance.problems import SIGMA, draw_data, draw_reference, scale

EDGES = (0.0, 0.3, 0.8, 1.5, 3.0, 20.0)
SLOPE = np.array([0.5, 0.3, 0.0, -0.3, -0.8])
MODELS = [HistogramModel(edges=(EDGES,), reference_exact=True), KernelModel(width=2.0, centers=40)]
CORRELATED = SIGMA**2 * np.array([[1.0, 0.6], [0.6, 1.0]])
CONSTRAINTS: list[tuple[str, Constraint]] = [
    ("independent", GaussianConstraint(("tilt", "rate"), SIGMA)),
    ("correlated", CorrelatedGaussian(("tilt", "rate"), CORRELATED)),
]


def bins(x: np.ndarray) -> np.ndarray:
    return np.searchsorted(EDGES[1:-1], x[:, 0], side="right")


def tilt() -> SeparableLogRatio:
    return SeparableLogRatio("tilt", lambda nu: jnp.array([0.0 * nu[0], nu[0]]), lambda x: SLOPE[bins(x)])


def samples() -> tuple[Sample, Sample]:
    """A reference, and data that are moved by both nuisances, whose measurements are not nominal."""
    rng = np.random.default_rng(1)
    return draw_reference(rng, 3000), draw_data(rng, 0.2, 0.1).with_auxiliary(np.array([0.1, -0.05]))


def prepared(
    model: Model, ratios: Sequence[LogRatio], constraint: Constraint, reference: Sample
) -> PreparedWithNuisances:
    nuisances = Nuisances(SumOfLogRatios(ratios), constraint)
    test = NPLMTest(reference, model, coordinates="raw", nuisances=nuisances)
    assert test.prepared.profiled is not None
    return test.prepared.profiled


@pytest.mark.parametrize(("kind", "constraint"), CONSTRAINTS)
def test_bins_with_a_nuisance_held_are_those_of_a_simplex_along_the_other(kind: str, constraint: Constraint) -> None:
    """t = 2 [min over nu of -log L(nu|D) L(nu|A) - that of the saturated model], with nu_i = 0; to 1e-7."""
    reference, data = samples()
    assert data.auxiliary is not None
    a = data.auxiliary
    inverse = np.linalg.inv(CORRELATED if kind == "correlated" else SIGMA**2 * np.eye(2))
    n = np.bincount(bins(data.events), minlength=5)
    expected = np.bincount(bins(reference.events), reference.weights, 5)

    def loss(nu: np.ndarray) -> float:
        mu = expected * np.exp(nu[0] * SLOPE + nu[1])
        return float(mu.sum() - n @ np.log(mu) + (a - nu) @ inverse @ (a - nu) / 2)

    def t(moves: np.ndarray) -> float:
        """A saturated model leaves the nuisances to their measurements alone, with those held at 0."""
        options = {"xatol": 1e-11, "fatol": 1e-12}
        best = minimize(lambda v: loss(v * moves), np.zeros(2), method="Nelder-Mead", options=options)
        known = minimize(
            lambda v: (a - v * moves) @ inverse @ (a - v * moves) / 2, np.zeros(2), options={"gtol": 1e-10}
        )
        return float(2 * (best.fun - n.sum() + n @ np.log(n) - known.fun))

    everything = t(np.ones(2))
    by_hand = [t(moves) - everything for moves in (np.array([0.0, 1.0]), np.array([1.0, 0.0]))]
    model = prepared(MODELS[0], [tilt(), Normalization("rate")], constraint, reference)
    fits = model.fit([data])
    assert fits.t[0] == pytest.approx(everything, abs=1e-7)
    np.testing.assert_allclose(impacts(model, data, float(fits.t[0])), by_hand, atol=1e-7)
    # Both matter, so that impacts of the other nuisance, or none, would be found out.
    assert min(np.abs(by_hand)) > 0.1
    assert abs(by_hand[0] - by_hand[1]) > 0.1


@pytest.mark.parametrize(
    "model", [MODELS[0], pytest.param(MODELS[1], marks=pytest.mark.slow)], ids=["histogram", "kernel"]
)
def test_held_is_not_there(model: Model) -> None:
    """Holding the rate is the test that knows the tilt alone, with what is known of it at a rate of 0."""
    reference, data = samples()
    assert data.auxiliary is not None
    first, second = data.auxiliary
    two = prepared(model, [tilt(), Normalization("rate")], CONSTRAINTS[1][1], reference)
    # The normal distribution of the first, conditional on the second being 0 where it was measured as a.
    rho = CORRELATED[0, 1] / CORRELATED[0, 0]
    one = prepared(model, [tilt()], GaussianConstraint("tilt", SIGMA * np.sqrt(1 - rho**2)), reference)
    alone = one.fit([data.with_auxiliary(np.array([first - rho * second]))])
    held = two.fit([data], held=("rate",))
    assert held.converged.all()
    assert held.t[0] == pytest.approx(alone.t[0], abs=1e-7)
    for of_held, of_one in ((held.nu_delta, alone.nu_delta), (held.nu_tau, alone.nu_tau)):
        assert of_held is not None
        assert of_one is not None
        assert of_held[0, 1] == 0.0
        assert of_held[0, 0] == pytest.approx(of_one[0, 0], abs=1e-5)


@pytest.mark.parametrize("model", MODELS, ids=["histogram", "kernel"])
def test_a_nuisance_of_no_effect_has_no_impact(model: Model) -> None:
    reference, data = samples()
    nothing = SeparableLogRatio("nothing", lambda nu: 0.0 * nu)
    test = prepared(model, [nothing, scale()], GaussianConstraint(("nothing", "scale"), [2.0, SIGMA]), reference)
    # Its measurement is a standard deviation off.
    moved = data.with_auxiliary(np.array([2.0, 0.0]))
    fits = test.fit([moved])
    of_nothing, of_scale = impacts(test, moved, float(fits.t[0]))
    assert abs(of_nothing) < 1e-8
    assert abs(of_scale) > 1
    assert fits.delta is not None
    assert fits.delta[0] - test.fit([moved], held=("nothing",)).delta[0] == pytest.approx(1.0, abs=1e-8)  # type: ignore[index]


def test_results_have_impacts() -> None:
    reference, data = samples()
    nuisances = Nuisances(SumOfLogRatios([tilt(), Normalization("rate")]), CONSTRAINTS[0][1])
    test = NPLMTest(reference, MODELS[0], coordinates="raw", nuisances=nuisances)
    result = test.run(data, 0)
    assert result.nuisances is not None
    assert test.prepared.profiled is not None
    expected = impacts(test.prepared.profiled, data, result.t)
    np.testing.assert_array_equal(result.nuisances.impact, expected)
    again = with_impacts(test, data, result)
    assert again.nuisances is not None
    np.testing.assert_array_equal(again.nuisances.impact, expected)
    plain = NPLMTest(reference, MODELS[0], coordinates="raw")
    with pytest.raises(ValueError, match="a test without nuisances has no impacts"):
        with_impacts(plain, data, plain.run(data, 0))


def test_without_t_there_is_no_impact_and_unknown_names_are_refused() -> None:
    reference, data = samples()
    test = prepared(MODELS[0], [tilt(), Normalization("rate")], CONSTRAINTS[0][1], reference)
    assert np.isnan(impacts(test, data, np.nan)).all()
    with pytest.raises(ValueError, match="'other' cannot be held: the nuisances are tilt, rate"):
        test.fit([data], held=("other",))
