"""NPLMTest: its null distribution, its refusals, its cautions, and what it leaves when interrupted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import chi2, kstest

from nplm.data.sample import Sample
from nplm.hypotest.test import Interrupted, NPLMTest
from nplm.likelihood.fits import Fits
from nplm.models.histogram.fit import PreparedHistogram
from nplm.models.histogram.model import HistogramModel
from nplm.models.kernel.model import KernelModel
from nplm.models.network.model import NetworkModel
from nplm.statistic import FitError
from nplm.toys.table import ToyTable

# Size of the Kolmogorov-Smirnov tests: the chance that one fails a correct program.
SIZE = 1e-3
TOYS = 400


@pytest.fixture
def reference(rng: np.random.Generator) -> Sample:
    return Sample(rng.exponential(size=50_000), np.full(50_000, 0.02), ("x",), "reference")


@pytest.fixture
def data(rng: np.random.Generator) -> Sample:
    return Sample(rng.exponential(size=1010), None, ("x",), "data")


def ks(t: np.ndarray, degrees_of_freedom: int) -> float:
    return float(kstest(t, chi2(degrees_of_freedom).cdf).pvalue)


def test_null_toys_of_the_histogram_are_chi2(reference: Sample, data: Sample) -> None:
    result = NPLMTest(reference, HistogramModel(bins=10)).run(data, toys=TOYS)
    assert len(result.toys) == TOYS
    assert ks(result.toys.t, 10) > SIZE
    assert result.calibration.asymptotic_accepted
    # The test can fail: toys of this reference, fitted with a yield that is wrong by 10%, are rejected.
    wrong = NPLMTest(reference, HistogramModel(bins=10), expected_yield=1100)
    sampler = NPLMTest(reference, HistogramModel(bins=10)).sampler(data)
    toys = [sampler(jax.random.fold_in(jax.random.key(1), i)) for i in range(TOYS)]
    assert ks(wrong.fit(toys).t, 10) < SIZE


def test_shape_only_costs_one_degree_of_freedom(reference: Sample, data: Sample) -> None:
    test = NPLMTest(reference, HistogramModel(bins=4), shape_only=True)
    toys = test.run(data, toys=TOYS).toys
    assert test.degrees_of_freedom == 3
    assert np.all(toys.total_weight == len(data))
    assert ks(toys.t, 3) > SIZE
    assert ks(toys.t, 4) < SIZE


def test_shape_only_profiles_the_yield(reference: Sample, data: Sample) -> None:
    """For bins, the shape-only t is the least t over all yields, at n ln(n/N) - n + N less than t."""
    model = HistogramModel(bins=7, reference_exact=True)
    weighted = Sample(data.events, np.linspace(0.5, 1.5, len(data)), ("x",))
    shape = NPLMTest(reference, model, shape_only=True).statistic(weighted)
    n, expected = weighted.total_weight, 800.0
    full = NPLMTest(reference, model, expected_yield=expected).statistic(weighted)
    assert shape == pytest.approx(full - 2 * (n * np.log(n / expected) - n + expected), rel=1e-9)

    def t(log_yield: float) -> float:
        return NPLMTest(reference, model, expected_yield=np.exp(log_yield)).statistic(weighted)

    assert minimize_scalar(t, bracket=(np.log(700), np.log(1500)), tol=1e-7).fun == pytest.approx(shape, rel=1e-8)


def test_shape_only_does_not_see_the_references_yield(reference: Sample, data: Sample) -> None:
    scaled = Sample(reference.events, 7 * reference.weights, ("x",))
    one, other = (NPLMTest(r, HistogramModel(), shape_only=True).run(data, toys=5) for r in (reference, scaled))
    assert other.t == pytest.approx(one.t, rel=1e-10)
    assert one.expected_yield == other.expected_yield == len(data)
    np.testing.assert_allclose(other.toys.t, one.toys.t, rtol=1e-10)


def test_result_says_what_was_found(reference: Sample, data: Sample) -> None:
    test = NPLMTest(reference, HistogramModel(bins=6), expected_yield=1000)
    result = test.run(data, toys=60, seed=5)
    assert result.t == test.statistic(data)
    assert result.p_value == (1 + np.sum(result.toys.t >= result.t)) / 61
    assert result.p_interval is not None
    assert result.p_interval[0] < result.p_value < result.p_interval[1]
    assert (result.n_reference, result.n_data, result.expected_yield) == (50_000, 1010, pytest.approx(1000))
    assert (result.seed, result.features, result.model) == (5, ("x",), "histogram")
    assert result.complete
    assert result.converged
    np.testing.assert_array_equal(result.log_ratio, test.log_ratio(result, data))
    assert set(result.seconds) == {"prepare", "compile", "fit", "toys"}


def test_the_seed_decides_the_toys(reference: Sample, data: Sample) -> None:
    test = NPLMTest(reference, HistogramModel())
    first, again, other = (test.run(data, toys=5, seed=s).toys.t for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.any(first == other)
    # More toys leave the first as they are.
    np.testing.assert_array_equal(test.run(data, toys=8, seed=1).toys.t[:5], first)


def test_a_signal_has_a_small_p_value(reference: Sample, data: Sample, rng: np.random.Generator) -> None:
    signal = Sample(np.concatenate([data.events, rng.normal(2, 0.1, (150, 1))]), features=("x",))
    test = NPLMTest(reference, HistogramModel())
    assert test.run(signal, toys=99, calibrate="toys").p_value == 0.01
    assert test.run(data, toys=99).p_value > 0.02


def test_without_toys_the_p_value_is_that_of_chi2(reference: Sample, data: Sample) -> None:
    result = NPLMTest(reference, HistogramModel(bins=6)).run(data, toys=0)
    assert result.p_value == pytest.approx(chi2.sf(result.t, 6))
    assert result.p_interval is None
    assert result.calibration.kind == "chi2 given"
    assert any("no toys" in note for note in result.notes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"data": Sample([1.0], features=("y",))},
            "different features: sample lacks x",
        ),
        ({"data": Sample([1.0, 2.0], [1.0, -2.0], ("x",))}, "add up to -1"),
        ({"data": Sample([1.0, 2.0], [0.0, 0.0], ("x",))}, "add up to 0"),
        ({"data": np.array([1.0, np.nan])}, "not finite in 1 of 2 rows"),
        ({"data": np.ones((3, 2))}, "different features"),
        ({"toys": -1}, "must be 0 or more, not -1"),
        ({"pool": Sample([1.0, 2.0], [3.0, -1.0], ("x",), "pool")}, "cannot be drawn from pool.*negative weights"),
        ({"pool": Sample([1.0], features=("y",), name="pool")}, "pool lacks x"),
        ({"pool": Sample(np.zeros((0, 1)), features=("x",), name="pool")}, "pool is empty"),
    ],
)
def test_bad_input_is_refused_before_any_fit(
    change: dict[str, Any], message: str, reference: Sample, data: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = NPLMTest(reference, HistogramModel())
    monkeypatch.setattr(NPLMTest, "fit", lambda self, samples: pytest.fail("a fit was started"))
    with pytest.raises(ValueError, match=message):
        test.run(**{"data": data, **change})


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ((Sample(np.zeros((0, 1))),), {}, "empty"),
        ((Sample([1.0, 2.0], [1.0, -1.0]),), {}, "must be positive"),
        ((np.array([1.0, np.inf]),), {}, "not finite"),
        ((np.array([[1.0, 2.0], [1.0, 3.0]]),), {}, r"feature 'x0' of reference is constant \(1\)"),
        ((np.array([[1.0, 2.0], [1.0, 3.0]]),), {"coordinates": "raw"}, "constant"),
        ((np.arange(5.0), "kernels"), {}, "no model 'kernels': choose network, kernel, histogram"),
        ((np.arange(5.0),), {"expected_yield": 0.0}, "expected yield must be a positive number, not 0"),
        ((np.arange(5.0),), {"expected_yield": np.nan}, "expected yield must be a positive number"),
    ],
)
def test_a_bad_reference_is_refused(arguments: tuple, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        NPLMTest(*arguments, **settings)


def test_a_signed_reference_needs_a_pool(rng: np.random.Generator, data: Sample) -> None:
    signed = Sample(rng.exponential(size=5000), np.where(rng.random(5000) < 0.1, -0.25, 0.25), ("x",), "nlo")
    test = NPLMTest(signed, HistogramModel(bins=4))
    assert np.isfinite(test.run(data, toys=0).t)
    with pytest.raises(ValueError, match="cannot be drawn from nlo"):
        test.run(data, toys=5)
    pool = Sample(rng.exponential(size=20_000), features=("x",), name="pool")
    result = test.run(data, toys=5, pool=pool)
    assert "pool" in result.calibration.source
    # The pool says how events are distributed; how many are expected, the reference.
    assert result.toys.total_weight.mean() == pytest.approx(test.reference.total_weight, rel=0.1)


def test_an_impossible_fit_is_an_error_not_a_number(reference: Sample, data: Sample) -> None:
    test = NPLMTest(reference, HistogramModel(edges=((0.0, 1.0, 5.0),)))
    # In the upper bin the weights add up to less than zero, and no f there is best.
    bad = Sample(data.events, np.where(data.events[:, 0] > 1, -0.1, 1.0), ("x",), "weighted.npz")
    started: list[ToyTable] = []
    with pytest.raises(FitError, match=r"the fit of weighted\.npz failed: there is no t"):
        test.run(bad, toys=10, on_toys=started.append)
    assert started == []
    assert np.isnan(test.statistic(bad))


def test_failed_toys_are_kept_and_count_as_exceeding(
    reference: Sample, data: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = NPLMTest(reference, HistogramModel())
    without = test.run(data, toys=20)
    prepared = type(test.prepared)
    original = prepared.fit

    def fit(self: Any, samples: Any) -> Any:
        fits = original(self, samples)
        if samples[0].name == "toy":
            fits.t[:3] = np.nan
        return fits

    monkeypatch.setattr(prepared, "fit", fit)
    result = test.run(data, toys=20)
    assert (len(result.toys), result.calibration.toys_failed) == (20, 3)
    exceeding = np.sum(without.toys.t[3:] >= result.t)
    assert result.calibration.toys_exceeding == exceeding + 3
    assert result.p_value == (1 + exceeding + 3) / 21


def test_interrupted_toys_come_back_with_the_result(
    reference: Sample, data: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = NPLMTest(reference, HistogramModel())
    monkeypatch.setattr(type(test.prepared), "batch_size", 10)
    whole = test.run(data, toys=40)
    tables: list[ToyTable] = []

    def press_ctrl_c(table: ToyTable) -> None:
        tables.append(table)
        if len(tables) == 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match="interrupted after 20 of 40 toys") as caught:
        test.run(data, toys=40, on_toys=press_ctrl_c)
    result = caught.value.result
    assert isinstance(caught.value, KeyboardInterrupt)
    assert not result.complete
    assert (result.calibration.toys, result.calibration.toys_requested) == (20, 40)
    np.testing.assert_array_equal(result.toys.t, whole.toys.t[:20])
    assert result.t == whole.t
    assert result.p_value == (1 + np.sum(whole.toys.t[:20] >= whole.t)) / 21


def notes(test: NPLMTest, data: Sample, **settings: Any) -> str:
    said: list[str] = []
    result = test.run(data, notify=said.append, **settings)
    # What is said beforehand is what stands beside the numbers, and the projected time.
    assert said[:-1] == list(result.notes)
    assert said[-1].startswith("projected time")
    return "\n".join(result.notes)


def test_a_reference_too_small_to_be_a_pool_is_named(reference: Sample, data: Sample, rng: np.random.Generator) -> None:
    small = NPLMTest(Sample(rng.exponential(size=4000), features=("x",)), HistogramModel(), expected_yield=1000)
    fixed = notes(small, data, toys=3, reference_per_toy=False)
    assert "is small for an expected yield of 1000" in fixed
    assert "widens t by about 25%" in fixed
    assert "which toys drawn from one reference lack, so p is too small" in fixed
    # By default toys have references of their own then, which lack nothing.
    assert "is small" not in notes(small, data, toys=3)
    assert "is small" not in notes(small, data, toys=3, pool=reference)
    assert notes(NPLMTest(reference, HistogramModel()), data, toys=3) == ""


def test_unit_weights_with_another_yield_are_named(data: Sample, rng: np.random.Generator) -> None:
    unit = Sample(rng.exponential(size=5000), features=("x",))
    told = "unit weights and so expects 5000 events, but the data have 1010"
    assert told in notes(NPLMTest(unit, HistogramModel()), data, toys=0)
    assert told not in notes(NPLMTest(unit, HistogramModel(), expected_yield=1000), data, toys=0)
    assert told not in notes(NPLMTest(unit, HistogramModel(), shape_only=True), data, toys=0)


def test_weighted_data_are_named(reference: Sample, data: Sample) -> None:
    weighted = Sample(data.events, np.linspace(0.5, 1.5, len(data)), ("x",))
    test = NPLMTest(reference, HistogramModel())
    assert "the data are weighted" in notes(test, weighted, toys=3)
    toys = test.run(weighted, toys=200).toys
    assert toys.total_weight.mean() == pytest.approx(test.reference.total_weight, rel=0.02)


def test_arrays_will_do(rng: np.random.Generator) -> None:
    test = NPLMTest(rng.normal(size=(2000, 2)), HistogramModel(bins=5), expected_yield=200)
    assert test.reference.features == ("x0", "x1")
    assert test.statistic(rng.normal(size=(210, 2))) >= 0
    assert test.degrees_of_freedom == 5


def test_a_small_reference_is_named_without_toys_too(rng: np.random.Generator) -> None:
    half = np.repeat([1.0, 0.0], 2000)
    reference = Sample(rng.normal(size=4000), half)
    data = Sample(rng.normal(size=2000))
    result = NPLMTest(reference, HistogramModel(reference_exact=True)).run(data, 0)
    assert any("2000 effective events" in note and "by about 100%" in note for note in result.notes)
    # A likelihood that has the fluctuation of the reference in it needs no such note.
    finite = NPLMTest(reference, HistogramModel()).run(data, 0)
    assert not any("effective events" in note for note in finite.notes)
    assert result.calibration.inflation == 1.0


def test_a_small_pool_is_named(rng: np.random.Generator) -> None:
    reference, data, pool = (Sample(rng.normal(size=n)) for n in (2000, 2000, 300))
    result = NPLMTest(reference, HistogramModel()).run(data, 3, pool=pool)
    assert any("so p is too large. Give a larger pool" in note for note in result.notes)
    assert result.calibration.inflation == pytest.approx(1 + 2000 / 300)


def test_signed_data_have_no_shape_only_toys(rng: np.random.Generator) -> None:
    test = NPLMTest(Sample(rng.normal(size=2000)), HistogramModel(), shape_only=True)
    signed = Sample(rng.normal(size=100), np.where(np.arange(100) < 20, -1.0, 1.0))
    with pytest.raises(ValueError, match="negative weights, and toys of a shape-only test"):
        test.run(signed, 3)


def test_one_bin_has_no_shape(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="one bin has no shape"):
        NPLMTest(Sample(rng.normal(size=2000)), HistogramModel(bins=1), shape_only=True)


def test_log_ratio_wants_the_features_of_the_reference(rng: np.random.Generator) -> None:
    events = rng.normal(size=(2000, 2))
    test = NPLMTest(Sample(events, features=("a", "b")), HistogramModel())
    result = test.run(Sample(events[:500], features=("a", "b")), 0)
    assert test.log_ratio(result, events[:7]).shape == (7,)
    other = Sample(events[:7, ::-1], features=("b", "a"))
    np.testing.assert_array_equal(test.log_ratio(result, other), test.log_ratio(result, events[:7]))
    with pytest.raises(ValueError, match="lacks b"):
        test.log_ratio(result, Sample(events, features=("c", "a")))


@pytest.mark.parametrize(("events", "exact", "named"), [(300, False, True), (900, False, False), (900, True, True)])
def test_the_asymptotic_null_of_a_small_reference_is_not_vouched_for(
    rng: np.random.Generator, events: int, exact: bool, named: bool
) -> None:
    """Where nothing has checked it: of a kernel model with as many reference events as data, or an exact reference."""
    reference, data = Sample(rng.normal(size=(events, 2))), Sample(rng.normal(size=(300, 2)))
    test = NPLMTest(reference, KernelModel(width=2.0, centers=20, reference_exact=exact), expected_yield=300)
    noted = test.run(data, calibrate="asymptotic").notes
    assert any(f"({events} effective events)" in note and "not vouched for" in note for note in noted) == named


@pytest.mark.parametrize("shape_only", [False, True])
def test_a_t_far_below_zero_is_a_failed_fit_of_data_and_toys(
    shape_only: bool, reference: Sample, data: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No difference at all has t = 0. Such toys count as exceeding, and are kept with the reason."""
    fit, reached = PreparedHistogram.fit, -2e36

    def runaway(prepared: PreparedHistogram, batch: list[Sample]) -> Fits:
        fits = fit(prepared, batch)
        ran_away = np.arange(len(batch)) >= (len(batch) // 2 if len(batch) > 1 else 1)
        return replace(fits, t=np.where(ran_away, reached, fits.t))

    test = NPLMTest(reference, HistogramModel(bins=5), shape_only=shape_only)
    monkeypatch.setattr(PreparedHistogram, "fit", runaway)
    result = test.run(data, 20, reference_per_toy=False)
    toys, failed = result.toys, ~result.toys.succeeded
    assert failed.sum() == 10
    assert all("lies far below 0, so the fit ran away" in reason for reason in toys.failure[failed])
    assert result.p_value == pytest.approx((11 + np.sum(toys.t[~failed] >= result.t)) / 21)
    monkeypatch.setattr(PreparedHistogram, "fit", lambda *given: replace(fit(*given), t=np.full(1, -9.0)))
    with pytest.raises(FitError, match=rf"the fit of {data.name} failed: .* \(t = -9 lies far below 0"):
        NPLMTest(reference, HistogramModel(bins=5)).run(data, 20)
    rounded = replace(fit(test.prepared, [data]), t=np.full(1, -1e-9))
    assert rounded.without_runaways() is rounded


def test_a_clip_that_a_network_cannot_bear() -> None:
    """Weights of a million take the likelihood of an exact reference to -1e37 in this sample."""
    rng = np.random.default_rng(7)
    x, _, data = (*(draw(size=8000) for draw in (rng.exponential, rng.normal)), rng.exponential(size=400))
    test = NPLMTest(Sample(x).scaled_to(400), NetworkModel(clip=1e6, reference_exact=True))
    with pytest.raises(FitError, match="lies far below 0, so the fit ran away; use a smaller clip"):
        test.run(Sample(data), 5)
