"""Yield and shape apart, beside t of both together, for each model and for two samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, chi2, poisson

from nplm import (
    FamilyTest,
    GaussianConstraint,
    HistogramModel,
    KernelModel,
    MultipleTest,
    NPLMTest,
    Nuisances,
    Sample,
    validate,
)
from nplm.hypotest import kernel_widths
from nplm.hypotest.multiple_text import multiple_text
from nplm.hypotest.result_text import result_text
from nplm.hypotest.verdict import verdict
from nplm.hypotest.yields import own_rate
from nplm.nuisance import Normalization


def samples(rng: np.random.Generator, n: int, peak: int = 0) -> tuple[Sample, Sample]:
    reference = Sample(rng.exponential(size=20_000), np.full(20_000, 0.05), ("x",), "reference")
    events = np.concatenate([rng.exponential(size=n), rng.normal(2.0, 0.05, size=peak)])
    return reference, Sample(events, None, ("x",), "data")


def test_the_rate_is_a_test_of_the_counts(rng: np.random.Generator) -> None:
    reference, data = samples(rng, 1080)
    finite = own_rate(NPLMTest(reference, HistogramModel()), data)
    assert finite is not None
    assert (finite.observed, finite.expected) == (1080, pytest.approx(1000))
    # 1080 of 21,080 events, where a share of 1000/21,000 is expected.
    exact = 2 * binom.sf(1079, 21_080, 1000 / 21_000)
    assert finite.p_value == pytest.approx(exact)
    known = own_rate(NPLMTest(reference, HistogramModel(), expected_yield=1000), data)
    assert known is not None
    assert known.p_value == pytest.approx(2 * poisson.sf(1079, 1000))
    assert known.p_value < finite.p_value


def test_weights_of_the_data_change_nothing_but_the_number_of_events(rng: np.random.Generator) -> None:
    reference, data = samples(rng, 1080)
    doubled = Sample(data.events[:540], np.full(540, 2.0), ("x",), "data")
    one, two = (own_rate(NPLMTest(reference, HistogramModel()), each) for each in (data, doubled))
    assert one is not None
    assert two is not None
    assert two.p_value > one.p_value
    assert two.of_t == pytest.approx(one.of_t, rel=0.06)


@pytest.mark.parametrize("exact", [False, True])
def test_yield_and_shape_add_up_for_bins(exact: bool, rng: np.random.Generator) -> None:
    reference, data = samples(rng, 1080)
    model = HistogramModel(bins=8, reference_exact=exact)
    result = NPLMTest(reference, model).run(data, toys=0)
    assert result.rate is not None
    assert result.shape is not None
    assert result.rate.of_t + result.shape.t == pytest.approx(result.t, rel=0.02)
    alone = NPLMTest(reference, model, shape_only=True).run(data, toys=0)
    assert result.shape.t == pytest.approx(alone.t)
    assert result.shape.p_value == pytest.approx(alone.p_value)


def test_the_shape_of_a_kernel_is_that_of_its_shape_only_test(rng: np.random.Generator) -> None:
    reference, data = samples(rng, 1080)
    model = KernelModel(width=0.7, centers=50)
    result = NPLMTest(reference, model).run(data, toys=0)
    alone = NPLMTest(reference, model, shape_only=True).run(data, toys=0)
    assert result.shape is not None
    assert (result.shape.t, result.shape.p_value) == pytest.approx((alone.t, alone.p_value))
    assert alone.rate is None
    assert "observed /" not in result_text(alone)


def test_a_network_keeps_what_the_yield_leaves_of_t(run: Callable[..., Any]) -> None:
    result = run(toys=100, t=60.0).result
    assert result.shape.t == pytest.approx(60 - result.rate.of_t)
    assert result.shape.p_value == pytest.approx(chi2.sf(result.shape.t, 4))


@pytest.mark.parametrize(
    ("n", "peak", "title"),
    [
        (1500, 0, "Strong discrepancy in the yield; the shape agrees"),
        (940, 60, "Strong discrepancy in the shape; the yield agrees"),
        (1300, 100, "Strong discrepancy in yield and shape"),
    ],
)
def test_the_verdict_says_which(n: int, peak: int, title: str) -> None:
    reference, data = samples(np.random.default_rng(5), n, peak)
    for test in (
        NPLMTest(reference, KernelModel(width=0.3, centers=100)),
        NPLMTest(reference, HistogramModel(bins=20)),
    ):
        result = test.run(data, toys=60, calibrate="toys")
        found = verdict(test.run(data, toys=60))
        assert found.title == title
        assert f"Apart: yield {n + peak:,} observed / 1,000 expected" in found.sentence
        assert result_text(result).splitlines()[1].startswith(f"  yield      {n + peak:,} observed / 1,000 expected = ")
    family = FamilyTest(reference, data, expected_ratio=1.0).run(resamples=199)
    assert repr(family).splitlines()[0] == f"NPLM test: {title.replace('discrepancy', 'difference')}"
    assert repr(family).splitlines()[1].startswith(f"  yield      {n + peak:,} observed / 1,000 expected = ")


def test_agreement_of_many_numbers_does_not_hide_a_yield_that_is_far_off(run: Callable[..., Any]) -> None:
    result = run(toys=100, t=1.0).result
    assert verdict(result).title == "Agreement"
    far = replace(result, rate=replace(result.rate, root=-4.0, counted=None))
    assert verdict(far).title == "Agreement, but the yield alone differs"


def test_nuisances_say_what_yields_are_possible(rng: np.random.Generator) -> None:
    reference, data = samples(rng, 1080)
    nuisances = Nuisances(Normalization("yield"), GaussianConstraint(("yield",), [0.1]))
    result = NPLMTest(reference, HistogramModel(bins=5), nuisances=nuisances).run(data, toys=0)
    assert (result.rate, result.shape) == (None, None)
    assert "1,080 observed / 1,000 expected = 1.08; nuisances may move it" in result_text(result)


def test_a_shape_whose_asymptotic_null_the_toys_refuse_is_not_known(rng: np.random.Generator) -> None:
    reference, data = samples(rng, 1080)
    # Data of two kinds of weights are no chi2 of so many degrees of freedom.
    weighted = Sample(data.events, np.where(rng.random(1080) < 0.5, 0.1, 1.9), ("x",), "data")
    result = NPLMTest(reference, HistogramModel(bins=8, reference_exact=True)).run(weighted, toys=200)
    assert result.calibration.asymptotic_accepted is False
    assert result.rate is not None
    if result.calibration.kind == "empirical":
        assert result.shape is None
        assert "--shape-only tests it" in result_text(result)


def test_several_widths_and_kernels_of_two_samples_have_it_too(rng: np.random.Generator) -> None:
    reference, data = samples(rng, 1500)
    tests = kernel_widths(reference, [0.3, 0.7], model=KernelModel(centers=50))
    lines = multiple_text(MultipleTest(tests).run(data)).splitlines()
    assert lines[0] == "NPLM, 2 tests: Strong discrepancy in the yield; the shape agrees"
    assert lines[1].startswith("  yield      1,500 observed / 1,000 expected = 1.5")
    other = Sample(rng.exponential(size=300), None, ("x",), "other")
    found = validate(other, Sample(data.events[:450], None, ("x",), "more"), widths=[0.5], expected_ratio=1.0)
    assert found.rate is not None
    assert repr(found).splitlines()[1].startswith("  yield      450 observed / 300 expected = 1.5; p = ")
    apart = validate(other, data.select(slice(0, 10)), widths=[0.5], expected_ratio=1.0)
    assert any("the data have 10" in note for note in apart.notes)
