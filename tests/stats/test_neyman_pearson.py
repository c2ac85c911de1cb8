"""Median Z of any statistic: exact where the statistic is the log-ratio or a count, and never above the best one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, norm, poisson

from nplm.stats.neyman_pearson import median_expected_z, median_z_of
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


@pytest.mark.wrong_arrays
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


@pytest.mark.parametrize(("b", "s"), [(20.0, 8.0), (100.0, 40.0)])
def test_a_count_among_a_fixed_number_has_the_p_value_of_the_binomial(b: float, s: float) -> None:
    """Of 1000 events b are expected in one cell; s take the place of others and lie there."""
    n = 1000
    share = ((1 - s / n) * b + s) / n
    expected = norm.isf(binom.sf(binom.median(n, share) - 1, n, b / n))
    background, signal = np.array([n - b, b]), np.array([0.0, s])
    found = median_z_of(np.array([0.0, 2.0]), background, signal, fixed_number=True)
    assert found == pytest.approx(expected, rel=1e-9)
    # The best test of two cells is the same count.
    mu = (1 - s / n) * background + signal
    y = np.log(mu / background)
    assert median_expected_z(y, mu, fixed_number=True) == pytest.approx(expected, abs=0.06)
    # The negative control: with a Poisson number the count is another.
    assert abs(median_z_of(np.array([0.0, 2.0]), background, signal) - expected) > 0.01


def test_a_fixed_number_costs_what_the_yield_says() -> None:
    """To leading order Z^2 is N_S^2 (int s^2/b - 1/N_B) instead of N_S^2 int s^2/b: a weak signal, to 3%."""
    signal, number = SIGNALS["broad"], 40.0
    s = WIDTH * number * signal.density(X)
    y = np.log1p(s / BACKGROUND - number / 2000)
    mu = BACKGROUND * (1 - number / 2000) + s
    fixed = median_expected_z(y, mu, fixed_number=True)
    assert fixed == pytest.approx(median_z_of(y, BACKGROUND, s, fixed_number=True), abs=2e-3)
    square = float(s @ (s / BACKGROUND))
    expected = np.sqrt((square - number**2 / 2000) / square)
    assert fixed / ideal_z(signal, number) == pytest.approx(expected, rel=0.03)


def test_a_signal_needs_room_in_a_fixed_number() -> None:
    with pytest.raises(ValueError, match="has no room"):
        median_z_of(np.ones(1), np.ones(1), np.ones(1), fixed_number=True)
