"""Log-ratios learned from varied samples, against exact ones."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from nplm import Sample
from nplm.learning.checks import coverage
from nplm.learning.from_samples import learn_from_samples
from nplm.learning.learned_ratio import LearnedLogRatio
from nplm.learning.loss import in_chunks
from nplm.learning.network import RatioNetwork
from nplm.learning.settings import RatioSettings
from nplm.learning.store import read_ratio, write_ratio
from nplm.learning.training import FitRecord, fit_rows
from nplm.nuisance.ratios.base import log_ratio
from tests.learning.learned_problems import SIGMA, exponential, of_exponential, rms

EVENTS = 20_000
NETWORK = RatioNetwork(1, (3,))
GROWTH = 0.5  # the varied samples' yield moves by e^(nu / 2)


def learn(rng: np.random.Generator, **options: object) -> LearnedLogRatio:
    central = exponential(rng, EVENTS)
    varied = [({"scale": nu}, exponential(rng, EVENTS, nu, np.exp(GROWTH * nu))) for nu in (-SIGMA, SIGMA)]
    return learn_from_samples(central, varied, **options)


@pytest.fixture(scope="module")
def learned() -> LearnedLogRatio:
    return learn(np.random.default_rng(11))


@pytest.mark.parametrize("loss", ["squared", "cross-entropy"])
def test_the_exact_log_ratio_is_found_within_its_error(learned: LearnedLogRatio, loss: str) -> None:
    """20,000 events a sample know d1 to .07. Its error is nearly that of one number, the slope, and the spread is that
    of five members: a ratio above 4 has the chance of |t| > 4 with four degrees of freedom, 1.6%."""
    ratio = learned if loss == "squared" else learn(np.random.default_rng(12), settings=RatioSettings(loss=loss))
    assert ratio.converged
    x = np.random.default_rng(1).exponential(size=20_000)
    truth = of_exponential(x, GROWTH)
    linear, quadratic = rms(ratio.basis(x[:, None]) - truth)
    assert linear < 0.18
    # Two samples at +-.15 know the second order to about one.
    assert quadratic < 3
    assert (coverage(ratio, x[:, None], truth) < 4).all()
    # Negative control: with the sign of the other convention, c = r / (1 + r), the error would be that of -d1.
    assert rms(ratio.basis(x[:, None]) + truth)[0] > 1
    ratio.require_valid()


def test_yields_are_exact_at_the_points_and_can_be_factored_out(learned: LearnedLogRatio) -> None:
    central = exponential(np.random.default_rng(11), EVENTS)
    learned.require_reference(central)
    for nu in (-SIGMA, SIGMA):
        total = central.weights @ np.exp(log_ratio(learned, central.events, [nu]))
        assert total == pytest.approx(2000 * np.exp(GROWTH * nu), rel=2e-3)
    settings = RatioSettings(members=1)
    shape = learn(np.random.default_rng(11), settings=settings, yields="factor-out", yield_effect={"scale": 0.5})
    for nu in (-SIGMA, SIGMA):
        r = np.exp(log_ratio(shape, central.events, [nu]))
        # One member: its constants make sums exact.
        assert central.weights @ r == pytest.approx(2000 * np.exp(0.5 * nu), rel=1e-9)
    assert shape.yields == "factor-out"


def test_a_ratio_knows_how_far_it_was_learned(learned: LearnedLogRatio) -> None:
    assert learned.learned_range == {"scale": (-SIGMA, SIGMA)}


def test_ratios_go_through_pickle_with_the_same_values(learned: LearnedLogRatio) -> None:
    events = np.linspace(0, 5, 7)[:, None]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(learned)).basis(events), learned.basis(events))


def test_the_positive_form_finds_the_same_ratio_and_is_positive() -> None:
    """r = (1 + nu a)^2 + (nu b)^2 fitted to mixtures of two exponentials whose density is linear in nu, so that
    log r(nu) is that of a linear function of nu."""
    rng, n = np.random.default_rng(4), 20_000

    def mixture(nu: float) -> Sample:
        # Densities e^-x and 2 e^-2x with shares 1 - nu' and nu'; at nu = 0 the second has the share one half.
        narrow = rng.uniform(size=n) < 0.5 * (1 + nu)
        return Sample(rng.exponential(size=n) * np.where(narrow, 0.5, 1.0), features=["x"], name=f"mixture at {nu:g}")

    varied = [({"share": nu}, mixture(nu)) for nu in (-0.4, 0.4)]
    ratio = learn_from_samples(mixture(0.0), varied, settings=RatioSettings(form="positive", members=3, hidden=(5,)))
    x = np.linspace(0.05, 3, 40)
    one, two = np.exp(-x), 2 * np.exp(-2 * x)
    for nu in (-0.4, 0.2, 0.4):
        exact = np.log1p(nu * (two - one) / (two + one))
        assert np.abs(log_ratio(ratio, x[:, None], [nu]) - exact).max() < 0.12
    assert np.abs(exact).max() > 0.25
    alone = [({"other": nu}, mixture(0.0)) for nu in (-1, 1)]
    both = [*varied, *alone, ({"other": 1, "share": 0.5}, mixture(0.5))]
    with pytest.raises(ValueError, match="no cross terms"):
        learn_from_samples(mixture(0.0), both, settings=RatioSettings(form="positive"))


def falling(rng: np.random.Generator, scale: float, events: int = 50_000) -> Sample:
    """Two falling spectra that were scaled and then cut, as of the transverse momentum and mass of dijets."""
    medians, deviations, cuts = (50, 400), (0.5, 0.6), (30, 200)
    spectra = [np.exp(rng.normal(np.log(m), d, 2 * events)) for m, d in zip(medians, deviations, strict=True)]
    x = scale * np.column_stack(spectra)
    return Sample(x[(x > cuts).all(axis=1)][:events], features=["pt", "mjj"], name=f"scale {scale:g}")


def test_a_fit_whose_steps_have_to_be_damped_goes_on() -> None:
    """A step that has to be damped promises less than the tolerance while there is more to gain."""
    rng = np.random.default_rng(2)
    central, down, up = (falling(rng, scale) for scale in (1.0, 0.98, 1.02))
    settings = RatioSettings(members=1)
    ratio = learn_from_samples(central, [({"scale": -1}, down), ({"scale": 1}, up)], settings=settings)
    assert ratio.converged
    ratio.require_valid()
    # More iterations, which are only a limit, change nothing.
    settings = RatioSettings(members=1, iterations=5000)
    more = learn_from_samples(central, [({"scale": -1}, down), ({"scale": 1}, up)], settings=settings)
    np.testing.assert_array_equal(more.basis(central.events[:9]), ratio.basis(central.events[:9]))


@pytest.mark.parametrize("iterations", [1, 3, 10**6])
def test_a_fit_without_a_minimum_ends_and_can_be_stored(iterations: int) -> None:
    """Regression with weights below zero has none: whatever the budget, numbers that JSON has."""
    rng, n = np.random.default_rng(1), 600
    x, ones = rng.normal(size=(n, 1)), np.ones(n)
    rows = in_chunks(x, ones[:, None], 0 * ones, -100 * ones, 100 * x[:, 0], ones)
    with jax.enable_x64(True):
        theta, record = fit_rows(
            RatioNetwork(1, (3,)), "regression", "exponential", 1, rows, rows, rng, iterations, 1.0
        )
    assert not record.converged
    assert np.isfinite(theta).all()
    assert FitRecord.from_dict(json.loads(json.dumps(record.to_dict(), allow_nan=False))) == record


@pytest.mark.parametrize("stuck", [True, False])
def test_a_fit_that_is_stuck_begins_anew_elsewhere(monkeypatch: pytest.MonkeyPatch, stuck: bool) -> None:
    """With the curvature of all rows; a fit that spent its iterations does not, as the next one would."""
    starts, chunks = [], []

    def descend(network: RatioNetwork, kind: str, form: str, start: np.ndarray, *others: Any) -> Any:
        starts.append(start)
        chunks.append(others[2])
        return start, FitRecord((1.0,), 1.0, 2.0, 1.0, 1.0, False), stuck

    monkeypatch.setattr("nplm.learning.training._descend", descend)
    rng, n = np.random.default_rng(1), 50_000
    ones = np.ones(n)
    rows = in_chunks(rng.normal(size=(n, 1)), ones[:, None], 0 * ones, ones, ones, ones)
    fit_rows(NETWORK, "regression", "exponential", 1, rows, rows, rng, 150, 1.0)
    assert chunks == ([8, 13] if stuck else [8])
    assert not stuck or np.abs(starts[0] - starts[1]).max() > 0.1


def with_failures(monkeypatch: pytest.MonkeyPatch, failed: set[int]) -> LearnedLogRatio:
    """A ratio of four members, some of which are said not to have converged."""
    count = iter(range(4))

    def marked(*arguments: Any) -> Any:
        theta, record = fit_rows(*arguments)
        return theta, replace(record, converged=next(count) not in failed)

    monkeypatch.setattr("nplm.learning.learner.fit_rows", marked)
    return learn(np.random.default_rng(11), settings=RatioSettings(members=4, hidden=(2,)))


def test_members_that_did_not_converge_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    whole = with_failures(monkeypatch, set())
    with pytest.warns(UserWarning, match="1 of the 4 networks of scale did not converge and are left out"):
        ratio = with_failures(monkeypatch, {1})
    assert (ratio.members, ratio.left_out, ratio.converged) == (3, 1, True)
    ratio.require_valid()
    events = np.linspace(0, 5, 7)[:, None]
    np.testing.assert_array_equal(ratio.member_basis(events), whole.member_basis(events)[[0, 2, 3]])
    write_ratio(tmp_path / "ratio.npz", ratio)
    assert read_ratio(tmp_path / "ratio.npz").left_out == 1
    # Of an ensemble most of which failed, nothing is taken.
    most = with_failures(monkeypatch, {0, 1, 3})
    assert most.members == 4
    with pytest.raises(ValueError, match=r"3 of the 4 fits .* did not converge"):
        most.require_valid()


@pytest.mark.slow
def test_a_pair_that_moves_together_has_its_cross_term() -> None:
    """A Gaussian of mean m and deviation e^s: d_m = x, d_s = x^2 - 1, d_ms = -2 x. d_ms is known to .4 or so."""
    rng, n = np.random.default_rng(6), 20_000

    def gaussian(m: float = 0.0, s: float = 0.0) -> Sample:
        return Sample(m + np.exp(s) * rng.normal(size=n), features=["x"], name="gaussian")

    a, b = 0.4, 0.3
    varied = [({"m": v}, gaussian(m=v)) for v in (-a, a)] + [({"s": v}, gaussian(s=v)) for v in (-b, b)]
    varied += [({"m": u * a, "s": v * b}, gaussian(u * a, v * b)) for u in (-1, 1) for v in (-1, 1)]
    ratio = learn_from_samples(gaussian(), varied, settings=RatioSettings(members=2, hidden=(4,)))
    assert ratio.term_names == ("m", "s", "m^2/2", "s^2/2", "m s")
    x = rng.normal(size=5000)
    exact = np.column_stack([x, x**2 - 1, -np.ones_like(x), -2 * x**2, -2 * x])
    errors = rms(ratio.basis(x[:, None]) - exact)
    assert errors[0] < 0.1
    assert errors[1] < 0.2
    # Third orders, 2 x^2 m s^2, ..., are in what points of this size determine.
    assert errors[4] < 0.8 < rms(exact)[4]


def test_each_nuisance_has_inputs_of_its_own() -> None:
    """The scale of x is told from x alone: y, which has nothing to do with it, does not matter for d1."""
    rng, n = np.random.default_rng(8), 5000

    def pair(nu: float) -> Sample:
        return Sample(np.column_stack([np.exp(nu) * rng.exponential(size=n), rng.normal(size=n)]), features=["x", "y"])

    varied = [({"scale": nu}, pair(nu)) for nu in (-0.3, 0.3)]
    ratio = learn_from_samples(pair(0), varied, inputs={"scale": ["x"]}, settings=RatioSettings(members=1, hidden=(3,)))
    events = np.column_stack([np.full(5, 1.5), np.linspace(-3, 3, 5)])
    assert np.ptp(ratio.basis(events), axis=0).max() == 0


def test_what_is_wrong_is_named() -> None:
    rng = np.random.default_rng(3)
    central, up, down = (exponential(rng, 1000, nu) for nu in (0.0, 0.1, -0.1))
    good = [({"scale": 0.1}, up), ({"scale": -0.1}, down)]
    other = Sample(up.events, features=["y"], name="other")
    cases: list[tuple[list, dict, tuple[str, ...]]] = [
        ([], {}, ("no variation",)),
        ([({"scale": 0.1, "other": 1.0}, up)], {}, ("'scale' is varied together with another one only",)),
        ([good[0], ({"scale": -0.1}, other)], {}, ("other lacks x", "lacks y")),
        ([good[0], ({"scale": -0.1}, down.select(slice(0)))], {}, ("is empty",)),
        ([*good, ({"scale": 0.0}, up)], {}, ("must move one nuisance or two",)),
        ([({"scale": np.nan}, up), good[1]], {}, ("finite",)),
        (good, {"inputs": {"scale": ["y"]}}, ("inputs of 'scale'", "y")),
        (good, {"inputs": {"other": ["x"]}}, ("inputs name other",)),
        (good, {"yields": "drop"}, ("yields must be",)),
        (good, {"yield_effect": {"scale": 0.1}}, ("factor-out",)),
        ([good[0], ({"scale": -0.1}, down.select(slice(100)))], {}, ("100 events", "too few")),
    ]
    for varied, options, culprits in cases:
        with pytest.raises(ValueError, match=re.escape(culprits[0])) as caught:
            learn_from_samples(central, varied, **options)
        for culprit in culprits:
            assert culprit in str(caught.value)
    for options in ({"hidden": ()}, {"members": 0}, {"loss": "linear"}, {"form": "cubic"}, {"held_out": 1.0}):
        with pytest.raises(ValueError, match="must"):
            RatioSettings(**options)


def test_copies_of_the_central_sample_are_noticed() -> None:
    rng = np.random.default_rng(3)
    central = exponential(rng, 1000)
    settings = RatioSettings(members=1, hidden=(2,))
    with pytest.warns(UserWarning, match="is identical to exponential"):
        learn_from_samples(central, [({"s": -1}, central), ({"s": 1}, exponential(rng, 1000, 0.1))], settings=settings)
    weighted = Sample(central.events, central.weights * 1.1, ["x"], "weighted")
    with pytest.warns(UserWarning, match="learn_from_weights"), warnings.catch_warnings():
        learn_from_samples(central, [({"s": -1}, weighted), ({"s": 1}, exponential(rng, 1000, 0.1))], settings=settings)
