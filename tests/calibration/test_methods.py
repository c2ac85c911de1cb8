"""What a p-value stands on, as an object: the same as by its name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nplm import HistogramModel, KernelModel, NPLMTest, Sample
from nplm.calibration import Asymptotic, CheckedByToys, ImportanceSampling, Toys, ToysThenAsymptotic
from nplm.calibration.methods import CALIBRATIONS, METHODS, Method, RanToys, method_of
from nplm.stats.chi2 import Chi2Null
from nplm.stats.empirical import EmpiricalNull
from nplm.stats.ensemble_summary import summarize_toys
from nplm.stats.weighted_chi2 import WeightedChi2Null

DERIVED, REGULARIZED = WeightedChi2Null(np.array([1.0, 0.5])), Chi2Null(3)


def test_there_is_one_for_each_name() -> None:
    assert set(METHODS) == set(CALIBRATIONS)


@pytest.mark.parametrize(
    ("calibrate", "toys", "asymptotic", "kind", "number"),
    [
        (None, None, DERIVED, CheckedByToys, 200),
        (None, None, REGULARIZED, ToysThenAsymptotic, 200),
        (None, 0, DERIVED, Asymptotic, 0),
        (None, 70, REGULARIZED, ToysThenAsymptotic, 70),
        ("toys", None, DERIVED, Toys, 200),
        ("asymptotic", 70, DERIVED, Asymptotic, 0),
        ("importance", None, DERIVED, ImportanceSampling, 5000),
        ("rare", None, DERIVED, ImportanceSampling, 5000),
        ("toys+analytic", 70, DERIVED, ToysThenAsymptotic, 70),
        (Toys(30), None, DERIVED, Toys, 30),
        (Asymptotic(), None, REGULARIZED, Asymptotic, 0),
    ],
)
def test_names_numbers_and_objects_are_one(
    calibrate: Any, toys: int | None, asymptotic: Any, kind: type[Method], number: int
) -> None:
    method = method_of(calibrate, toys, asymptotic)
    assert type(method) is kind
    assert method.number == number


@pytest.mark.parametrize(
    ("calibrate", "toys", "message"),
    [
        ("guess", None, "there is no calibration 'guess': choose toys, asymptotic"),
        ("toys", 0, "calibration with 'toys' needs toys, not 0"),
        (CheckedByToys(0), None, r"calibration with 'asymptotic\+toys' needs toys, not 0"),
        (Toys(30), 40, "the number of toys is given twice: leave out toys, or take calibrate='toys'"),
    ],
)
def test_what_cannot_be_is_said(calibrate: Any, toys: int | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        method_of(calibrate, toys, DERIVED)


def test_where_no_toy_is_as_large_the_asymptotic_null_stands_alone_if_toys_follow_it() -> None:
    """Quantiles of chi2(3) as toys: below the largest they are counted, beyond it chi2(3) is read."""
    toys = EmpiricalNull(np.array([REGULARIZED.threshold((i + 0.5) / 100) for i in range(100)]))
    summary = summarize_toys(toys.t, REGULARIZED)
    method = ToysThenAsymptotic()
    assert method.standing(RanToys(2.0, REGULARIZED, REGULARIZED, toys, summary)) is toys
    assert method.standing(RanToys(100.0, REGULARIZED, REGULARIZED, toys, summary)) is REGULARIZED
    assert Toys().standing(RanToys(100.0, REGULARIZED, REGULARIZED, toys, summary)) is toys
    wrong = Chi2Null(9)
    other = method.standing(RanToys(100.0, wrong, wrong, toys, summarize_toys(toys.t, wrong)))
    assert other.kind == "chi2 fitted"
    assert other.mean == pytest.approx(3, abs=0.3)


@pytest.mark.parametrize(
    ("model", "name", "method"),
    [
        (KernelModel(width=1.0, centers=20), "asymptotic+toys", CheckedByToys(60)),
        (HistogramModel(5), "toys", Toys(60)),
    ],
)
def test_a_test_gives_the_same(model: Any, name: Any, method: Method, rng: np.random.Generator) -> None:
    test = NPLMTest(Sample(rng.exponential(size=2000), np.full(2000, 0.05)), model)
    data = Sample(rng.exponential(size=90))
    by_name, by_object = test.run(data, 60, calibrate=name), test.run(data, calibrate=method)
    assert (by_object.t, by_object.p_value) == (by_name.t, by_name.p_value)
    assert by_object.configuration == by_name.configuration
