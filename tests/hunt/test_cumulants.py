"""Tails from three cumulants: exact where the distribution is a chi2, or normal."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, norm, poisson

from nplm.hunt.cumulants import Cumulants, log_tail


@pytest.mark.parametrize("freedom", [1.0, 7.3, 120.0])
def test_a_chi2_is_itself(freedom: float) -> None:
    t = np.array([0.5, 1.0, 2.0, 5.0]) * freedom
    found = log_tail(3 * t + 1, 3 * freedom + 1, 9 * 2 * freedom, 27 * 8 * freedom)
    np.testing.assert_allclose(found, chi2.logsf(t, freedom), rtol=1e-10)


def test_without_skewness_it_is_normal_and_below_the_start_of_the_chi2_one() -> None:
    t = np.array([-3.0, 0.0, 2.0, 40.0])
    np.testing.assert_allclose(log_tail(t, 0.0, 1.0, 0.0), norm.logsf(t), rtol=1e-12)
    np.testing.assert_allclose(log_tail(t, 0.0, 1.0, -0.5), norm.logsf(t), rtol=1e-12)
    # A chi2(2) that is shifted to mean zero begins at -1.
    assert log_tail(np.array([-1.5]), 0.0, 1.0, 2.0)[0] == 0


def test_a_poisson_count_is_met_to_a_few_percent_and_by_a_normal_one_not() -> None:
    """P(n >= 45) of a mean of 25, with half a count as continuity."""
    exact = poisson.sf(44, 25)
    found = float(np.exp(log_tail(np.array([44.5 - 25]), 0.0, 25.0, 25.0)[0]))
    assert found == pytest.approx(exact, rel=0.1)
    assert norm.sf((44.5 - 25) / 5) < 0.5 * exact


def test_a_spread_widens_about_the_mean() -> None:
    one = np.ones((1, 1))
    plain = Cumulants(5 * one, 10 * one, 40 * one, one)
    wider = Cumulants(5 * one, 10 * one, 40 * one, 4 * one)
    np.testing.assert_allclose(wider.log_p(5 + 2 * (12 * one - 5)), plain.log_p(12 * one))
