"""What a verdict says of Z, and of the toys behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nplm.hypotest.result_text import result_text
from nplm.hypotest.verdict import verdict
from nplm.stats.significance import z_interval, z_score
from tests.hypotest.as_if import counted


@pytest.mark.parametrize(
    ("exceeding", "toys", "failed", "level"),
    [
        (50, 200, 0, "agreement"),
        (5, 200, 0, "agreement"),
        (3, 200, 0, "mild"),
        (0, 200, 0, "mild"),
        (0, 5000, 0, "strong"),
        (2, 10000, 0, "strong"),
        (0, 10, 0, "undecided"),
        (0, 1, 0, "undecided"),
        (1, 1, 0, "agreement"),
        (20, 200, 20, "undecided"),
        (60, 200, 5, "agreement"),
        (50, 50, 50, "undecided"),
    ],
)
def test_verdict_follows_z_and_the_toys(
    exceeding: int, toys: int, failed: int, level: str, run: Callable[..., Any]
) -> None:
    answer = verdict(counted(run(toys=5).result, exceeding, toys, failed))
    assert answer.level == level
    assert "discover" not in answer.sentence.lower()


def test_verdict_says_when_z_is_a_limit(run: Callable[..., Any]) -> None:
    sentence = verdict(counted(run(toys=5).result, 0, 200)).sentence
    assert "p = 0.00498, Z = 2.58, empirical" in sentence
    assert "at least a mild discrepancy" in sentence
    assert "limited by their number" in sentence


def test_verdict_without_toys_is_not_calibrated(run: Callable[..., Any]) -> None:
    answer = verdict(run(toys=0, t=100.0).result)
    assert answer.level == "uncalibrated"
    assert "not calibrated" in answer.sentence
    assert ", chi2 given" in answer.sentence


def test_verdict_of_a_failed_fit_is_none(run: Callable[..., Any]) -> None:
    result = replace(run(toys=5).result, t=np.nan)
    assert verdict(result).level == "failed"
    assert "p-value" not in result_text(result)


def test_toys_from_too_small_a_sample_leave_the_test_undecided(run: Callable[..., Any]) -> None:
    def inflated(result: Any, inflation: float) -> Any:
        return replace(result, calibration=replace(result.calibration, inflation=inflation))

    for t, level in ((1.0, "agreement"), (1e9, "strong")):
        result = run(toys=100, t=t).result
        assert verdict(inflated(result, 1.25)).level == level
        answer = verdict(inflated(result, 1.3))
        assert answer.level == "undecided"
        assert "too small a sample" in answer.title
        assert "widens t by a factor of about 1.3" in answer.sentence
        assert "larger reference" in answer.sentence
    assert verdict(inflated(run(toys=0).result, 1.3)).level == "uncalibrated"


def test_an_interrupted_run_of_few_toys_is_no_agreement(run: Callable[..., Any]) -> None:
    result = run(toys=5, t=1.0).result
    assert verdict(result).level == "agreement"
    stopped = verdict(replace(result, complete=False))
    assert (stopped.level, stopped.title) == ("undecided", "Undecided: interrupted")
    assert "after 5 toys" in stopped.sentence
    assert verdict(replace(run(toys=50, t=1.0).result, complete=False)).level == "agreement"


def test_few_toys_whose_interval_reaches_two_leave_it_open(run: Callable[..., Any]) -> None:
    result = run(toys=5).result

    def with_interval(toys: int) -> Any:
        p, interval = 2 / (1 + toys), (0.01, 0.15)
        found = replace(result.calibration, kind="empirical", toys=toys, toys_exceeding=1)
        return replace(
            result, p_value=p, z=z_score(p), p_interval=interval, z_interval=z_interval(interval), calibration=found
        )

    assert "leaves open whether Z is above 2" in verdict(with_interval(20)).sentence
    assert verdict(with_interval(60)).level == "agreement"
