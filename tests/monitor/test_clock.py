"""A clock that is set back: a new run, whose events have no rate together with those of the run before."""

import numpy as np
import pytest

from nplm import KernelModel, Monitor, Sample
from nplm.monitor.clock import set_back

RATE = 40.0
REFERENCE = Sample(np.random.default_rng(1).normal(size=(20_000, 1)), features=["x"])


def _times(rng: np.random.Generator, n: int, begin: float = 0.0) -> np.ndarray:
    return begin + np.cumsum(rng.exponential(1 / RATE, n))


@pytest.mark.parametrize("begin", [0.0, 3.0, 1e6], ids=["from 0", "within the first run", "clock of another kind"])
def test_a_new_run_gives_no_false_alarm_of_the_rate(rng: np.random.Generator, begin: float) -> None:
    first, second = _times(rng, 1300, max(begin, 5.0) + 1e3), _times(rng, 1200, begin)
    times = np.concatenate([first, second])
    monitor = Monitor(REFERENCE, KernelModel(width=1.0, centers=40), window=500, expected_rate=RATE)
    found = list(monitor.watch([{"x": rng.normal(size=2500), "t": times}], time="t"))
    assert [v.p_rate is None for v in found] == [False, False, True, False, False]
    assert found[2].status == "problem"
    assert f"the times go back from {first[-1]:g} to {second[0]:g}: a new run begins in this window" in found[2].message
    assert "there is no rate" in found[2].message
    assert found[2].p == pytest.approx(found[2].p_shape, rel=1e-12)
    assert not any("rate" in alarm for v in found for alarm in v.alarms)


def test_a_clock_that_is_set_back_by_half_a_window(rng: np.random.Generator) -> None:
    times = _times(rng, 5000)
    times[3000:] -= 60.0  # of 125
    assert set_back(times) == (times[2999], times[3000])


@pytest.mark.parametrize("at", [1, 2, 250, 498, 499])
def test_wherever_in_the_window_it_happens(rng: np.random.Generator, at: int) -> None:
    times = np.concatenate([_times(rng, at, 1000.0), _times(rng, 500 - at)])
    assert set_back(times) == (times[at - 1], times[at])


def test_disorder_is_no_new_run(rng: np.random.Generator) -> None:
    for _ in range(200):
        times = _times(rng, 500)
        assert set_back(times) is None
        assert set_back(rng.permutation(times)) is None
        assert set_back(times + rng.uniform(0, 3 / RATE, 500)) is None  # neighbours that overtake each other
    assert set_back(np.zeros(5)) is None
    assert set_back(np.array([1.0])) is None
    assert set_back(np.array([1.0, 0.0])) == (1.0, 0.0)
