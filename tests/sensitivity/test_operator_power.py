"""What a test sees of an operator: against toys drawn at theta, and the dedicated test against its exact Z."""

from __future__ import annotations

import numpy as np
import pytest

from nplm import KernelModel, Sample
from nplm.nuisance import Normalization
from nplm.sensitivity import operator_power
from nplm.sensitivity.operator_power import operator_power_text
from nplm.statistic import LikelihoodRatio
from nplm.stats.neyman_pearson import median_expected_z
from toys.interference import Interference

PROBLEM = Interference(2)
REFERENCE = PROBLEM.draw_reference(np.random.default_rng(1), 20_000)
TEST = LikelihoodRatio(REFERENCE, KernelModel(width=1.0, centers=60, reference_exact=True))
RATIO = PROBLEM.exact_ratio({"c_even": 0.6})


def test_the_prediction_is_that_of_toys_at_theta() -> None:
    """100 toys with a destructive interference, whose yield is below that of the reference: median and spread of Z."""
    theta = {"c_even": -0.5}
    (found,) = operator_power(TEST, RATIO, [theta])
    assert found.blind.events == pytest.approx(PROBLEM.expected_at(theta) - 1000, abs=15)
    rng = np.random.default_rng(2)
    fits = TEST.fit([PROBLEM.draw_data(rng, theta) for _ in range(100)])
    null = TEST.asymptotic_null()
    z = np.array([null.z(t) for t in fits.t])
    error = 1.25 * z.std() / np.sqrt(len(z))
    # The reference is one for all toys, and its own fluctuation, of 1000 / 20,000 of the variance, moves them together.
    assert abs(np.median(z) - found.blind.median_z) < 4 * error + 0.25
    low, high = found.blind.band
    assert np.quantile(z, 0.84) - np.quantile(z, 0.16) == pytest.approx(high - low, rel=0.4)
    # Another theta has another Z: half of it is seen far less.
    (weaker,) = operator_power(TEST, RATIO, [{"c_even": -0.25}])
    assert weaker.blind.median_z < found.blind.median_z - 1


@pytest.mark.parametrize("c", [-0.3, 0.25])
def test_the_dedicated_test_is_the_most_powerful_one(c: float) -> None:
    theta = {"c_even": c}
    (found,) = operator_power(TEST, RATIO, [theta])
    x, expected = PROBLEM.cells(theta)
    exact = median_expected_z(PROBLEM.log_ratio(x, theta), expected)
    assert found.dedicated_z == pytest.approx(exact, rel=0.04)
    assert found.blind.median_z < found.dedicated_z
    assert found.yield_ratio == pytest.approx(PROBLEM.expected_at(theta) / 1000, rel=0.01)
    assert f"c_even = {c:g}" in operator_power_text([found])
    assert found.to_dict()["dedicated_z"] == found.dedicated_z


def test_any_log_ratio_serves_and_bad_input_is_refused() -> None:
    (found,) = operator_power(TEST, Normalization("log_yield"), [{"log_yield": float(np.log(1.1))}])
    # 100 more events of 1000 are three standard deviations.
    assert found.dedicated_z == pytest.approx(100 / np.sqrt(1000), rel=0.05)
    with pytest.raises(ValueError, match="nothing to see"):
        operator_power(TEST, RATIO, [{"c_even": 0.0}])
    with pytest.raises(ValueError, match="outside of"):
        operator_power(TEST, RATIO, [{"c_even": 2.0}])
    with pytest.raises(ValueError, match="unknown nuisance c_odd"):
        operator_power(TEST, RATIO, [{"c_odd": 0.1}])
    weights = REFERENCE.weights.copy()
    weights[0] = -weights[0]
    negative = Sample(REFERENCE.events, weights, REFERENCE.features)
    with pytest.raises(ValueError, match="negative weights"):
        operator_power(LikelihoodRatio(negative, KernelModel(width=1.0, centers=20)), RATIO, [{"c_even": 0.1}])
    shape = LikelihoodRatio(REFERENCE, KernelModel(width=1.0, centers=20), shape_only=True)
    with pytest.raises(ValueError, match="not of the shape only"):
        operator_power(shape, RATIO, [{"c_even": 0.1}])
