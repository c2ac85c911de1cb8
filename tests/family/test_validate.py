"""`validate` as a user calls it: what it returns, what it refuses, and what it warns of."""

from __future__ import annotations

import json
from importlib.resources import files

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from scipy.stats import binom

from nplm import Sample, TwoSampleTest, validate
from nplm.two_sample.weights import exchangeability
from nplm.two_sample.with_rate import log_p_of_product, log_p_of_smallest
from tests.two_sample.samples import gaussians, signed

SETTINGS = {"widths": [0.8, 2.5], "penalties": [1e-2, 1e-3], "centers": 40}


def test_a_difference_is_found_and_located(rng) -> None:
    a, b = gaussians(rng, 400), gaussians(rng, 300, shift=0.6)
    result = validate(a, b, resamples=199, **SETTINGS)
    assert result.pvalue == result.p_value == 1 / 200
    assert result.calibration.limit
    assert result.asymptotic is not None
    assert result.asymptotic.z > 5
    # The log-ratio of the densities is 0.6 x - 0.18.
    exact = 0.6 * b.events[:, 0] - 0.18
    assert np.corrcoef(result.log_ratio_b, exact)[0, 1] > 0.9
    assert result.log_ratio_a.shape == (400,)
    assert result.log_ratio_b.mean() > 0 > result.log_ratio_a.mean()
    # Of the density of A times e^f it should be one.
    assert np.exp(result.log_ratio_a).mean() == pytest.approx(1, abs=0.1)
    assert "At least a mild difference" in repr(result)


def test_json_follows_its_schema(rng) -> None:
    schema = json.loads(files("nplm").joinpath("schema/two-sample-1.json").read_text())
    Draft202012Validator.check_schema(schema)
    for ratio, calibrate in ((None, "permutation"), (0.5, "bootstrap"), (None, "asymptotic")):
        result = validate(
            gaussians(rng, 60), gaussians(rng, 50), calibrate=calibrate, resamples=20, expected_ratio=ratio, **SETTINGS
        )
        Draft202012Validator(schema).validate(json.loads(result.to_json()))
    broken = {**json.loads(result.to_json()), "p_value": 2}
    assert not Draft202012Validator(schema).is_valid(broken)


def test_permutations_are_refused_where_weights_are_not_exchangeable(rng) -> None:
    a, b = gaussians(rng, 300), signed(rng, 200)
    with pytest.raises(
        ValueError, match=r"weights of A are all equal and those of B vary.*'asymptotic' or 'bootstrap'"
    ):
        validate(a, b, calibrate="permutation")
    assert validate(a, b, resamples=199).calibration.kind in ("resampling", "analytic")
    result = validate(a, b, draws=1000, statistic="one-step", **SETTINGS)
    assert result.calibration.kind == "analytic"
    assert any("labels may not be permuted" in note for note in result.notes)


@pytest.mark.parametrize(
    ("first", "second", "allowed"),
    [
        (lambda rng: np.ones(300), lambda rng: np.full(200, 7.0), True),
        (lambda rng: rng.exponential(size=300), lambda rng: 5 * rng.exponential(size=200), True),
        (lambda rng: rng.exponential(size=300), lambda rng: rng.uniform(size=200), False),
        (
            lambda rng: np.where(rng.random(300) < 0.2, -1.0, 1.0),
            lambda rng: np.where(rng.random(200) < 0.2, -2.0, 2.0),
            True,
        ),
        (
            lambda rng: np.where(rng.random(300) < 0.2, -1.0, 1.0),
            lambda rng: np.where(rng.random(200) < 0.05, -1.0, 1.0),
            False,
        ),
    ],
)
def test_weights_are_compared(rng, first, second, allowed: bool) -> None:
    a, b = gaussians(rng, 300), gaussians(rng, 200)
    found = exchangeability(Sample(a.events, first(rng)), Sample(b.events, second(rng)))
    assert found.allowed is allowed, found.reason


def test_what_makes_no_sense_is_refused_by_name(rng) -> None:
    a, b = gaussians(rng, 60), gaussians(rng, 50)
    with pytest.raises(ValueError, match="different features"):
        validate(a, Sample(b.events, features=["p", "q"], name="B"))
    with pytest.raises(ValueError, match="B is empty"):
        validate(a, Sample(np.empty((0, 2)), name="B"))
    with pytest.raises(ValueError, match="weights add up to -50"):
        validate(a, Sample(b.events, -np.ones(50), name="B"))
    with pytest.raises(ValueError, match="feature 'x1' of A with B is constant"):
        validate(Sample(a.events * [1, 0], name="A"), Sample(b.events * [1, 0], name="B"))
    with pytest.raises(ValueError, match="not finite"):
        validate(a, np.full((50, 2), np.nan))
    for settings, culprit in (
        ({"widths": [1.0, 1.0]}, "width 1 is given twice"),
        ({"widths": []}, "there is no width"),
        ({"penalties": [-1.0]}, "penalty must be a positive number, not -1"),
        ({"centers": 0}, "centres must be 1 or more, not 0"),
        ({"expected_ratio": 0.0}, "ratio of the yields must be a positive number, not 0"),
        ({"statistic": "both"}, "no statistic 'both'"),
        ({"calibrate": "guess"}, "not calibrated with 'guess'"),
        ({"calibrate": "guess", "centers": 20}, "no calibration 'guess'"),
        ({"resamples": 98}, "98 samples without a difference do not say.*99 or more"),
        ({"family": ["one", "three"]}, "no 'three'"),
        ({"family": []}, "needs a class"),
        ({"family": ["one"], "widths": [1.0]}, "'widths' is a setting of kernels of all features"),
        ({"calibrate": "pool"}, "needs a pool"),
        ({"calibrate": "bootstrap", "resamples": 0}, "needs resamples, not 0"),
        ({"calibrate": "bootstrap", "statistic": "converged"}, "one step only"),
        ({"calibrate": "asymptotic", "draws": 0, "centers": 20}, "needs draws"),
    ):
        with pytest.raises(ValueError, match=culprit):
            validate(a, b, **settings)


@pytest.mark.parametrize("settings", [{"resamples": 99}, {"resamples": 20, "draws": 0, "statistic": "one-step"}])
def test_samples_that_are_not_independent_are_noticed(rng, settings) -> None:
    a, b = gaussians(rng, 60), gaussians(rng, 50)
    assert "hold the same events" in validate(a, a, **settings).notes[0]
    overlapping = Sample(np.concatenate([a.events[:10], b.events[:40]]), name="B")
    assert "10 events" in validate(a, overlapping, **settings).notes[0]
    assert validate(a, b, **settings).notes == ()
    # Few values that occur again and again are in both samples without harm.
    counts = Sample(rng.poisson(3, (60, 1)), name="A"), Sample(rng.poisson(3, (50, 1)), name="B")
    assert validate(*counts, **settings).notes == ()


def test_few_events_have_a_verdict_or_are_refused(rng) -> None:
    """Three events against two: the least p-value of so few permutations by kernels, and no crash."""
    few = gaussians(rng, 3, 1), gaussians(rng, 2, 1)
    assert 0 < validate(*few, resamples=199, statistic="one-step").p_value <= 1
    with pytest.raises(ValueError, match="5 events are too few"):
        validate(*few)


def test_yields_alone_are_found(rng) -> None:
    a, b = gaussians(rng, 300), gaussians(rng, 200)
    assert validate(a, b, resamples=199).p_value > 0.01
    result = validate(a, b, resamples=199, expected_ratio=1.0)
    assert result.names[result.leading] == "yield"
    assert result.rate is not None
    assert result.shape is not None
    # Half of 500 events expected, 200 seen: binomial, both sides; and the product with that of the shape.
    exact = 2 * binom.cdf(200, 500, 0.5)
    assert result.rate.p_value == pytest.approx(exact, rel=0.25)
    smallest = min(2 * result.rate.p_value, np.exp(log_p_of_product(np.log(result.shape.p_value) + result.rate.log_p)))
    assert result.p_value == pytest.approx(np.exp(log_p_of_smallest(np.log(smallest))), rel=1e-6)
    assert result.shape.p_value > 0.01
    kernels = validate(a, b, resamples=199, draws=0, statistic="one-step", expected_ratio=1.0)
    assert kernels.names[kernels.leading] == "yield"
    assert kernels.p_value == 1 / 200


def test_a_test_is_prepared_once(rng) -> None:
    test = TwoSampleTest(gaussians(rng, 60), gaussians(rng, 50), **SETTINGS)
    one, two = test.run(resamples=50, draws=0), test.run(resamples=50, draws=0)
    assert one.p_value == two.p_value
    assert test.run(resamples=51, draws=0).statistic == one.statistic
