"""The tail of chi2 where float64 has no p-value any more."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from nplm.stats.chi2_tail import chi2_log_sf, skewed_log_sf


def test_where_there_is_a_p_value_it_is_that_of_scipy() -> None:
    x = np.linspace(0.0, 1200.0, 50)
    assert np.array_equal(chi2_log_sf(x, 7.5), chi2.logsf(x, 7.5))


def test_two_and_four_degrees_of_freedom_are_known_exactly() -> None:
    x = np.geomspace(1e3, 1e12, 30)
    assert chi2_log_sf(x, 2.0) == pytest.approx(-x / 2, rel=1e-13)
    assert chi2_log_sf(x, 4.0) == pytest.approx(-x / 2 + np.log1p(x / 2), rel=1e-13)


@pytest.mark.parametrize("freedom", [0.3, 1.0, 2.7, 30.0, 1000.0])
def test_it_goes_on_where_scipy_ends(freedom: float) -> None:
    x = np.linspace(freedom, freedom + 4000, 20_001)
    log_p = chi2_log_sf(x, freedom)
    assert np.isneginf(chi2.logsf(x, freedom)).any()
    slopes = np.diff(log_p)
    # d log p / dx falls towards -1/2 (or rises to it, below two degrees of freedom), without a step anywhere.
    steps = np.diff(slopes[len(slopes) // 10 :])
    assert np.abs(steps).max() < 1e-3
    assert slopes[-1] == pytest.approx(-0.1, rel=0.2)
    assert np.isneginf(chi2_log_sf(np.array(np.inf), freedom))


@pytest.mark.parametrize("freedom", [2.0, 30.0])
def test_a_shifted_and_scaled_one_has_mean_zero_and_variance_one(freedom: float) -> None:
    # Its first three cumulants, from its density on a grid.
    grid = np.linspace(-np.sqrt(freedom / 2), 60, 2_000_001)
    density = -np.diff(np.exp(skewed_log_sf(grid, freedom)))
    middle = (grid[1:] + grid[:-1]) / 2
    moments = [float(density @ middle**n) for n in (1, 2, 3)]
    np.testing.assert_allclose(moments, [0, 1, np.sqrt(8 / freedom)], atol=1e-3)
