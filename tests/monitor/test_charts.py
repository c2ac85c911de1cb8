"""Run lengths of cumulative sums against published values, exact limits and simulations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from nplm.monitor.charts import drift_limit, false_alarm_rate, run_length, window_rate_range


def _simulated(limit: float, k: float, shift: float, sd: float, runs: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    s, length = np.zeros(runs), np.zeros(runs)
    running = np.ones(runs, bool)
    while running.any():
        s = np.maximum(0, s + rng.normal(shift, sd, runs) - k)
        length += running
        running &= s < limit
    return length


@pytest.mark.parametrize(
    ("limit", "shift", "published"),
    [(4, 0.0, 335.4), (5, 0.0, 930.9), (4, 1.0, 8.38), (5, 1.0, 10.38), (4, 2.0, 3.34), (5, 2.0, 4.01)],
)
def test_run_lengths_are_those_of_the_tables(limit: float, shift: float, published: float) -> None:
    # D. C. Montgomery, Introduction to Statistical Quality Control, and the R package spc; two-sided ones are half.
    assert run_length(limit, 0.5, shift) == pytest.approx(published, rel=2e-3)


def test_a_limit_near_zero_is_a_limit_on_single_values() -> None:
    # S reaches 0+ as soon as Z > k, whatever came before: geometric run lengths.
    assert run_length(1e-9, 0.5, 0.2, 1.3) == pytest.approx(1 / norm.sf((0.5 - 0.2) / 1.3), rel=1e-6)


@pytest.mark.parametrize(("shift", "sd"), [(0.0, 1.0), (0.7, 1.0), (0.3, 0.8)])
def test_run_lengths_are_those_of_simulated_sums(shift: float, sd: float) -> None:
    lengths = _simulated(2.5, 0.5, shift, sd, 4000, seed=3)
    exact = run_length(2.5, 0.5, shift, sd)
    error = lengths.std() / np.sqrt(len(lengths))
    assert abs(lengths.mean() - exact) < 4 * error
    # Negative control: a shift of 0.1 more is seen.
    assert abs(lengths.mean() - run_length(2.5, 0.5, shift + 0.1, sd)) > 4 * error


def test_the_limit_gives_the_rate_of_false_alarms() -> None:
    for shared in (0.0, 0.01, 0.05):
        limit = drift_limit(2e-3, 0.5, shared)
        assert false_alarm_rate(limit, 0.5, shared) == pytest.approx(2e-3, rel=1e-4)
    # A reference that fluctuates makes drifts of its own, so its limit is higher.
    assert drift_limit(2e-3, 0.5, 0.05) > drift_limit(2e-3, 0.5, 0.01) > drift_limit(2e-3, 0.5)


def test_an_average_over_references_is_that_of_simulated_ones() -> None:
    shared, limit = 0.05, 3.0
    rng = np.random.default_rng(5)
    shifts = rng.normal(0, np.sqrt(shared), 60)
    rates = [1 / _simulated(limit, 0.5, m, np.sqrt(1 - shared), 100, 7 + i).mean() for i, m in enumerate(shifts)]
    error = np.std(rates) / np.sqrt(len(rates))
    assert abs(np.mean(rates) - false_alarm_rate(limit, 0.5, shared)) < 4 * error


def test_a_reference_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match="use a larger reference"):
        drift_limit(1e-3, 0.5, 0.25)
    with pytest.raises(ValueError, match="false alarms a window"):
        drift_limit(0.5, 0.5)


def test_the_range_of_single_windows_over_references() -> None:
    assert window_rate_range(0.01, 0.0) == (0.01, 0.01)
    low, high = window_rate_range(0.05, 1 / 121)
    m = np.random.default_rng(2).normal(0, 1 / 11, 100_000)
    rates = norm.sf((norm.isf(0.05) - m) / np.sqrt(1 - 1 / 121))
    assert rates.mean() == pytest.approx(0.05, rel=0.01)
    assert np.quantile(rates, [0.05, 0.95]) == pytest.approx([low, high], rel=0.01)
