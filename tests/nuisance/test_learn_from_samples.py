"""Log-ratios learned from varied samples, against exact ones."""

from __future__ import annotations

import pickle
import re
import warnings

import numpy as np
import pytest

from nplm import Sample
from nplm.nuisance.learn_from_samples import learn_from_samples
from nplm.nuisance.learned_ratio import LearnedLogRatio
from nplm.nuisance.log_ratio import log_ratio
from nplm.nuisance.ratio_settings import RatioSettings
from nplm.nuisance.validate_ratio import coverage
from tests.nuisance.learned_problems import SIGMA, exponential, of_exponential, rms

EVENTS = 20_000
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
