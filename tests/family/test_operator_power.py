"""What the family sees of an operator: nothing where nothing is, a larger yield, and less than the best test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest, norm

from nplm import KernelModel, Sample
from nplm.family import FamilySettings, family_operator_power
from nplm.family.operator_power import family_operator_text
from nplm.nuisance import Normalization
from nplm.sensitivity import operator_power
from nplm.statistic import LikelihoodRatio
from toys.interference import Interference

PROBLEM = Interference(2, expected_yield=200.0)
REFERENCE = PROBLEM.draw_reference(np.random.default_rng(1), 3000)
RATIO = PROBLEM.exact_ratio({"c_even": 0.6})
FEW = FamilySettings(("one",))


def test_samples_without_a_difference_are_like_the_reference() -> None:
    """r = 1 but for 1e-9: p of 40 samples is uniform (KS at 1%), as no event is in both samples."""
    rng = np.random.default_rng(3)
    reference = Sample(rng.normal(size=(900, 1)), np.full(900, 0.2), ["x"])
    (found,) = family_operator_power(
        reference, Normalization("norm"), [{"norm": 1e-9}], 40, settings=FEW, resamples=99, seed=2
    )
    assert kstest(norm.sf(found.z), "uniform").pvalue > 0.01
    assert found.yield_ratio == pytest.approx(1.0)
    # A yield that is 50% larger is three to five standard deviations: of 90 events beside sqrt(270 + 180^2 / 700).
    (more,) = family_operator_power(
        reference, Normalization("norm"), [{"norm": float(np.log(1.5))}], 10, settings=FEW, resamples=99, seed=2
    )
    assert 2.5 < more.median_z < 6
    assert more.leading == "yield"


def test_the_family_sees_less_than_the_dedicated_test_and_more_of_more() -> None:
    """c = -0.2 and -0.6, of 10 samples each; the dedicated Z is that beside one kernel, which is exact elsewhere."""
    thetas = [{"c_even": -0.2}, {"c_even": -0.6}]
    found = family_operator_power(REFERENCE, RATIO, thetas, 10, resamples=99, seed=4)
    kernel = operator_power(LikelihoodRatio(REFERENCE, KernelModel(width=1.0, centers=30)), RATIO, thetas)
    for each, other in zip(found, kernel, strict=True):
        assert each.dedicated_z == pytest.approx(other.dedicated_z)
        assert each.yield_ratio == pytest.approx(other.yield_ratio)
        assert each.band[0] < each.median_z < each.band[1]
        # Ten samples tell a median to 0.4.
        assert each.median_z < each.dedicated_z + 1.2
    assert found[1].median_z > found[0].median_z
    assert "c_even = -0.6" in family_operator_text(found)
    assert found[0].to_dict()["family"]["z"] == found[0].z.tolist()


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="9 samples do not tell a median Z: take 10 or more"):
        family_operator_power(REFERENCE, RATIO, [{"c_even": 0.1}], 9)
    few = PROBLEM.draw_reference(np.random.default_rng(1), 150)
    with pytest.raises(
        ValueError, match=r"at c_even = 0.1 an event of .* stands for .* give a reference of more events"
    ):
        family_operator_power(few, RATIO, [{"c_even": 0.1}])
    with pytest.raises(ValueError, match="nothing to see"):
        family_operator_power(REFERENCE, RATIO, [{"c_even": 0.0}])
    negative = Sample(REFERENCE.events, np.where(np.arange(3000) == 0, -1, 1) * REFERENCE.weights, REFERENCE.features)
    with pytest.raises(ValueError, match="negative weights"):
        family_operator_power(negative, RATIO, [{"c_even": 0.1}])
