"""The p-value of shape and yield together, against counted uniform numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from nplm.stats.yields import Rate, poisson_root
from nplm.two_sample.calibration import TwoSampleCalibration
from nplm.two_sample.with_rate import log_p_of_product, log_p_of_smallest, with_rate


def test_the_product_is_fishers() -> None:
    assert np.exp(log_p_of_product(np.log(3e-6))) == pytest.approx(chi2.sf(-2 * np.log(3e-6), 4))


def test_the_smallest_of_three_is_uniform(rng: np.random.Generator) -> None:
    u, v = rng.random((2, 200_000))
    smallest = np.minimum(np.minimum(u, 2 * v), [np.exp(log_p_of_product(x)) for x in np.log(u * v)])
    for c in (0.002, 0.02, 0.2, 0.8):
        exact = np.exp(log_p_of_smallest(np.log(c)))
        counted = float((smallest <= c).mean())
        assert counted == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / len(u)))
        # What Bonferroni would say is another number.
        assert abs(counted - min(2.5 * c, 1)) > 3 * np.sqrt(exact * (1 - exact) / len(u))
    assert np.isfinite(log_p_of_smallest(-5000.0))
    assert log_p_of_smallest(-5000.0) > -5000.0


def test_a_limit_of_the_shape_is_none_where_the_yield_decides() -> None:
    none_exceeds = TwoSampleCalibration.counted("permutation", "permutations", 9.0, np.zeros(999))
    assert none_exceeds.limit
    by_yield, lead = with_rate(none_exceeds, Rate(4000.0, 400.0, poisson_root(4000.0, 400.0)))
    assert (lead, by_yield.limit) == ("yield", False)
    assert by_yield.p_value < 1e-20
    by_shape, lead = with_rate(none_exceeds, Rate(400.0, 400.0, 0.0))
    assert (lead, by_shape.limit) == ("shape", True)
    assert by_shape.p_value > none_exceeds.p_value
