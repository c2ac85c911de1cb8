"""The formulas behind the family, each against an exact answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import binomtest, chi2, norm, poisson

from nplm.data.sample import Sample
from nplm.family.fit import fit_member
from nplm.family.intervals import Intervals, log_p_of_root
from nplm.family.member import Member, Part
from nplm.family.ranks import RankScale
from nplm.family.settings import FamilySettings
from nplm.family.statistic import Family
from nplm.family.union import JointNormal
from nplm.stats.yields import binomial_root, poisson_root
from nplm.two_sample.pooled import Pool


def _part(phi: np.ndarray) -> Part:
    """One test of squared scores, of modes with sum phi phi^T = 1."""
    r = phi.shape[1]
    return Part(None, phi, np.ones(r), (Member("one", (0,), 1.0, 1.0, np.ones(r)),))


def _orthonormal(columns: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(3).normal(size=(400, columns)))[0]


@pytest.mark.parametrize("p", [1e-2, 1e-5, 1e-12])
def test_the_union_of_one_test_of_equal_tests_and_of_independent_ones_is_known(p: float) -> None:
    phi = _orthonormal(4)
    first, second = _part(phi[:, :2]), _part(phi[:, 2:])
    threshold = chi2.isf(p, 2)
    alone = JointNormal([first], [], np.ones(400), 1).log_union(np.array([threshold]), np.inf)[0]
    twice = JointNormal([first, first], [], np.ones(400), 1).log_union(np.full(2, threshold), np.inf)[0]
    apart = JointNormal([first, second], [], np.ones(400), 1).log_union(np.full(2, threshold), np.inf)[0]
    # 2000 draws: relative errors of some 3%.
    assert np.exp(alone) == pytest.approx(p, rel=0.12)
    assert np.exp(twice) == pytest.approx(p, rel=0.12)
    assert np.exp(apart) == pytest.approx(2 * p - p**2, rel=0.12)


def test_the_union_of_correlated_products_is_that_of_two_normal_numbers() -> None:
    """P(|U| > z or |V| > z) of normal numbers with correlation .9, by integration, at p = 1e-6 each."""
    phi = _orthonormal(2)
    phi[:, 1] = 0.9 * phi[:, 0] + np.sqrt(1 - 0.81) * phi[:, 1]
    units = np.eye(2)
    members = tuple(Member("products", (j,), None, None, units[j]) for j in range(2))
    z = norm.isf(0.5e-6)
    part = Part(None, phi, np.ones(2), members)
    joints = [JointNormal([part], [], np.ones(400), seed) for seed in range(40)]
    u = np.linspace(z, z + 6, 4001)
    given = norm.sf((z - 0.9 * u) / np.sqrt(1 - 0.81)) + norm.cdf((-z - 0.9 * u) / np.sqrt(1 - 0.81))
    both = 2 * np.trapezoid(norm.pdf(u) * given, u)
    found = np.exp([joint.log_union(np.full(2, z**2), np.inf)[0] for joint in joints])
    # One of them is within 15% or so; three standard errors of all.
    assert found.mean() == pytest.approx(2e-6 - both, abs=3 * found.std() / np.sqrt(len(found)))
    assert found.std() < 0.25 * found.mean()
    # Independent numbers would have another union.
    assert both > 0.2e-6


def test_equal_values_share_their_middle_rank_and_units_do_not_matter() -> None:
    values = np.array([0.0, 0.0, 0.0, 1.0, 5.0])
    scale = RankScale.of(values, np.ones(5))
    np.testing.assert_allclose(scale(values), norm.ppf([0.3, 0.3, 0.3, 0.7, 0.9]))
    np.testing.assert_allclose(RankScale.of(np.exp(values), np.ones(5))(np.exp(values)), scale(values))
    np.testing.assert_allclose(scale(np.array([-9.0, 99.0])), norm.ppf([0.3, 0.9]))


def test_the_root_of_the_yield_is_near_the_exact_distribution() -> None:
    p = 2 * norm.sf(binomial_root(230.0, 2200.0, 1 / 11))
    assert p == pytest.approx(binomtest(230, 2200, 1 / 11).pvalue, rel=0.1)
    p = 2 * norm.sf(poisson_root(230.0, 200.0))
    assert p == pytest.approx(2 * poisson.sf(229, 200.0), rel=0.1)


def test_the_p_value_of_an_interval_is_the_exact_binomial_one_to_a_quarter() -> None:
    family, interval = _one_interval()
    start, stop = int(interval.start[0]), int(interval.stop[0])
    k = int(interval.mass_b[start:stop].sum())
    n = k + int(interval.mass_a[start:stop].sum())
    exact = 2 * binomtest(k, n, family.q, alternative="greater").pvalue
    assert np.exp(log_p_of_root(interval.observed()[0])) == pytest.approx(exact, rel=0.25)


def test_the_tail_of_one_interval_is_that_of_a_normal_score() -> None:
    _, interval = _one_interval()
    assert interval.log_tail(5.0, 1) == pytest.approx(np.log(2 * norm.sf(5.0)), abs=1e-9)


def test_the_end_of_a_feature_counts_all_that_is_beyond_a_value() -> None:
    rng = np.random.default_rng(7)
    a, b = rng.normal(size=2000), np.concatenate([rng.normal(size=990), np.full(10, 9.0)])
    settings = FamilySettings(classes=("intervals",), interval_cells=(), hump_cells=(), end_masses=(10.0,))
    (ends,) = Family.of(Pool.of(Sample(a), Sample(b)), settings).intervals
    assert (ends.start[0], ends.stop[1]) == (0, ends.cells)
    best = ends.best
    assert (best.observed, best.expected) == (10, 0)
    assert best.holds.sum() == 10
    # Ten of ten; half an event is taken off.
    deviance = 9.5 * np.log(9.5 * 3 / 10) + 0.5 * np.log(0.5 * 3 / 20)
    assert best.root == pytest.approx(np.sqrt(2 * deviance))


def test_there_is_no_end_of_more_events_than_there_are() -> None:
    rng = np.random.default_rng(8)
    # Each outermost cell holds five events, which alone are no end.
    spikes = np.repeat([-9.0, 9.0], 5)
    pool = Pool.of(Sample(np.concatenate([rng.normal(size=40), spikes])), Sample(rng.normal(size=20)))
    settings = FamilySettings(classes=("intervals",), interval_cells=(), hump_cells=(), end_masses=(8.0, 100.0))
    (ends,) = Family.of(pool, settings).intervals
    assert len(ends.start) == 2


def test_a_hump_is_a_score_of_weighted_events_when_there_are_many() -> None:
    rng = np.random.default_rng(9)
    a, b = rng.normal(size=300_000), np.concatenate([rng.normal(size=149_000), rng.normal(1.0, 0.1, 1000)])
    settings = FamilySettings(classes=("intervals",), interval_cells=(), hump_cells=(8,), end_masses=())
    family = Family.of(Pool.of(Sample(a), Sample(b)), settings)
    (humps,) = family.intervals
    q, total = family.q, humps.mass_a + humps.mass_b
    y = humps.weights @ ((1 - q) * humps.mass_b - q * humps.mass_a) / np.sqrt(q * (1 - q) * (humps.weights**2 @ total))
    rich = humps.weights @ total > 5000
    np.testing.assert_allclose(humps.observed()[rich], y[rich], atol=0.1)
    assert np.abs(y[rich]).max() > 5
    # For a peak of this width a hump tells more than the best box.
    boxes = Family.of(
        Pool.of(Sample(a), Sample(b)), FamilySettings(classes=("intervals",), hump_cells=(), end_masses=())
    )
    assert humps.best.root > boxes.intervals[0].best.root


def test_the_tail_of_two_intervals_apart_is_that_of_two_normal_scores() -> None:
    family, _ = _one_interval()
    (every,) = family.intervals
    rows = [np.flatnonzero(every.stop <= every.cells // 2)[-1], np.flatnonzero(every.start >= every.cells // 2)[0]]
    two = replace(every, **{name: getattr(every, name)[rows] for name in _OF_INTERVALS})
    p = 2 * norm.sf(2.0)
    assert np.exp(two.log_tail(2.0, 1)) == pytest.approx(2 * p - p**2, rel=0.02)


_OF_INTERVALS = ("start", "stop", "weights", "unit_a", "unit_b")


def _one_interval() -> tuple[Family, Intervals]:
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=4000), np.concatenate([rng.normal(size=800), rng.normal(1.0, 0.02, 25)])
    settings = FamilySettings(classes=("intervals",), interval_cells=(4,), hump_cells=(), end_masses=())
    family = Family.of(Pool.of(Sample(a, np.full(4000, 0.2)), Sample(b), expected_ratio=1.0), settings)
    every = family.intervals[0]
    best = int(np.argmax(every.observed()))
    return family, replace(every, **{name: getattr(every, name)[best : best + 1] for name in _OF_INTERVALS})


def test_the_fit_is_the_minimum_that_an_independent_minimizer_finds() -> None:
    rng = np.random.default_rng(8)
    a, b = Sample(rng.normal(size=600), np.full(600, 0.5)), Sample(rng.normal(0.3, 1.1, size=300))
    pool = Pool.of(a, b)
    family = Family.of(pool, FamilySettings(classes=("one",), one_scales=(1.0,)))
    part, member = family.members[0]
    fit = fit_member(pool, family.spread, part, member, family.q)
    assert part.cell is not None
    phi = part.phi_of(part.cell)
    columns = np.column_stack([phi, np.ones(len(phi))])
    assert member.penalty is not None
    ratios = np.append(member.penalty / part.variance, 0.0)

    def loss(theta: np.ndarray) -> float:
        f = columns @ theta
        return float(np.log(1 - family.q + family.q * np.exp(f)).sum() - f[pool.in_b].sum())

    found = minimize(lambda x: loss(x) + 0.5 * ratios @ x**2, np.zeros(columns.shape[1]), tol=1e-12)
    assert fit.converged
    assert fit.t == pytest.approx(-2 * loss(found.x), abs=1e-4)
    assert fit.t_one_step > 0
