"""Features are found by name wherever a sample is taken: their order in tables and samples does not matter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from nplm import (
    FamilyTest,
    HistogramModel,
    KernelModel,
    Monitor,
    NPLMTest,
    Sample,
    TwoSampleTest,
    as_sample,
    localize,
    validate,
)
from nplm.monitor import ControlLimits
from nplm.plot.marginal import fill_marginal


def frame(seed: int, n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"pt": rng.exponential(20, n), "eta": rng.normal(size=n)})


def columns(table: pd.DataFrame) -> dict[str, np.ndarray]:
    return {name: table[name].to_numpy() for name in table}


KINDS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "frame": lambda table: table,
    "dict": columns,
    "arrow": lambda table: pa.table(columns(table)),
    "sample": lambda table: as_sample(table, name="data"),
}
OTHER_ORDER = ["eta", "pt"]
A, B = frame(1), frame(2)


@pytest.mark.parametrize("kind", list(KINDS))
def test_two_samples_are_compared_feature_by_feature(kind: str) -> None:
    given = KINDS[kind]
    tests: list[Callable[[Any, Any], Any]] = [
        lambda a, b: validate(a, b, family=["one"]),
        lambda a, b: FamilyTest(a, b).run(resamples=99),
        lambda a, b: TwoSampleTest(a, b, widths=[1.0]).run(resamples=20),
    ]
    for test in tests:
        same, other = test(given(A), given(B)), test(given(A), given(B[OTHER_ORDER]))
        assert other.features == ("pt", "eta")
        assert other.p_value == same.p_value
        assert test(given(A), given(B[OTHER_ORDER] + 3.0)).p_value < same.p_value


def test_arrays_are_taken_by_position() -> None:
    assert FamilyTest(A, B.to_numpy()).run(resamples=99).p_value == FamilyTest(A, B).run(resamples=99).p_value
    with pytest.raises(ValueError, match="B lacks pt; A lacks x"):
        FamilyTest(A, B.rename(columns={"pt": "x"}))


@pytest.mark.parametrize("kind", list(KINDS))
def test_data_are_tested_feature_by_feature(kind: str) -> None:
    given = KINDS[kind]
    reference = Sample(frame(3, 4000).to_numpy(), features=["pt", "eta"]).scaled_to(400)
    test = NPLMTest(reference, KernelModel(width=1.0, centers=30))
    same, other = test.run(given(B), 0), test.run(given(B[OTHER_ORDER]), 0)
    assert other.t == same.t
    np.testing.assert_array_equal(test.log_ratio(same, given(B[OTHER_ORDER])), same.log_ratio)
    found = [localize(test, given(B[order]), same, left_out=False) for order in (["pt", "eta"], OTHER_ORDER)]
    assert found[0].to_dict() == found[1].to_dict()
    bins = [fill_marginal(test, given(B[order]), same, "pt").data for order in (["pt", "eta"], OTHER_ORDER)]
    np.testing.assert_array_equal(*bins)


def test_toys_of_a_sample_in_another_order_are_its_own() -> None:
    """What a sample was drawn from has its features in the order that it had, and is forgotten."""
    reference = as_sample(frame(3, 4000), name="reference").scaled_to(400)
    test = NPLMTest(reference, HistogramModel(6))
    moved = as_sample(reference.draw(np.arange(0, 4000, 10), np.ones(400)), features=OTHER_ORDER)
    assert test.run(moved, 0).t == test.statistic(Sample(reference.events[::10], features=["pt", "eta"]))


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_monitor_takes_tables(kind: str) -> None:
    given = KINDS[kind]
    monitors = [
        Monitor(given(frame(3, 4000)[order]), KernelModel(width=1.0, centers=30), limits=ControlLimits(drift=False))
        for order in (["pt", "eta"], OTHER_ORDER)
    ]
    p = [[v.p for v in monitor.watch([given(B)])] for monitor in monitors]
    assert p[0] == pytest.approx(p[1], rel=0.3)
    assert p[0][0] > 1e-3
