"""Median Z of any statistic: exact where the statistic is the log-ratio or a count, and never above the best one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, poisson

from nplm.calibrate.ideal import median_expected_z, median_z_of
from toys.exponential import SIGNALS, ideal_z, log_ratio

EDGES = np.linspace(0, 40, 40_001)
X, WIDTH = (EDGES[1:] + EDGES[:-1]) / 2, np.diff(EDGES)
BACKGROUND = WIDTH * 2000 * np.exp(-X)


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("share", [0.3, 1.0, 2.0])
def test_of_the_log_ratio_it_is_that_of_the_best_test(name: str, share: float) -> None:
    signal = SIGNALS[name]
    number = share * signal.expected
    y, s = log_ratio(X, signal, number), WIDTH * number * signal.density(X)
    best = median_z_of(y, BACKGROUND, s)
    assert best == pytest.approx(ideal_z(signal, number), abs=2e-3)
    assert best == pytest.approx(median_expected_z(y, BACKGROUND + s), abs=1e-3)
    # Any other statistic is worse: a count of all events, by far.
    assert median_z_of(np.sqrt(y), BACKGROUND, s) < best
    assert median_z_of(np.ones_like(y), BACKGROUND, s) < 0.6 * best


@pytest.mark.parametrize(("b", "s"), [(20.0, 15.0), (0.5, 8.0), (1000.0, 300.0)])
def test_a_count_has_the_p_value_of_poisson(b: float, s: float) -> None:
    median = poisson.median(b + s)
    expected = norm.isf(poisson.sf(median - 1, b))
    assert median_z_of(np.array([2.0]), np.array([b]), np.array([s])) == pytest.approx(expected, rel=1e-9)


def test_without_a_signal_z_is_about_zero() -> None:
    y = log_ratio(X, SIGNALS["bulk"])
    assert abs(median_z_of(y, BACKGROUND, 0 * BACKGROUND)) < 0.1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"statistic": np.ones(3)}, "one shape"),
        ({"statistic": np.array([1.0, np.nan])}, "must be finite"),
        ({"signal": np.array([1.0, -1.0])}, "not negative"),
        ({"statistic": np.zeros(2)}, "no signal to test"),
    ],
)
def test_bad_input(change: dict[str, np.ndarray], message: str) -> None:
    arguments = {"statistic": np.ones(2), "background": np.ones(2), "signal": np.ones(2), **change}
    with pytest.raises(ValueError, match=message):
        median_z_of(**arguments)
