"""NumPy may be set to raise where numbers vanish or overflow: tests compute all the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nplm import FamilyTest, HistogramModel, KernelModel, NPLMTest, Sample, TwoSampleTest

RNG = np.random.default_rng(1)
REFERENCE, DATA = Sample(RNG.normal(size=(2000, 2))).scaled_to(200), Sample(RNG.normal(size=(200, 2)))
TESTS: dict[str, Callable[[Sample], float]] = {
    "family": lambda data: FamilyTest(REFERENCE, data, expected_ratio=1.0).run(resamples=99).p_value,
    "kernel": lambda data: NPLMTest(REFERENCE, KernelModel(width=1.0, centers=30)).run(data, 0).p_value,
    "histogram": lambda data: NPLMTest(REFERENCE, HistogramModel(5)).run(data, 10).p_value,
    "two samples": lambda data: TwoSampleTest(REFERENCE, data, widths=[1.0]).run(resamples=20).p_value,
}


@pytest.mark.parametrize("name", list(TESTS))
def test_answers_are_the_same(name: str) -> None:
    for data in (DATA, Sample(DATA.events + 30.0)):
        usual = TESTS[name](data)
        with np.errstate(all="raise"):
            assert TESTS[name](data) == usual
