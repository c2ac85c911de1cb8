"""Closure on the exponential with Gaussian signals, whose best test is known; and its negative controls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from scipy.optimize import brentq

from nplm import HistogramModel, KernelModel, NPLMTest, Sample
from nplm.nuisance.constraints.gaussian import GaussianConstraint
from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.ratios.separable import Normalization
from nplm.plot.closure import plot_closure
from nplm.report.closure_report import closure_page
from nplm.report.pictures import Picture
from nplm.sensitivity import closure
from nplm.sensitivity.closure_text import verdict
from nplm.sensitivity.injection import Injection
from nplm.sensitivity.null_check import null_check
from nplm.sensitivity.optimal_test import known_best_test, learned_best_test
from nplm.stats.weighted_chi2 import WeightedChi2Null
from nplm.toys.campaign import Campaign
from nplm.toys.nuisance_sampler import sampler_at
from nplm.toys.run import run_campaign
from nplm.toys.samplers import PoolSampler
from nplm.toys.table import ToyTable
from toys import exponential_nuisances
from toys.exponential import BROAD, BULK, TAIL, Signal, draw_reference, ideal_z

MODEL = KernelModel(width=0.7, centers=60)


def exact(signal: Signal) -> Any:
    """log s/b."""
    return lambda events: signal.distribution.logpdf(events[:, 0]) + events[:, 0]


def drawn(signal: Signal, rng: np.random.Generator, n: int = 3000) -> Sample:
    return Sample(signal.sample(rng, n), features=("x",), name="signal")


@pytest.fixture(scope="module")
def test() -> NPLMTest:
    return NPLMTest(draw_reference(np.random.default_rng(5), 30_000), MODEL)


@pytest.mark.parametrize("signal", [BULK, TAIL], ids=lambda signal: signal.name)
def test_the_known_best_test_is_that_of_the_densities(signal: Signal) -> None:
    """The events of 200,000 and 20,000 stand for the integrals: to 2%."""
    rng = np.random.default_rng(4)
    numbers = [0.5 * signal.expected, signal.expected]
    best = known_best_test(draw_reference(rng, 200_000), drawn(signal, rng, 20_000), numbers, exact(signal))
    for z, number in zip(best.z, numbers, strict=True):
        assert z == pytest.approx(ideal_z(signal, number), rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("signal", [BULK, pytest.param(BROAD, marks=pytest.mark.slow)], ids=lambda signal: signal.name)
def test_a_classifier_comes_close_to_the_best_test_and_not_above(signal: Signal) -> None:
    """Within 5%; one penalty for all signals is wrong by 10 to 20% for the broad one."""
    rng = np.random.default_rng(4)
    reference = draw_reference(rng, 30_000)
    best = learned_best_test(reference, drawn(signal, rng), [signal.expected])
    assert best.kind == "classifier"
    assert best.z[0] == pytest.approx(ideal_z(signal), rel=0.05)
    assert best.spread[0] < 0.2
    assert best.z[0] < ideal_z(signal) + 3 * max(best.spread[0], 0.05)


@pytest.mark.slow
def test_median_z_closes_with_the_asymptotic_one_and_lies_below_the_best_test(
    test: NPLMTest, rng: np.random.Generator
) -> None:
    """200 toys at each of two numbers and without a signal, fixed seed; tolerances are three standard errors."""
    numbers = [45.0, 90.0]
    found = closure(test, drawn(BULK, rng), numbers, 200, 3, ideal=exact(BULK))
    assert found.null_check.accepted
    assert found.null_check.interval[0] < 0.05 < found.null_check.interval[1]
    assert found.closed
    for at, number in zip(found.at, numbers, strict=True):
        z = at.sampled
        error = np.sqrt(np.pi / 2) * (z.band[1] - z.band[0]) / 2 / np.sqrt(z.toys)
        assert at.ideal_z == pytest.approx(ideal_z(BULK, number), rel=0.03)
        assert at.expected_z is not None
        # The asymptotic null for toys holds the reference fixed; that of the asymptotic Z does not: 7% of the variance.
        assert abs(z.median_z - at.expected_z) < 3 * error + 0.15
        assert abs(z.median_z - at.technical_z) < 3 * error + 0.3
        assert z.median_z < at.ideal_z
        assert not at.exceeds
    # The negative control: half the signal is told apart.
    assert found.at[1].sampled.median_z - found.at[0].sampled.median_z > 1
    text = repr(found)
    assert "the null holds" in text
    assert "best test" in text
    document = found.to_dict()
    assert document["schema"] == "nplm-closure/1"
    assert document["at"][1]["sampled"]["median_z"] == found.at[1].sampled.median_z
    assert plot_closure(found).axes[0].get_xlabel() == "signal events expected"


@pytest.mark.slow
def test_a_wrong_null_and_a_wrong_best_test_are_found_out(
    test: NPLMTest, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative controls: an asymptotic null with two thirds of its mean, and a best test that looks elsewhere."""
    right = test.asymptotic_null(fixed_reference=True)
    assert isinstance(right, WeightedChi2Null)
    monkeypatch.setattr(
        NPLMTest, "asymptotic_null", lambda self, *args, **kwargs: WeightedChi2Null(right.weights * 0.67)
    )
    wrong = closure(test, drawn(BULK, rng), [30.0], 100, 3, ideal=None)
    assert not wrong.null_check.accepted
    assert wrong.null_check.size > 0.1
    assert not wrong.closed
    assert "THE NULL DOES NOT HOLD" in repr(wrong)
    monkeypatch.undo()
    elsewhere = replace(BULK, distribution=TAIL.distribution)
    missed = closure(test, drawn(BULK, rng), [180.0], 100, 3, ideal=exact(elsewhere))
    assert missed.at[0].exceeds
    assert not missed.closed
    assert "ABOVE THE BEST TEST at 180 events" in repr(missed)


def test_counted_toys_check_a_null_that_they_are_not_in(test: NPLMTest, rng: np.random.Generator) -> None:
    found = closure(test, drawn(BULK, rng), [200.0], 100, 3, ideal=None, calibrate="toys")
    assert found.null.startswith("empirical")
    assert found.null_check.accepted
    assert found.null_check.size < 0.15
    # All toys with so strong a signal exceed all without.
    assert found.at[0].sampled.median_is_limit
    assert "at least" in repr(found)


def test_a_null_holds_only_if_its_tail_does(test: NPLMTest, rng: np.random.Generator) -> None:
    """Of 400 toys 20 have p <= 5%, as they should, but too many of these have p <= 1%, where Z is read."""
    null = WeightedChi2Null(np.ones(1))
    checks = []
    for far in (4, 8, 14):
        p = np.concatenate([np.full(far, 0.001), np.linspace(0.02, 0.049, 20 - far), np.linspace(0.06, 1, 380)])
        t = np.array([brentq(lambda t, q=q: null.pvalue(t) - q, 0, 60) for q in p])
        checks.append(null_check(null, t))
    assert [(c.rejected, c.beyond) for c in checks] == [(20, 4), (20, 8), (20, 14)]
    assert [(c.accepted, c.unanimous) for c in checks] == [(True, True), (True, True), (False, False)]
    found = closure(test, drawn(BULK, rng), [200.0], 20, 3, ideal=None)
    assert verdict(replace(found, null_check=checks[0]))[0].startswith("the null holds")
    doubtful = replace(checks[0], beyond=9, tail_p_value=0.03)
    said = verdict(replace(found, null_check=doubtful))[0]
    assert said.startswith("the null is not refuted, but its tail, 9 of 400 toys with p <= 0.01, looks odd (p = 0.03)")
    assert "THE NULL DOES NOT HOLD: with p <= 0.01 14 of" in verdict(replace(found, null_check=checks[2]))[0]
    picture = Picture(Path(__file__), "", "")
    page = closure_page(replace(found, null_check=doubtful), picture, "", "")
    assert "Closure is not refuted" in page
    assert "Closure holds" not in page


def test_toys_are_stored_and_go_on(test: NPLMTest, rng: np.random.Generator, tmp_path: Path) -> None:
    signal = drawn(BULK, rng)

    class StoppedError(Exception):
        pass

    def stop(table: ToyTable) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        closure(test, signal, [200.0], 40, 3, ideal=None, on_toys=stop, folder=tmp_path)
    batches: list[int] = []
    found = closure(test, signal, [200.0], 40, 3, ideal=None, on_toys=lambda t: batches.append(len(t)), folder=tmp_path)
    assert sum(batches) < 80
    assert found.to_dict() == closure(test, signal, [200.0], 40, 3, ideal=None).to_dict()
    # Fewer toys, or other ones, do not mix with those that are there.
    fewer = closure(test, signal, [200.0], 30, 3, ideal=None, folder=tmp_path)
    alone = closure(test, signal, [200.0], 30, 3, ideal=None)
    assert fewer.null_check == alone.null_check
    # Sums over other batches are rounded in another way.
    assert fewer.at[0].sampled.median_z == pytest.approx(alone.at[0].sampled.median_z, rel=1e-9)


def test_batches_take_ten_seconds_or_so(
    test: NPLMTest, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(test.prepared), "projected_seconds", lambda self, data, fits: 2.5 * fits)
    batches: list[int] = []
    closure(test, drawn(BULK, rng), [200.0], 20, 3, ideal=None, on_toys=lambda t: batches.append(len(t)))
    assert max(batches) <= 4


def test_tables_and_models(rng: np.random.Generator) -> None:
    reference = draw_reference(rng, 5000)
    table = {"x": BULK.sample(rng, 100)}
    found = closure(NPLMTest(reference, "histogram"), table, [100.0], 30, ideal=None)
    assert found.at[0].expected_z is None
    assert found.best is None
    assert "asymptotic Z" not in repr(found)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"numbers": []}, "a number of signal events"),
        ({"numbers": [0.0]}, "must be positive, not 0"),
        ({"toys": 10}, "20 toys or more"),
        ({"signal": Sample(np.ones(5), features=("y",))}, "different features"),
        ({"signal": Sample(np.ones(5), features=("x",))}, "has 5 events, and a classifier needs 40"),
        ({"signal": Sample(np.ones(50), -np.ones(50), ("x",))}, "negative weights"),
        ({"ideal": lambda events: events}, "one number for each of the"),
    ],
)
def test_bad_questions_are_refused(change: dict[str, Any], message: str, test: NPLMTest, rng) -> None:
    arguments: dict[str, Any] = {"signal": drawn(BULK, rng), "numbers": [10.0], "toys": 20, **change}
    with pytest.raises(ValueError, match=message):
        closure(test, arguments.pop("signal"), **arguments)


def test_shape_only_toys_keep_their_number_and_their_z(rng: np.random.Generator) -> None:
    """200 toys at each number, fixed seed; tolerances of three standard errors."""
    reference = draw_reference(np.random.default_rng(5), 30_000)
    test = NPLMTest(reference, MODEL, shape_only=True)
    signal = drawn(BULK, rng)
    injection = Injection(test, reference, signal, resampled=True)
    totals = []
    for seed in range(200):
        toy = injection.sampler(90.0)(jax.random.key(seed))
        assert len(toy) == 2000
        totals.append((abs(toy.events[:, 0] - 1.6) < 0.48).sum())
    inside = 1910 * (np.exp(-1.12) - np.exp(-2.08)) + 90 * 0.9973
    assert np.mean(totals) == pytest.approx(inside, abs=3 * np.sqrt(inside / 200) + 5)
    found = closure(test, signal, [45.0, 90.0], 200, 3, ideal=exact(BULK))
    assert found.null_check.accepted
    assert found.closed
    for at in found.at:
        z = at.sampled
        error = np.sqrt(np.pi / 2) * (z.band[1] - z.band[0]) / 2 / np.sqrt(z.toys)
        assert abs(z.median_z - at.technical_z) < 3 * error + 0.3
        assert at.expected_z is None
        assert at.ideal_z is not None
        assert z.median_z < at.ideal_z < ideal_z(BULK, at.events) * 1.03
    assert found.at[1].sampled.median_z - found.at[0].sampled.median_z > 1
    # A signal like the reference is none for the shape, and the best test sees nothing either.
    same = Sample(rng.exponential(size=(3000, 1)), features=("x",), name="signal")
    nothing = closure(test, same, [400.0], 200, 4, ideal=None).at[0]
    assert abs(nothing.sampled.median_z) < 0.4
    with pytest.raises(ValueError, match="no room among the 2,000 events"):
        closure(test, signal, [2000.0])


@pytest.mark.slow
def test_shape_only_classifiers_know_the_shape_only() -> None:
    """Within 7% of the best test of the shape, which is worse than that of shape and yield."""
    rng = np.random.default_rng(4)
    reference = draw_reference(rng, 20_000)
    signal = Sample(BULK.sample(rng, 1000), features=("x",), name="signal")
    numbers = [BULK.expected]
    known = known_best_test(reference, signal, numbers, exact(BULK), shape_only=True)
    learned = learned_best_test(reference, signal, numbers, shape_only=True)
    assert learned.z[0] == pytest.approx(known.z[0], rel=0.07)
    assert known.z[0] < known_best_test(reference, signal, numbers, exact(BULK)).z[0]


@pytest.mark.slow
def test_nuisances_of_a_normalization_hide_the_yield(rng: np.random.Generator) -> None:
    """Toys at nu = 0, 100 each, fixed seed: the size holds, and a signal like the reference is not found."""
    reference = draw_reference(np.random.default_rng(5), 30_000)
    nuisances = Nuisances(Normalization("norm"), GaussianConstraint(("norm",), 0.15))
    test = NPLMTest(reference, MODEL, nuisances=nuisances)
    found = closure(test, drawn(BULK, rng), [90.0], 100, 3, ideal=exact(BULK))
    assert found.null_check.accepted
    assert found.closed
    assert found.nuisances_known
    at = found.at[0]
    assert at.expected_z is None
    assert abs(at.sampled.median_z - at.technical_z) < 0.8
    assert at.ideal_z == pytest.approx(ideal_z(BULK), rel=0.03)
    assert 2 < at.sampled.median_z < at.ideal_z
    assert "best test, nu known" in repr(found)
    assert "upper bound" in repr(found)
    assert "for each toy at the nu that fits it" in repr(found)
    assert found.to_dict()["best_test"]["nuisances_known"]
    same = Sample(rng.exponential(size=(3000, 1)), features=("x",), name="signal")
    hidden = closure(test, same, [200.0], 100, 4, ideal=None).at[0]
    # The negative control: without the nuisance 200 events more are seen.
    seen = closure(NPLMTest(reference, MODEL), same, [200.0], 100, 4, ideal=None).at[0]
    assert abs(hidden.sampled.median_z) < 0.5
    assert seen.sampled.median_z > 1.5


@pytest.mark.slow
def test_t_is_read_from_the_null_at_the_nu_of_its_toy() -> None:
    """The t that as_at_zero gives has the p-value of the null there."""
    reference = draw_reference(np.random.default_rng(5), 20_000)
    test = NPLMTest(reference, MODEL, nuisances=exponential_nuisances.nuisances())
    injection = Injection(test, reference, reference, resampled=True)
    sampler = sampler_at(PoolSampler(reference, 2000.0), exponential_nuisances.nuisances(), np.array([0.3, 0.1]))
    table = run_campaign(Campaign(test, sampler, 1), 5)
    moved = injection.as_at_zero(table)
    assert table.nu_delta is not None
    for t, nu, at_zero in zip(table.t, table.nu_delta, moved, strict=True):
        assert injection.asymptotic.pvalue(at_zero) == pytest.approx(injection.asymptotic_at(nu).pvalue(t), rel=1e-6)
    # The nulls do differ there.
    assert abs(moved / table.t - 1).max() > 0.01
    assert injection.as_at_zero(replace(table, t=np.full(5, np.nan))).tolist() != moved.tolist()


@pytest.mark.slow
def test_counted_toys_with_nuisances(rng: np.random.Generator) -> None:
    test = NPLMTest(draw_reference(rng, 5000), "histogram", nuisances=exponential_nuisances.nuisances())
    found = closure(test, drawn(BULK, rng), [90.0], 60, 3, ideal=None, calibrate="toys")
    assert found.null.startswith("empirical")
    assert found.null_check.accepted
    assert not found.nuisances_known


def test_bins_of_a_small_reference_are_counted(rng: np.random.Generator) -> None:
    """Toys that share a reference of as many events as they have are narrower than the chi2 of those that do not."""
    settings: dict[str, Any] = {"ideal": None, "seed": 3}
    for events, kind in ((2000, "empirical"), (60_000, "chi2 given")):
        test = NPLMTest(draw_reference(rng, events), HistogramModel(bins=6))
        found = closure(test, drawn(BULK, rng), [90.0], 100, **settings)
        assert found.null.startswith(kind)
        assert found.null_check.accepted
    small = NPLMTest(draw_reference(rng, 2000), HistogramModel(bins=6))
    wrong = closure(small, drawn(BULK, rng), [90.0], 100, calibrate="asymptotic", **settings)
    assert wrong.null_check.rejected == 0
