"""Learned polynomials: near the exact ratio of the interference, positive where they must be, exact in the yield."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nplm import GaussianConstraint, Nuisances, Sample
from nplm.learning import (
    LearnedPolynomialRatio,
    MorphedSample,
    RegressionSettings,
    learn_from_morphing,
    learn_polynomial_from_samples,
    read_ratio,
    write_ratio,
)
from nplm.learning.learned_polynomial import PolynomialForm
from nplm.learning.positive import made_positive
from nplm.nuisance.profile import PreparedNuisances
from nplm.nuisance.ratios.base import log_ratio
from nplm.nuisance.ratios.monomials import monomials, powers_of
from toys.interference import MONOMIALS, PARAMETERS, Interference

PROBLEM = Interference(2)
ONE = [{}, {"c_even": 1.0}, {"c_even": -1.0}]
TWO = [*ONE, {"c_odd": 1.0}, {"c_odd": -1.0}, {"c_even": 1.0, "c_odd": 1.0}]
SETTINGS = RegressionSettings(members=2, centers=80)


@cache
def morphed(parameters: int = 1, n: int = 20_000) -> MorphedSample:
    points = ONE if parameters == 1 else TWO
    sample, weights = PROBLEM.draw_weighted(np.random.default_rng(1), n, points)
    return MorphedSample.of(sample, weights, points, PARAMETERS[:parameters])


@cache
def learned(form: PolynomialForm = "positive", parameters: int = 1) -> LearnedPolynomialRatio:
    return learn_from_morphing(morphed(parameters), form=form, reach=0.3, settings=SETTINGS)


def kept(s: np.ndarray, exact: np.ndarray, expected: np.ndarray) -> float:
    """Share of the information that an observable s keeps: its squared correlation with the exact score."""
    return float((expected @ (s * exact)) ** 2 / (expected @ s**2) / (expected @ exact**2))


@pytest.mark.parametrize("form", ["positive", "polynomial"])
def test_the_learned_polynomial_is_near_the_exact_one(form: PolynomialForm) -> None:
    ratio = learned(form)
    assert ratio.validation is not None
    assert ratio.validation.passed
    x, expected = PROBLEM.cells()
    exact = PROBLEM.polynomial(x)[:, [0, 2]]
    found = ratio.polynomial(x)
    errors = np.sqrt(expected @ (found - exact) ** 2 / expected.sum())
    sizes = np.sqrt(expected @ exact**2 / expected.sum())
    assert errors[0] < 0.15 * sizes[0]
    assert errors[1] < 0.4 * sizes[1]
    assert kept(ratio.score(x)[:, 0], exact[:, 0], expected) > 0.97
    # Another function of x, the energy alone, does not do.
    assert kept(x[:, 0], exact[:, 0], expected) < 0.6
    assert (ratio.spread(x[::50]) > 0).all()


def test_two_parameters() -> None:
    ratio = learned("positive", 2)
    x, expected = PROBLEM.cells()
    exact = PROBLEM.polynomial(x)
    found = ratio.score(x)
    for i in range(2):
        assert kept(found[:, i], exact[:, i], expected) > 0.95
        assert kept(found[:, 1 - i], exact[:, i], expected) < 0.3
    assert ratio.terms == ("c_even", "c_odd", "c_even^2", "c_even c_odd", "c_odd^2")


@pytest.mark.parametrize("form", ["positive", "polynomial"])
def test_the_yield_is_exact_at_every_theta(form: PolynomialForm) -> None:
    sample, ratio = morphed().sample, learned(form)
    for theta in (-0.3, -0.1, 0.2, 0.3):
        total = sample.weights @ np.exp(ratio.log_ratio(sample.events, {"c_even": theta}))
        np.testing.assert_allclose(total, morphed().yield_at({"c_even": theta}).value, rtol=1e-9)
        # As nuisances and as parameters of interest see it.
        separable = log_ratio(ratio, sample.events, {"c_even": theta})
        with jax.enable_x64(True):
            columns = jnp.asarray(ratio.columns(sample.events))
            pointwise = np.asarray(ratio.log_r(columns, jnp.asarray([theta])))
        exact = ratio.log_ratio(sample.events, {"c_even": theta})
        np.testing.assert_allclose(separable, exact, atol=2e-3)
        np.testing.assert_allclose(pointwise, exact, atol=1e-10)


def test_derivatives_at_zero_are_the_score() -> None:
    ratio, x = learned(), morphed().sample.events[:200]
    with jax.enable_x64(True):
        columns = jnp.asarray(ratio.columns(x))
        slope = np.asarray(jax.jacfwd(lambda nu: ratio.log_r(columns, nu))(jnp.zeros(1)))
        second = np.asarray(jax.hessian(lambda nu: ratio.log_r(columns, nu).sum())(jnp.zeros(1)))
    np.testing.assert_allclose(slope, ratio.score(x), atol=1e-10)
    assert np.isfinite(second).all()


def test_the_positive_form_is_positive_everywhere_and_keeps_what_is() -> None:
    """Random polynomials at any theta; those that were positive by far are as they were."""
    rng = np.random.default_rng(4)
    for k in (1, 2, 3):
        powers = monomials(k, 2)[1:]
        values = rng.normal(size=(300, len(powers)))
        changed = made_positive(values, powers)
        np.testing.assert_array_equal(changed[:, :k], values[:, :k])
        theta = rng.normal(scale=3, size=(2000, k))
        assert (1 + values @ powers_of(theta, powers).T < 0).any()
        assert (1 + changed @ powers_of(theta, powers).T > 0).all()
        # (1 + theta . a)^2 + |theta|^2 of any a.
        a = rng.normal(scale=0.3, size=(300, k))
        whole = np.zeros((300, len(powers)))
        for t, row in enumerate(powers):
            place = np.repeat(np.arange(k), row)
            if len(place) == 1:
                whole[:, t] = 2 * a[:, place[0]]
            else:
                whole[:, t] = a[:, place[0]] * a[:, place[1]] * (1 if place[0] == place[1] else 2) + (
                    place[0] == place[1]
                )
        np.testing.assert_allclose(made_positive(whole, powers), whole, atol=1e-12)


def test_a_ratio_is_checked_where_it_is_asked_to_be() -> None:
    """At c = .7 with all features it agrees; blind to m it fails there."""
    at = {"c_even": 0.7}
    found = learn_from_morphing(morphed(), reach=0.8, settings=SETTINGS, checked=[at])
    blind = learn_from_morphing(morphed(), reach=0.8, inputs=["phi"], settings=SETTINGS, checked=[at])
    assert found.validation is not None
    assert blind.validation is not None
    where = "c_even = 0.7"
    assert any(where in check.describe() for check in found.validation.checks)
    assert found.validation.passed
    assert any(where in check.describe() for check in blind.validation.failures)
    usual = learned().validation
    assert usual is not None
    assert not any(where in check.describe() for check in usual.checks)
    for wrong in ({"c_even": 0.31}, {"c_even": 0.0}):
        with pytest.raises(ValueError, match="within its reach, and not at 0"):
            learn_from_morphing(morphed(), reach=0.3, settings=SETTINGS, checked=[wrong])


def test_learned_from_samples_is_right_but_knows_less() -> None:
    rng = np.random.default_rng(2)
    central = PROBLEM.draw_reference(rng, 20_000)
    points = [{"c_even": 0.4}, {"c_even": -0.4}]
    ratio = learn_polynomial_from_samples(
        central, [(point, PROBLEM.draw_reference(rng, 20_000, point)) for point in points], settings=SETTINGS
    )
    assert ratio.validation is not None
    assert ratio.validation.passed
    x, expected = PROBLEM.cells()
    exact = PROBLEM.polynomial(x)[:, 0]
    from_samples = kept(ratio.score(x)[:, 0], exact, expected)
    assert 0.85 < from_samples < kept(learned().score(x)[:, 0], exact, expected)
    # The yields of the samples are known, and passed through.
    for point in points:
        total = central.weights @ np.exp(ratio.log_ratio(central.events, point))
        np.testing.assert_allclose(total, PROBLEM.expected_at(point), rtol=1e-9)


def test_as_a_nuisance_it_is_found_where_the_exact_density_has_it() -> None:
    """Data at c_even = .2, with a constraint of .1 on it: Delta and nu as by a scan of the exact likelihood."""
    sample = morphed().sample
    data = PROBLEM.draw_data(np.random.default_rng(9), {"c_even": 0.2})
    nuisances = Nuisances(learned(), GaussianConstraint(("c_even",), [0.1]))
    nuisances.require_reference(sample)
    np.testing.assert_allclose(nuisances.learned_range, [[-0.3, 0.3]])
    profile = PreparedNuisances.of(nuisances, nuisances.columns(sample.events), sample.weights).fit([data])
    assert profile.converged.all()
    scan = np.linspace(-0.3, 0.3, 601)
    exact = np.array(
        [
            PROBLEM.log_ratio(data.events, {"c_even": c}).sum() - PROBLEM.expected_at({"c_even": c}) - c**2 / 0.02
            for c in scan
        ]
    )
    best = int(exact.argmax())
    assert profile.nu[0, 0] == pytest.approx(scan[best], abs=0.02)
    assert profile.delta[0] == pytest.approx(2 * (exact[best] - exact[300]), abs=0.6)
    assert scan[best] > 0.05


def test_it_is_stored_and_refused_for_another_reference(tmp_path: Path) -> None:
    ratio, sample = learned(), morphed().sample
    write_ratio(tmp_path / "c.npz", ratio)
    found = read_ratio(tmp_path / "c.npz", sample)
    assert isinstance(found, LearnedPolynomialRatio)
    assert found.document() == ratio.document()
    theta = {"c_even": 0.25}
    np.testing.assert_array_equal(found.log_ratio(sample.events, theta), ratio.log_ratio(sample.events, theta))
    assert found.validation is not None
    assert len(found.validation.checks) == len(ratio.validation.checks if ratio.validation else ())
    with pytest.raises(ValueError, match="learned on another reference"):
        read_ratio(tmp_path / "c.npz", sample.select(np.arange(100)))
    whole = (tmp_path / "c.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match="holds no learned log-ratio"):
        read_ratio(tmp_path / "cut.npz")


def test_a_wrong_ratio_fails_its_checks() -> None:
    """Weights in which the sign of the interference depends on a feature, that the ratio does not see."""
    ratio = learn_from_morphing(morphed(), reach=1.0, inputs=["m"], settings=SETTINGS)
    with pytest.raises(ValueError, match="failed its checks"):
        ratio.require_valid()


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"outside of .-0\.3, 0\.3."):
        learned().log_ratio(morphed().sample.events[:2], {"c_even": 0.5})
    with pytest.raises(ValueError, match="so far from the basis points"):
        learn_from_morphing(morphed(), reach=1e4, settings=SETTINGS)
    with pytest.raises(ValueError, match="must be positive"):
        learn_from_morphing(morphed(), reach=-1.0, settings=SETTINGS)
    with pytest.raises(ValueError, match="inputs must be distinct features of m, phi"):
        learn_from_morphing(morphed(), inputs=["pt"], settings=SETTINGS)
    with pytest.raises(ValueError, match="form must be"):
        learn_from_morphing(morphed(), form="exponential")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="members and centers must be 1 or more"):
        RegressionSettings(members=0)
    with pytest.raises(ValueError, match="features, but what was learned is of m, phi"):
        learned().polynomial(np.zeros((3, 5)))
    few = morphed().select(np.arange(300))
    with pytest.raises(ValueError, match="too few"):
        learn_from_morphing(few, settings=SETTINGS)
    cubic = MorphedSample.of(
        Sample(np.arange(4.0)), np.ones((4, 4)) + np.arange(4) ** 3 * 0.1, [{"c": float(i)} for i in range(4)], degree=3
    )
    with pytest.raises(ValueError, match="positive form is of an even degree, as squares are, not 3"):
        learn_from_morphing(cubic)
    with pytest.raises(ValueError, match="nothing to learn from"):
        learn_polynomial_from_samples(morphed().sample, [])
    with pytest.raises(ValueError, match="has 3 coefficients, but there are 2 basis points"):
        learn_polynomial_from_samples(morphed().sample, [({"c_even": 0.5}, morphed().at({"c_even": 0.5}))])
    assert len(MONOMIALS) == 5
