"""One number to quote: what the headline says where toys are few, and where the asymptotic null says more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from nplm import HistogramModel, KernelModel, MultipleTest, NPLMTest, Sample
from nplm.hypotest import kernel_widths
from nplm.hypotest.key_numbers import key_numbers
from nplm.hypotest.multiple_text import multiple_text, multiple_verdict
from nplm.hypotest.result_text import result_line, result_text
from nplm.hypotest.verdict import verdict


def test_a_limit_of_toys_gives_way_to_an_asymptotic_null_that_they_follow(run: Callable[..., Any]) -> None:
    result = run(toys=100, t=60.0).result
    assert result.calibration.asymptotic_accepted
    assert result.calibration.kind == "chi2 given"
    assert result.p_value == pytest.approx(chi2.sf(60, 5))
    answer = verdict(result)
    assert (answer.level, answer.title) == ("strong", "Strong discrepancy in the shape; the yield agrees")
    assert "None of the 100 toys differs as much: p is read from chi2(5), which they follow." in answer.sentence
    stands_on = key_numbers(result)["stands on"]
    assert "of which none of 100 reaches the observed t" in stands_on
    assert "not calibrated" not in result_text(result) + result_line(result)


def test_toys_that_reach_t_are_counted(run: Callable[..., Any]) -> None:
    result = run(toys=100, t=8.0).result
    assert result.calibration.kind == "empirical"
    assert result.p_value == (1 + np.sum(result.toys.t >= 8.0)) / 101


def test_an_asymptotic_null_that_no_toys_have_checked_replaces_no_count(run: Callable[..., Any]) -> None:
    assert run(toys=49, t=60.0).result.calibration.kind == "empirical"
    assert run(toys=100, t=60.0, failing=1).result.calibration.kind == "empirical"


def test_who_asks_for_a_count_gets_it_and_what_the_asymptotic_null_says(run: Callable[..., Any]) -> None:
    case = run(toys=5)
    test = NPLMTest(case.test.reference, replace(case.test.model, t=60.0))
    result = test.run(case.data, toys=100, calibrate="toys")
    assert result.p_value == pytest.approx(1 / 101)
    assert "chi2(5), which they follow, says p = " in verdict(result).sentence


def _samples(rng: np.random.Generator, signal: int = 0) -> tuple[Sample, Sample]:
    reference = Sample(rng.exponential(size=4000), np.full(4000, 0.1), ("x",), "reference")
    events = np.concatenate([rng.exponential(size=400), rng.normal(2, 0.05, size=signal)])
    return reference, Sample(events, None, ("x",), "data")


def test_without_toys_one_asymptotic_null_is_shown(rng: np.random.Generator) -> None:
    reference, data = _samples(rng)
    result = NPLMTest(reference, KernelModel(width=0.7, centers=50)).run(data, toys=0)
    assert result.calibration.asymptotic_for_toys.mean == result.calibration.asymptotic.mean
    assert "asymptotic" not in key_numbers(result)


@pytest.mark.slow
def test_few_joint_toys_that_show_as_much_leave_several_widths_undecided(rng: np.random.Generator) -> None:
    reference, data = _samples(rng, 60)
    tests = kernel_widths(reference, [0.3, 0.7], model=KernelModel(centers=50))
    answer = multiple_verdict(MultipleTest(tests).run(data, toys=10))
    assert (answer.level, answer.title) == ("undecided", "Undecided: too few toys")
    found = MultipleTest(tests).run(data, toys=99, calibrate="toys")
    assert "At least a mild discrepancy" in multiple_text(found)
    stopped = replace(MultipleTest(tests).run(_samples(rng)[1], toys=10), complete=False)
    assert multiple_verdict(stopped).level == "undecided"


def test_bins_with_a_signal_quote_the_chi2(rng: np.random.Generator) -> None:
    reference, data = _samples(rng, 60)
    result = NPLMTest(reference, HistogramModel(bins=8)).run(data, toys=60)
    if result.calibration.asymptotic_accepted:
        assert result.p_value == pytest.approx(chi2.sf(result.t, 8))
