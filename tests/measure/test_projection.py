"""Modes less what a fit absorbs: the algebra beside the kernel model's null with nuisances, and what is absorbed."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.family.member import Member, Part, shrinkage
from nplm.measure import goodness_of_fit
from nplm.measure.left import PointOfFit, look_for_more
from nplm.measure.projection import Fitted, projected
from nplm.models.kernel.null_with_nuisances import weighted_chi2_with_nuisances


@pytest.mark.parametrize("stiffness", [0.0, 3.0])
def test_the_null_of_a_projected_kernel_is_that_of_tau_less_delta(stiffness: float) -> None:
    """The weights of t are those of `weighted_chi2_with_nuisances`, whose nuisances are the parameters."""
    rng = np.random.default_rng(3)
    n, r, k, penalty = 400, 6, 2, 0.02
    values = rng.normal(size=(n, r + k)) @ rng.normal(size=(r + k, r + k))
    values -= values.mean(axis=0)
    phi, scores = values[:, :r], values[:, r:]
    # Modes with sum phi phi^T = 1, as those of a part are.
    phi = phi @ np.linalg.inv(np.linalg.cholesky(phi.T @ phi)).T
    mu = np.sort(rng.uniform(0.01, 1.0, r))[::-1]
    one = np.ones(n)
    known = stiffness * np.eye(k)
    beyond = np.sqrt(stiffness) * np.eye(k)
    fitted = Fitted(scores, scores.T @ scores + known, one, one, beyond, None, np.zeros(k), np.zeros(k))
    member = Member("all", (0,), 1.0, penalty, shrinkage(mu, penalty))
    part = projected([Part(None, phi, mu, (member,))], fitted)[0]
    moments = np.column_stack([phi, scores]).T @ np.column_stack([phi, scores])
    expected = weighted_chi2_with_nuisances(moments, moments, np.eye(k), known, penalty / mu).weights
    found = part.members[0].shrinkage
    # Modes that hardly count are left out.
    np.testing.assert_allclose(np.sort(found)[::-1], np.sort(expected)[::-1][: len(found)], rtol=1e-8)
    assert np.sort(expected)[::-1][len(found) :].sum() < 0.15 * expected.sum()
    # The scores that are left are independent, of variance one, and do not know the parameters' scores.
    rows = part.phi_in_pool(np.arange(n + k))
    second = np.append(one, np.full(k, fitted.unit))
    np.testing.assert_allclose((rows * second[:, None]).T @ rows, np.eye(len(found)), atol=1e-9)
    if stiffness == 0:
        np.testing.assert_allclose(rows[:n].T @ scores, 0, atol=1e-9)


def _density(x: np.ndarray, theta: np.ndarray) -> np.ndarray:
    return -theta[1] - 0.5 * ((x[:, 0] - theta[0]) * np.exp(-theta[1])) ** 2


def _fit(x: np.ndarray) -> dict[str, float]:
    return {"mean": float(x.mean()), "log width": float(np.log(x.std()))}


def test_what_was_fitted_is_not_looked_at() -> None:
    """With mean and width fitted these are no tests any more; with the mean alone the width is."""
    rng = np.random.default_rng(1)
    x = rng.normal(0.3, 1.4, 400)
    theta = _fit(x)
    model = rng.normal(theta["mean"], np.exp(theta["log width"]), 4000)
    found = goodness_of_fit(x, model, _density, theta, resamples=99)
    assert "mean of x0 as it is" not in found.tests
    assert "spread of x0 as it is" not in found.tests
    assert found.p_value > 0.01
    assert found.parameters == ("mean", "log width")

    def of_mean(events: np.ndarray, point: np.ndarray) -> np.ndarray:
        return _density(events, np.array([point[0], theta["log width"]]))

    found = goodness_of_fit(x, model, of_mean, {"mean": theta["mean"]}, resamples=99)
    assert "mean of x0 as it is" not in found.tests
    assert "spread of x0 as it is" in found.tests


def test_a_poor_estimate_gives_the_same_answer_as_a_good_one() -> None:
    """Neyman's C(alpha): an estimate from half of the events is made good by one step; taken as known it is not."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=600)
    good, poor = _fit(x), _fit(x[:150] + 0.12)
    p = []
    for theta in (good, poor):
        model = rng.normal(theta["mean"], np.exp(theta["log width"]), 6000)
        p.append(goodness_of_fit(x, model, _density, theta, resamples=99).p_value)
    assert min(p) > 0.02
    nothing = PointOfFit(Sample(model), Sample(x), np.zeros((6000, 1)), np.zeros((600, 1)), False, np.zeros((1, 1)))
    assert look_for_more(nothing, ("none",), resamples=99)[0].p_value < 0.01


def test_a_missing_component_is_found_and_named() -> None:
    rng = np.random.default_rng(4)
    x = np.concatenate([rng.normal(size=900), rng.normal(1.5, 0.08, 60)])
    theta = _fit(x)
    model = rng.normal(theta["mean"], np.exp(theta["log width"]), 9000)
    covariance = np.diag([np.exp(2 * theta["log width"]) / 960, 0.5 / 960])
    found = goodness_of_fit(x, model, _density, theta, covariance, resamples=99)
    assert found.z > 4
    assert found.leading_features == ("x0",)
    assert not found.notes
    assert "p = " in repr(found)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameters": {"mean": np.nan, "log width": 0.0}}, "the fitted value of mean must be a finite number"),
        ({"covariance": np.eye(3)}, r"must have shape \(2, 2\)"),
        ({"covariance": -np.eye(2)}, "the variance of mean must be positive"),
        ({"covariance": [[1.0, 2.0], [2.0, 1.0]]}, "not positive definite"),
        ({"log_density": lambda x, t: np.zeros(3)}, "log_density must return shape"),
        (
            {"log_density": lambda x, t: np.where(x[:, 0] > 0, x[:, 0], np.nan)},
            "log_density is nan at the fitted values for event",
        ),
        ({"log_density": lambda x, t: -0.5 * (x[:, 0] - t[0]) ** 2}, "does not depend on log width"),
        ({"log_density": lambda x, t: -0.5 * (x[:, 0] - t[0] - t[1]) ** 2}, "only on a combination of mean, log width"),
        ({"resamples": 10}, "too few to read a p-value"),
        ({"sample_from_fit": np.zeros((100, 2))}, "feature"),
        ({"parameters": []}, "give the fitted parameters"),
    ],
)
def test_bad_input_is_refused(changes: dict[str, object], message: str) -> None:
    rng = np.random.default_rng(1)
    given: dict[str, object] = {
        "data": rng.normal(size=100),
        "sample_from_fit": rng.normal(size=500),
        "log_density": _density,
        "parameters": {"mean": 0.0, "log width": 0.0},
    }
    with pytest.raises(ValueError, match=message):
        goodness_of_fit(**{**given, **changes})


def test_a_covariance_that_is_another_is_remarked_on() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=400)
    theta, model = _fit(x), rng.normal(x.mean(), x.std(), 4000)
    error = np.diag([1 / 400, 0.5 / 400])
    wide, narrow = (goodness_of_fit(x, model, _density, theta, f * error, resamples=99) for f in (9.0, 0.1))
    assert any("the density allows" in note for note in wide.notes)
    assert any("taken to have been constrained" in note for note in narrow.notes)
    moved = goodness_of_fit(x, model + 0.5, _density, {**theta, "mean": theta["mean"] + 0.5}, resamples=99)
    assert any("errors from where the likelihood" in note for note in moved.notes)
