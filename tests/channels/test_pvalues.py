"""Critical counts, histograms, factors and extremes: exact answers by enumeration of counts, and controls that fail."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kstest

from nplm.channels.counts import UNCERTAINTIES, log_probability
from nplm.channels.draws import draw_counts
from nplm.channels.extremes import extremes
from nplm.channels.factor import error_factors
from nplm.channels.histogram import p_histogram
from nplm.channels.pvalues import RegionPValues, critical_counts
from nplm.channels.table import Covariance, RegionTable


def table_of(n: list[float], expected: list[float], error: list[float]) -> RegionTable:
    names = tuple(f"R{i}" for i in range(len(n)))
    values = (np.array(v, dtype=float) for v in (n, expected, error))
    return RegionTable(names, ("x",) * len(n), *values)


def background(m: int, seed: int, factor: float = 1.0) -> RegionTable:
    """Regions of all sizes, whose true errors are `factor` times those of the table."""
    rng = np.random.default_rng(seed)
    expected = np.exp(rng.uniform(0, 4.5, m))
    analyses = tuple(f"a{i // 20}" for i in range(m))
    table = RegionTable(tuple(f"R{i}" for i in range(m)), analyses, np.zeros(m), expected, 0.3 * expected)
    return table.with_observed(draw_counts(table, rng, 1, factor=factor)[0])


TABLE = table_of([4, 0, 30, 9], [2.0, 0.4, 22.0, 9.5], [0.5, 0.3, 4.0, 0.0])


@pytest.mark.parametrize("errors", UNCERTAINTIES)
@pytest.mark.parametrize("kind", ["excess", "deficit", "mid"])
def test_critical_counts_are_those_of_a_list_of_all_counts(kind: str, errors: str) -> None:
    levels = np.array([1e-6, 0.03, 0.2, 0.5, 0.97])
    found = critical_counts(levels, TABLE, errors, kind)
    n = np.arange(0.0, 150.0)
    for r in range(4):
        b, error = np.full(150, TABLE.expected[r]), np.full(150, TABLE.error[r])
        above, below, equal = (
            np.exp(log_probability(p, n, b, error, errors)) for p in ("at least", "at most", "equal")
        )
        p = {"excess": above, "deficit": below, "mid": above - equal / 2}[kind]
        for level, count in zip(levels, found[:, r], strict=True):
            counts = n[p <= level]
            expected = (counts.max(initial=-1.0)) if kind == "deficit" else counts.min()
            assert count == expected, (r, level)


def test_mid_p_is_uniform_on_average_and_p_is_not() -> None:
    """sum_n P(n) mid(n) = 1/2 exactly, of any discrete distribution."""
    n = np.arange(0.0, 80.0)
    table = table_of(n.tolist(), [3.0] * 80, [1.0] * 80)
    p = RegionPValues.of(table)
    probability = np.exp(p.log_equal)
    assert probability @ p.mid == pytest.approx(0.5, abs=1e-12)
    assert probability @ p.excess > 0.55


@pytest.mark.parametrize("kind", ["excess", "deficit", "mid"])
def test_the_expected_histogram_is_a_sum_over_all_counts(kind: str) -> None:
    factor = 1 / 1.3
    histogram = p_histogram(TABLE, "gamma", kind=kind, bins=7, factors=(factor,), draws=10)
    n = np.arange(0.0, 400.0)
    expected = np.zeros(7)
    for r in range(4):
        p = RegionPValues.of(table_of(n.tolist(), [TABLE.expected[r]] * 400, [TABLE.error[r]] * 400), "gamma")
        value = {"excess": p.excess, "deficit": p.deficit, "mid": p.mid}[kind]
        true = np.full(400, factor * TABLE.error[r])
        probability = np.exp(log_probability("equal", n, np.full(400, TABLE.expected[r]), true, "gamma"))
        bins = np.minimum(np.ceil(np.minimum(value, 1.0) * 7 - 1e-12).astype(int), 7) - 1
        expected += np.bincount(np.maximum(bins, 0), weights=probability, minlength=7)
    np.testing.assert_allclose(histogram.expected[0].counts, expected, atol=1e-9)
    assert sum(histogram.observed) == 4


def test_a_thousand_regions_are_as_predicted_and_not_as_other_errors_would_have_them() -> None:
    """Tables whose true errors are right, or 1.3 or 2 times smaller: only their own prediction is accepted."""
    factors = (1.0, 1 / 1.3, 0.5)
    accepted = []
    for seed, factor in enumerate(factors):
        histogram = p_histogram(background(1000, seed, factor), bins=10, factors=factors, draws=100)
        accepted.append([each.p_value for each in histogram.expected])
    p = np.array(accepted)
    assert (np.diag(p) > 0.02).all()
    # 30% is seen in a thousand regions, and a factor of two cannot be missed.
    assert p[0, 1] < 0.05
    assert p[0, 2] < 0.01
    assert p[2, 0] < 0.01
    # As in the published figure: errors that are too large leave less at both ends, and more in the middle.
    right, large = (np.array(each.counts) for each in histogram.expected[:2])
    assert large[0] < 0.9 * right[0]
    assert large[4:6].sum() > right[4:6].sum()


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.6])
def test_the_best_factor_is_the_true_one(factor: float) -> None:
    (best,) = error_factors(background(1000, 11, factor))
    assert best.factor == pytest.approx(factor, abs=4 * (best.high - best.low) / 2)
    assert best.spread == pytest.approx((best.high - best.low) / 2, rel=0.5)
    assert best.log_ratio > (-1e-9 if factor == 1 else 20)


def test_factors_of_groups_stand_beside_that_of_all() -> None:
    found = error_factors(background(60, 3), by=("analysis",))
    assert [each.group for each in found] == ["all", "a0", "a1", "a2"]
    assert [each.regions for each in found] == [60, 20, 20, 20]
    # One region whose count is what is expected has no smallest error that fits.
    (one,) = error_factors(table_of([10], [10.0], [4.0]))
    assert one.at_end
    assert one.factor == 0.05


def test_the_trials_factor_is_that_of_all_pairs_of_counts() -> None:
    """Two regions: P(some p is as small) by enumeration of both counts."""
    table = table_of([7, 12], [2.5, 9.0], [0.8, 2.0])
    p = RegionPValues.of(table)
    (leading, second) = extremes(table, p)
    n = np.arange(0.0, 120.0)
    each = [RegionPValues.of(table_of(n.tolist(), [b] * 120, [e] * 120)) for b, e in ((2.5, 0.8), (9.0, 2.0))]
    joint = np.exp(each[0].log_equal)[:, None] * np.exp(each[1].log_equal)
    small = np.minimum(each[0].excess[:, None], each[1].excess)
    for found in (leading, second):
        assert found.global_p == pytest.approx(joint[small <= found.p_value * (1 + 1e-9)].sum(), rel=1e-8)
    assert leading.global_p < 2 * leading.p_value


def test_what_is_no_deficit_at_all_has_the_global_p_of_one() -> None:
    """P(N <= 80) of 27 +- 2.4 is one but for rounding, and all larger counts have that, too."""
    table = table_of([80, 30], [27.0, 30.0], [2.4, 3.0])
    last = extremes(table, RegionPValues.of(table), side="deficit")[-1]
    assert last.observed == 80
    assert last.p_value == pytest.approx(1)
    assert last.global_p == pytest.approx(1)


def test_draws_account_for_what_regions_share() -> None:
    """Two regions with the same, wholly correlated, large errors are hardly two trials."""
    error = np.array([400.0, 400.0])
    apart = RegionTable(("a", "b"), ("x", "x"), np.array([2100.0, 1000.0]), np.array([1000.0, 1000.0]), error)
    covariance = Covariance(np.arange(2), np.outer(error, error) * np.array([[1, 0.999], [0.999, 1]]))
    together = RegionTable(apart.regions, apart.analyses, apart.observed, apart.expected, error, {}, {"x": covariance})
    (found, _) = extremes(together, RegionPValues.of(together), draws=40_000)
    assert np.isnan(extremes(apart, RegionPValues.of(apart))[0].drawn_p)
    assert found.global_p == pytest.approx(2 * found.p_value, rel=0.01)
    assert found.drawn_p == pytest.approx(1.1 * found.p_value, rel=0.2)


def test_the_global_p_of_the_largest_excess_is_never_too_small() -> None:
    """100 tables of 15 regions: p of discrete counts is uniform or larger."""
    table = background(15, 1)
    p = []
    for counts in draw_counts(table, np.random.default_rng(2), 100):
        drawn = table.with_observed(counts)
        p.append(extremes(drawn, RegionPValues.of(drawn), most=1)[0].global_p)
    assert kstest(p, "uniform", alternative="greater").pvalue > 0.01
    assert np.mean(np.array(p) <= 0.1) > 0.03
