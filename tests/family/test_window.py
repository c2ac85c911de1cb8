"""A family that is prepared on a reference: its sums, its variances, and modes that know their own events too well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.family.overfit import variance_of_others, without_overfit
from nplm.family.ranks import Cells
from nplm.family.settings import AS_THEY_ARE, CLASSES, FamilySettings
from nplm.family.window import ReferenceFamily, scored


def _mixed(rng: np.random.Generator, n: int) -> np.ndarray:
    """A normal feature, a heavy tail, and counts."""
    return np.column_stack([rng.normal(size=n), rng.standard_cauchy(n), rng.poisson(3, n)])


@pytest.fixture(scope="module")
def family() -> ReferenceFamily:
    return ReferenceFamily.of(Sample(_mixed(np.random.default_rng(1), 3000)), 500, FamilySettings())


def test_all_classes_look_at_other_events_as_at_their_own(family: ReferenceFamily) -> None:
    assert family.classes == tuple(name for name in CLASSES if name not in AS_THEY_ARE)
    rng = np.random.default_rng(2)
    z, masses = scored(family.scales, _mixed(rng, 400)), rng.uniform(0.5, 2, 400)
    for part, score in zip(family.parts, family.scores(z, masses), strict=True):
        assert part.look is not None
        own = part.phi_of(slice(None) if part.cell is None else part.cell)
        np.testing.assert_allclose(part.at(family.z), own, atol=1e-9)
        each = masses @ part.at(z)
        np.testing.assert_allclose(score, each, atol=1e-6)


def test_an_event_belongs_to_the_nearest_cell_that_holds_any() -> None:
    cells = Cells.of(np.array([0.1, 0.2, 2.1, 5.5]), 1.0)
    assert cells.nearest(np.array([-3.0, 0.9, 1.2, 3.9, 4.2, 9.0])).tolist() == [0, 0, 1, 1, 2, 2]


def test_the_reference_as_a_window_has_no_score(family: ReferenceFamily) -> None:
    seen = family.see(family.reference.events)
    assert seen.root is not None
    # Half of an event is taken off in intervals.
    assert seen.t.max() < 1e-9
    assert seen.root[0] == 0
    assert family.see(family.reference.events + np.array([0.5, 0, 0])).t.max() > 100


def test_scores_have_the_variance_of_a_window_and_its_reference() -> None:
    # References as large as windows: half of the variance is theirs. 400 pairs, two tests: mean 1 +- 0.05 each.
    rng = np.random.default_rng(3)
    settings = FamilySettings(classes=("products",))
    t = np.array(
        [
            ReferenceFamily.of(Sample(rng.exponential(size=(300, 1))), 300, settings)
            .see(rng.exponential(size=(n, 1)))
            .t
            for n in (300, 100) * 200
        ]
    )
    assert t.shape == (400, 2)
    assert t.mean() == pytest.approx(1.0, abs=0.2)
    # Negative control: without the part of the reference it would be 2 in one half and 4/3 in the other.
    assert abs(t[::2].mean() * 2 - 1) > 0.6


def test_the_variance_of_fresh_events_is_foreseen() -> None:
    rng = np.random.default_rng(4)
    family = ReferenceFamily.of(Sample(rng.normal(size=(2000, 4))), 400, FamilySettings(classes=("all",)))
    part = max(family.parts, key=lambda each: each.modes)
    foreseen = variance_of_others(part, family.z, family.spread.second, 1)
    fresh = part.at(scored(family.scales, rng.normal(size=(40_000, 4))))
    found = fresh.var(axis=0) * family.spread.second.sum()
    fine = slice(len(found) // 2, None)
    # Modes of small variance: what would be a mean of 1 on the events that made them.
    assert found[fine].mean() > 1.03
    assert foreseen[fine].mean() - 1 == pytest.approx(found[fine].mean() - 1, rel=0.4)


def test_members_that_would_need_a_large_correction_are_left_out(family: ReferenceFamily) -> None:
    part = next(each for each in family.parts if len(each.members) > 1)
    ones = np.ones(len(part.variance))
    kept = without_overfit(part, ones)
    assert kept is not None
    assert kept.members == part.members
    assert without_overfit(part, 3 * ones) is None


def test_signed_weights_of_the_reference_widen_its_scores() -> None:
    # A share of 10% negative weights: the effective number of events is (0.8)^2 of all.
    rng = np.random.default_rng(5)
    x = rng.normal(size=(4000, 1))
    sample = Sample(x, np.where(np.arange(4000) % 10 == 0, -1.0, 1.0))
    family = ReferenceFamily.of(sample, 1000, FamilySettings(classes=("one", "products", "intervals")))
    n = 0.64 * 4000
    assert family.q == pytest.approx(1000 / (1000 + n))
    assert family.spread.second.sum() == pytest.approx(1000 * n / (1000 + n))
    plain = ReferenceFamily.of(replace(sample, weights=np.ones(4000)), 1000, FamilySettings(classes=("products",)))
    assert plain.spread.second.sum() == pytest.approx(800)


def test_an_angle_is_looked_at_on_its_circle() -> None:
    rng = np.random.default_rng(11)
    events = np.column_stack([rng.normal(size=4000), rng.uniform(0, 2 * np.pi, 4000)])
    reference = Sample(events, features=("pt", "phi"))
    family = ReferenceFamily.of(reference, 500, FamilySettings(), periods={"phi": 2 * np.pi})
    for part in family.parts:
        own = part.phi_of(slice(None) if part.cell is None else part.cell)
        np.testing.assert_allclose(part.at(family.z), own, atol=1e-9)
    window = np.column_stack([rng.normal(size=500), rng.uniform(0, 2 * np.pi, 500)])
    turned = window + np.array([0.0, 20 * np.pi])
    np.testing.assert_allclose(family.see(turned).t, family.see(window).t, rtol=1e-6, atol=1e-9)
    # A cluster on both sides of the cut is one interval.
    window[:40, 1] = rng.normal(0.0, 0.05, 40)
    seen = family.see(window)
    best = seen.intervals[1].best
    low, high = seen.edges(best)
    assert best.observed > 40
    assert low > 6
    assert high < 0.5
    assert seen.root is not None
    assert seen.root[0] > 5
