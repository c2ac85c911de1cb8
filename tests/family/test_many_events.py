"""Samples that are large: what is not held in memory is the same as what is."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.family import kd_tree as leaves_module
from nplm.family import member as part
from nplm.family import views as look
from nplm.family.kd_tree import leaves
from nplm.family.ranks import RankScale, normal_scores
from nplm.family.settings import FamilySettings
from nplm.family.statistic import Family
from nplm.two_sample import pooled as pool_module
from nplm.two_sample.pooled import Pool


def _pool() -> Pool:
    rng = np.random.default_rng(3)
    return Pool.of(Sample(rng.normal(size=(500, 3))), Sample(rng.normal(0.1, 1.0, size=(300, 3))))


def test_products_that_are_made_in_blocks_are_those_that_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = FamilySettings(classes=("products",))
    held = Family.of(_pool(), settings)
    for module in (look, part):
        monkeypatch.setattr(module, "BLOCK", 64)
    blocks = Family.of(_pool(), settings)
    assert all(each.phi is not None for each in held.parts)
    assert all(each.phi is None and len(each.blocks) == 13 for each in blocks.parts)
    np.testing.assert_allclose(blocks.t(blocks.observed()), held.t(held.observed()), rtol=1e-9)
    np.testing.assert_allclose(blocks.t(blocks.null(9, 1)), held.t(held.null(9, 1)), rtol=1e-8, atol=1e-12)
    first, second = held.fit(0), blocks.fit(0)
    assert second.t == pytest.approx(first.t, rel=1e-7)
    np.testing.assert_allclose(second.log_ratio, first.log_ratio, atol=1e-4)


def test_bags_of_events_are_summed_in_blocks_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nplm.family.draws._MOST_DRAWN", 0)
    held = Family.of(_pool(), FamilySettings())
    expected = held.surprise(held.null(9, 1))
    for module in (look, part):
        monkeypatch.setattr(module, "BLOCK", 64)
    monkeypatch.setattr("nplm.family.draws._AT_A_TIME", 100)
    blocks = Family.of(_pool(), FamilySettings())
    np.testing.assert_allclose(blocks.surprise(blocks.null(9, 1)), expected, rtol=1e-8)


def test_leaves_of_many_events_are_near_each_other_and_about_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaves_module, "_MOST", 1000)
    z = np.random.default_rng(4).normal(size=(20_000, 2))
    leaf = leaves(z, 4)
    sizes = np.bincount(leaf)
    assert len(sizes) == 16
    assert sizes.min() > 800
    assert sizes.max() < 1700
    # A leaf is a box: no other event lies within its range of both features.
    for number in range(16):
        low, high = z[leaf == number].min(axis=0), z[leaf == number].max(axis=0)
        inside = ((z >= low) & (z <= high)).all(axis=1)
        np.testing.assert_array_equal(inside, leaf == number)


@pytest.mark.parametrize("decimals", [0, 1, 15])
def test_the_order_of_a_pool_and_its_scores_are_those_of_the_plain_definitions(decimals: int) -> None:
    rng = np.random.default_rng(5)
    events, masses = np.round(rng.normal(size=(400, 3)), decimals), rng.choice([0.0, 1.0, 2.0], 400)
    order = pool_module._lexical_order(Sample(events[:150]), Sample(events[150:]), masses)
    np.testing.assert_array_equal(order, np.lexsort((masses, *events.T[::-1])))
    for weights in (masses, masses + 1):
        expected = np.column_stack([RankScale.of(x, weights)(x) for x in events.T])
        np.testing.assert_allclose(normal_scores(events, weights), expected, rtol=1e-12, atol=1e-13)
