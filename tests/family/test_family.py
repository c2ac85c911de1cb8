"""The family of tests on two samples: sizes are those of relabelled samples, and its law is right at the 1% point."""

from __future__ import annotations

import numpy as np

from nplm.family.pvalue import FamilyNull
from nplm.family.settings import FamilySettings
from nplm.family.statistic import Family, combined
from nplm.sample import Sample
from nplm.two_sample.pool import Pool


def _tested(a: np.ndarray, b: np.ndarray) -> tuple[float, FamilyNull]:
    family = Family.of(Pool.of(Sample(a), Sample(b)), FamilySettings())
    null = FamilyNull(family, family.surprise(family.null(299, 1)), 1)
    observed = family.by_class(family.t(family.observed()), family.root)
    return float(combined(observed, null.log_tests)[0]), null


def test_a_narrow_component_of_one_of_three_features_is_found_and_a_copy_is_not() -> None:
    rng = np.random.default_rng(5)

    def draw(width: float) -> np.ndarray:
        events = rng.normal(size=(2000, 3))
        narrow = rng.random(2000) < 0.3
        events[narrow, 2] = 3 + width * rng.normal(size=narrow.sum())
        return events

    different, null = _tested(draw(0.3), draw(0.5))
    assert null.exceeding(different) == 0
    assert null.log_p(different) < np.log(1e-7)
    same, null = _tested(draw(0.3), draw(0.3))
    assert null.exceeding(same) > 3
    assert 0.003 < null.check[1] < 0.05
