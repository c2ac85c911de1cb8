"""chi2 and Kolmogorov's distance of one feature: known for unit weights, of the right size for others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from nplm import Sample
from nplm.two_sample.features import feature_numbers


def test_for_unit_weights_they_are_those_of_scipy(rng: np.random.Generator) -> None:
    a, b = rng.integers(0, 6, 500), rng.integers(0, 6, 300)
    (found,) = feature_numbers(Sample(a.astype(float)), Sample(b.astype(float)))
    table = np.stack([np.bincount(each, minlength=6) for each in (a, b)])
    assert (found.chi2, found.degrees_of_freedom) == (pytest.approx(chi2_contingency(table).statistic), 5)
    assert found.distance == pytest.approx(ks_2samp(a, b).statistic)
    x, y = rng.normal(size=900), rng.normal(0.1, size=700)
    (found,) = feature_numbers(Sample(x), Sample(y))
    assert found.p_distance == pytest.approx(ks_2samp(x, y, method="asymp").pvalue, rel=0.2)


@pytest.mark.parametrize("negative", [0.0, 0.1])
def test_sizes_with_weights_of_one_sample(rng: np.random.Generator, negative: float) -> None:
    # 400 pairs without a difference: p below 10% in 40 of them, within four standard deviations of six.
    p = []
    for _ in range(400):
        x = rng.normal(size=1600)
        # Fewer events of larger weight at small x, as in simulations; some of the weights have the other sign.
        keep = rng.random(1600) < 1 / (1 + np.exp(-x))
        signs = np.where(rng.random(keep.sum()) < negative, -1.0, 1.0)
        a = Sample(x[keep], signs * (1 + np.exp(-x[keep])))
        p.append(feature_numbers(a, Sample(rng.normal(size=400)))[0].p_chi2)
    assert 16 < np.sum(np.array(p) < 0.1) < 64


def test_a_shifted_feature_is_found_whatever_the_yields_and_the_others_are_not(rng: np.random.Generator) -> None:
    a = Sample(rng.normal(size=(4000, 2)), np.full(4000, 0.1), features=("x", "y"))
    b = Sample(rng.normal([0.25, 0.0], size=(1500, 2)), features=("x", "y"))
    x, y = feature_numbers(a, b)
    assert x.corrected(2) < 1e-6
    assert y.corrected(2) > 0.05
    assert x.corrected(2) == 4 * min(x.p_chi2, x.p_distance)


def test_a_single_value_has_no_chi2() -> None:
    (found,) = feature_numbers(Sample(np.ones(20)), Sample(np.ones(30)))
    assert (found.degrees_of_freedom, found.distance, found.corrected(1)) == (0, 0.0, 1.0)
    assert np.isnan(found.p_chi2)
