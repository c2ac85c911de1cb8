"""Small matrices get one thread of BLAS, and the others what there was."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from nplm import Sample, TwoSampleTest
from nplm._blas import blas_threads


def _threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def three_threads():
    with threadpool_limits(3, "blas"):
        yield


def test_one_thread_for_small_matrices_and_as_before_afterwards() -> None:
    with blas_threads(300):
        assert _threads() == {1}
        with blas_threads(50):
            assert _threads() == {1}
        assert _threads() == {1}
    assert _threads() == {3}
    with blas_threads(5000):
        assert _threads() == {3}


def test_threads_come_back_after_an_error() -> None:
    @blas_threads()
    def fail() -> None:
        assert _threads() == {1}
        raise ValueError("bad input")

    for _ in range(2):
        with pytest.raises(ValueError, match="bad input"):
            fail()
        assert _threads() == {3}


def test_two_samples_are_compared_by_one_thread(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    seen: list[set[int]] = []
    monkeypatch.setattr("nplm.two_sample.comparison.Basis.of", lambda *arguments: seen.append(_threads()) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        TwoSampleTest(Sample(rng.normal(size=(50, 1))), Sample(rng.normal(size=(50, 1))))
    assert seen == [{1}]
    assert _threads() == {3}
