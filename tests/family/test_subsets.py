"""Subsets of the events: their modes and scores by the plain definitions, few events, and size."""

from __future__ import annotations

import numpy as np
import pytest

from nplm import FamilyTest, Sample
from nplm.family import FamilySettings, draws, subsets
from nplm.family.member import Member, shrinkage
from nplm.family.settings import COUNT
from nplm.family.statistic import Family
from nplm.family.subsets import Subset, within_freedom
from nplm.two_sample.pooled import Pool

SETTINGS = FamilySettings(classes=("one", "two", "products", "all", "raw", "moments", "intervals"))


def _far(a: Sample, b: Sample, share: float = 0.1) -> Subset:
    """The events farthest from the origin, by a quantile of A."""
    far_a, far_b = ((sample.events**2).sum(axis=1) for sample in (a, b))
    q = np.quantile(far_a, 1 - share)
    return Subset("the farthest", far_a > q, far_b > q)


def _pair(rng: np.random.Generator, n_a: int, n_b: int, signed: bool = False) -> tuple[Sample, Sample]:
    weights = np.where(rng.random(n_a) < 0.15, -1.0, 1.0) if signed else None
    return Sample(rng.normal(size=(n_a, 3)), weights), Sample(rng.normal(size=(n_b, 3)))


def _family(a: Sample, b: Sample, *chosen: Subset) -> Family:
    return Family.of(Pool.of(a, b), SETTINGS, subsets=chosen)


@pytest.mark.parametrize("signed", [False, True])
def test_modes_of_a_subset_are_orthonormal_there_and_zero_elsewhere(signed: bool) -> None:
    rng = np.random.default_rng(1)
    a, b = _pair(rng, 900, 600, signed)
    family = _family(a, b, subset := _far(a, b))
    inside = np.zeros(len(family.pool), dtype=bool)
    inside[subset.rows(family.pool)] = True
    s, m = family.spread.second, family.pool.masses
    parts = [part for part in family.parts if part.inside is not None]
    assert {part.members[0].kind for part in parts} == {"one", "two", "products", "all", "raw", "moments"}
    for part in parts:
        phi = part.phi_in_pool(np.arange(len(inside)))
        assert not phi[~inside].any()
        used = np.unique(np.concatenate([np.flatnonzero(member.used) for member in part.members]))
        gram = (phi[:, used] * s[:, None]).T @ phi[:, used]
        if part.members[0].penalty is None:
            np.testing.assert_allclose(np.diag(gram), 1, rtol=1e-9)
        else:
            np.testing.assert_allclose(gram, np.eye(len(used)), atol=1e-8)
        np.testing.assert_allclose(m @ phi, 0, atol=1e-8 * np.abs(m).sum() * np.abs(phi).max())


@pytest.mark.parametrize("signed", [False, True])
def test_t_is_that_of_sums_over_the_events_of_the_subset(signed: bool) -> None:
    rng = np.random.default_rng(2)
    a, b = _pair(rng, 500, 700, signed)
    family = _family(a, b, _far(a, b))
    pool, q = family.pool, family.q
    signs = np.where(pool.in_b, 1 - q, -q)
    plain = [
        member.shrinkage @ (part.phi_in_pool(np.arange(len(pool))).T @ (signs * pool.masses)) ** 2
        for part, member in family.members
    ]
    np.testing.assert_allclose(family.t(family.observed())[0], plain, rtol=1e-7, atol=1e-9)


def test_the_count_is_in_units_of_its_hypergeometric_deviation_and_its_fit_the_ratio_of_shares() -> None:
    rng = np.random.default_rng(3)
    a, b = _pair(rng, 800, 400)
    family = _family(a, b, subset := _far(a, b))
    number = next(k for k, (_, member) in enumerate(family.members) if member.kind == COUNT)
    n, q, of_b, held = 1200, 1 / 3, int(subset.in_b.sum()), int(subset.in_a.sum() + subset.in_b.sum())
    # (J - q M)^2 / [M q (1 - q) (1 - M / n)]; the variance of J has n - 1 in the place of n.
    expected = (of_b - q * held) ** 2 / (held * q * (1 - q) * (1 - held / n))
    t = family.t(family.observed())[0, number]
    assert t == pytest.approx(expected, rel=1e-9)
    drawn = family.t(family.null(4000, 5))[:, number]
    assert drawn.mean() == pytest.approx(n / (n - 1), abs=5 * drawn.std() / np.sqrt(4000))
    f = family.fit(number).log_ratio
    inside = np.isin(np.arange(n), subset.rows(family.pool))
    np.testing.assert_allclose(f[inside], np.log(of_b / (held - of_b)) - np.log(q / (1 - q)), rtol=1e-6)
    outside = 400 - of_b, n - held - (400 - of_b)
    np.testing.assert_allclose(f[~inside], np.log(outside[0] / outside[1]) - np.log(q / (1 - q)), rtol=1e-6)


def test_the_fit_of_a_subset_is_that_of_its_events_alone() -> None:
    """At the minimum sum_B phi = sum phi s(f) + p b, with s the share of B that f and the ratio in the subset give."""
    rng = np.random.default_rng(4)
    a, b = _pair(rng, 900, 500)
    b = Sample(b.events * [1.4, 1.0, 1.0])
    family = _family(a, b, subset := _far(a, b))
    rows = subset.rows(family.pool)
    number = next(k for k, (part, member) in enumerate(family.members) if member.kind == "all" and member.subset)
    part, member = family.members[number]
    fit = family.fit(number)
    assert fit.converged
    assert not np.delete(fit.log_ratio, rows).any()
    f, in_b = fit.log_ratio[rows], family.pool.in_b[rows]
    phi = part.phi_of(slice(None))[:, member.used]
    share = 1 / (1 + (1 - family.q) / family.q * np.exp(-f))
    constant_and_modes = np.column_stack([np.ones(len(f)), phi])
    b_fitted = np.linalg.lstsq(constant_and_modes, f, rcond=None)[0][1:]
    gradient = phi.T @ (in_b - share) - member.penalty / part.variance[member.used] * b_fitted
    np.testing.assert_allclose(gradient, 0, atol=1e-4 * np.abs(phi.T @ in_b).max())
    assert share.sum() == pytest.approx(in_b.sum(), rel=1e-6)
    assert np.ptp(f) > 0.1  # a fit that does nothing would pass otherwise


@pytest.mark.parametrize("signed", [False, True])
def test_events_of_a_subset_are_drawn_one_at_a_time_where_others_are_in_bags(
    signed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draws, "_MOST_DRAWN", 400_000)
    rng = np.random.default_rng(5)
    a, b = _pair(rng, 2000, 1500, signed)
    family = _family(a, b, subset := _far(a, b, 0.03))
    null = family.null(1000, 7)
    rows = subset.rows(family.pool)
    assert null.bag is not None
    assert (null.bag[rows] == -1).all()
    assert (np.delete(null.bag, rows) >= 0).mean() > 0.9
    assert set(np.unique(null.events.indices)) <= set(rows.tolist())
    t = family.t(null)
    assert t.shape == (1000, len(family.members))
    off = (t.mean(axis=0) - family.expected_t) / (t.std(axis=0) / np.sqrt(len(t)))
    # The variances are known; weights of both signs to a part of them only, from what is in each leaf.
    assert np.abs(off).mean() < (4.0 if signed else 1.6)


def test_the_penalty_leaves_as_many_degrees_of_freedom_as_there_are_to_be() -> None:
    mu = np.geomspace(1, 1e-5, 60)
    members = [Member("all", (0, 1), 1.0, p, shrinkage(mu, p)) for p in (1.0, 1e-2, 1e-3, 1e-4)]
    found = within_freedom(members, mu, 12.0)
    assert found[0] == members[0] or np.array_equal(found[0].shrinkage, members[0].shrinkage)
    assert [member.shrinkage.sum() <= 12 + 1e-9 for member in found] == [True] * len(found)
    assert found[-1].shrinkage.sum() == pytest.approx(12, rel=1e-9)
    assert len(found) < len(members)  # those that would have had more are one
    assert [member.penalty for member in within_freedom(members, mu, 61.0)] == [1.0, 1e-2, 1e-3, 1e-4]
    product = Member("products", (0,), None, None, np.array([1.0]))
    assert within_freedom([product], np.ones(1), 2.0) == (product,)
    assert within_freedom([product], np.ones(1), 0.5) == ()


def test_few_events_are_counted_and_their_numbers_named(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    a, b = _pair(rng, 1500, 1500)
    events = b.events.copy()
    far = _far(a, b, 0.05)
    # All of the subset's events of B are in one place: 75 of 1500.
    events[far.in_b] = 3 + 0.1 * rng.normal(size=(far.in_b.sum(), 3))
    moved = Sample(events)
    settings = FamilySettings(classes=("all",))
    result = FamilyTest(a, moved, subsets=[far], settings=settings).run(resamples=199)
    assert result.leading_words.startswith("in all 3 features together among the farthest, at a scale of ")
    assert result.calibration.kind == "permutation"
    assert result.calibration.limit
    assert result.p_value == 1 / 200
    assert "number of events, the farthest" in result.names
    monkeypatch.setattr(subsets, "FEW", 0)
    believed = FamilyTest(a, moved, subsets=[far], settings=settings).run(resamples=199)
    assert believed.p_value < 1e-4


def test_a_subset_of_all_events_is_refused() -> None:
    rng = np.random.default_rng(7)
    a, b = _pair(rng, 300, 300)
    every = Subset("all of them", np.ones(300, dtype=bool), np.ones(300, dtype=bool))
    with pytest.raises(ValueError, match="all of them: these are all events of both samples, or none"):
        FamilyTest(a, b, subsets=[every])


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [1, 5])
def test_size_with_forty_events_in_a_subset(ratio: int) -> None:
    """300 trials: a size of 5% is within 1.3% to 8.8% (3 sigma); the smallest p-value as it is has a larger one."""
    fired, naive = 0, 0
    for trial in range(300):
        rng = np.random.default_rng([8, ratio, trial])
        a, b = _pair(rng, 400 * ratio, 400)
        result = FamilyTest(a, b, subsets=[_far(a, b)], settings=FamilySettings(classes=("all",))).run(resamples=99)
        fired += result.p_value <= 0.05
        naive += result.local_p.min() <= 0.05
    assert 0.013 <= fired / 300 <= 0.088
    assert naive / 300 > 0.15
