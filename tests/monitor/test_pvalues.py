"""The distribution of p-values: exact sizes, scales that are put in and found again, and negative controls."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi2, kstest, norm

from nplm.monitor import pvalue_density, pvalue_distribution


def test_each_test_is_exact() -> None:
    # 2000 sets of 20 uniform p-values: the p-values of each test are uniform, and all together reject 5% at most.
    rng = np.random.default_rng(1)
    found = [pvalue_distribution(rng.random(20), 3) for _ in range(2000)]
    for name in ("kolmogorov_smirnov", "low", "high", "scale_test"):
        assert kstest([getattr(f, name) for f in found], "uniform").pvalue > 0.005
    assert np.mean([f.p_value <= 0.05 for f in found]) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)


@pytest.mark.parametrize(("factor", "words"), [(1.3, "pile up at 0"), (0.7, "pile up at 1")])
def test_wrong_errors_are_found_with_their_factor(factor: float, words: str) -> None:
    z = np.random.default_rng(2).normal(0, factor, 400)
    found = pvalue_distribution(2 * norm.sf(np.abs(z)))
    assert not found.uniform
    assert words in found.sentence
    assert abs(found.scale - factor**2) < 3 * found.scale_error
    assert found.error_factor == pytest.approx(factor, rel=0.1)
    # By hand: the p-values are those of z^2, so the scale is its mean.
    assert found.scale == pytest.approx(np.mean(z**2), rel=1e-9)


def test_chi2_of_several_degrees_of_freedom() -> None:
    t = chi2(8).rvs(300, random_state=np.random.default_rng(3)) * 1.44
    found = pvalue_distribution(chi2(8).sf(t), 8)
    assert found.scale == pytest.approx(t.mean() / 8, rel=1e-9)
    assert abs(found.error_factor - 1.2) < 0.05


def test_what_is_not_a_scale_is_said_to_be_none() -> None:
    # Half of the p-values at each end: their chi2 has the right mean, but they are not uniform.
    p = np.concatenate([np.linspace(0.3, 0.5, 300), np.linspace(0.001, 0.2, 80), np.linspace(0.5, 0.52, 300)])
    found = pvalue_distribution(p, 1)
    if found.scale_test >= 0.01:
        assert "does not explain" in found.sentence
    assert not found.uniform


def test_uniform_ones_are_uniform() -> None:
    found = pvalue_distribution((np.arange(200) + 0.5) / 200)
    assert found.uniform
    assert "are uniform within their errors" in found.sentence
    assert found.to_dict()["uniform"] is True


def test_p_values_of_zero_and_one_are_counted() -> None:
    found = pvalue_distribution(np.concatenate([np.zeros(3), np.linspace(0.1, 0.9, 20), [1.0]]))
    assert np.isfinite(found.scale)
    assert found.low < 1e-6


def test_the_density_is_a_density_and_that_of_the_scaled_chi2() -> None:
    for scale, k in ((1.0, 1.0), (1.4, 3.0), (0.6, 2.0)):
        total = quad(lambda p, s=scale, n=k: float(pvalue_density(np.array([p]), s, n)[0]), 0, 1, limit=200)[0]
        assert total == pytest.approx(1, abs=2e-3)
        share = quad(lambda p, s=scale, n=k: float(pvalue_density(np.array([p]), s, n)[0]), 0.2, 0.6)[0]
        low, high = chi2(k).isf([0.2, 0.6]) / scale
        assert share == pytest.approx(chi2(k).sf(high) - chi2(k).sf(low), rel=1e-6)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="at least 10"):
        pvalue_distribution([0.5] * 9)
    with pytest.raises(ValueError, match="one is nan"):
        pvalue_distribution([0.5] * 10 + [np.nan])
    with pytest.raises(ValueError, match=r"one is 1\.5"):
        pvalue_distribution([0.5] * 10 + [1.5])
    with pytest.raises(ValueError, match="degrees of freedom"):
        pvalue_distribution([0.5] * 10, 0)
    with pytest.raises(ValueError, match="scale must be"):
        pvalue_density(np.array([0.5]), 0)


def test_a_dozen_windows_of_which_one_is_far_off_make_no_factor_of_errors() -> None:
    p = [*np.linspace(0.05, 0.95, 12), 1e-20]
    found = pvalue_distribution(p)
    assert not found.uniform
    assert "times" not in found.sentence
    assert "one or two windows may make that" in found.sentence
    assert "times those that were assumed" in pvalue_distribution([*p] * 5).sentence
