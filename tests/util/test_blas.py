"""Small matrices get one thread of BLAS, and the others what there was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from nplm import KernelModel, NPLMTest, Sample, TwoSampleTest
from nplm._util.blas import blas_threads


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
    monkeypatch.setattr("nplm.two_sample.test.Basis.of", lambda *arguments: seen.append(_threads()) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        TwoSampleTest(Sample(rng.normal(size=(50, 1))), Sample(rng.normal(size=(50, 1))))
    assert seen == [{1}]
    assert _threads() == {3}


def test_threads_that_work_side_by_side_all_get_one() -> None:
    """Also those that are not the first to ask, and until the last of them is done."""
    both, one_is_done = Barrier(2, timeout=10), Event()

    def work(stays: bool) -> list[set[int]]:
        with blas_threads():
            both.wait()
            seen = [_threads()]
            if stays:
                one_is_done.wait(10)
                seen.append(_threads())
        one_is_done.set()
        return seen

    with blas_threads():
        pass
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(work, (False, True)))
    assert found == [[{1}], [{1}, {1}]]
    assert _threads() == {3}


def test_t_of_kernels_does_not_depend_on_the_number_of_threads() -> None:
    """Neither of data, nor of toys, nor of toys with references of their own, which are prepared side by side."""

    def values(d: int, exact: bool) -> np.ndarray:
        rng = np.random.default_rng(1)
        reference, data = Sample(rng.normal(size=(9000, d))).scaled_to(600), Sample(rng.normal(size=(600, d)))
        test = NPLMTest(reference, KernelModel(centers=100, reference_exact=exact))
        toys = test.campaign(data, reference_per_toy=not exact).run(range(2))
        return np.array([test.statistic(data), *toys.t])

    for d, exact in ((1, False), (2, True)):
        by_three = values(d, exact)
        with threadpool_limits(1, "blas"):
            by_one = values(d, exact)
        assert by_three == pytest.approx(by_one, rel=1e-9, abs=1e-9)
