"""The walk: size in fake tables, what it finds of injected templates, and that it goes on where it ended."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kstest

from nplm.channels import Templates, explain_excesses
from nplm.channels.campaigns import WalkCampaign
from nplm.channels.draws import draw_counts
from nplm.channels.graph import compatibility_graph
from nplm.channels.score import Scorer
from nplm.channels.table import RegionTable
from nplm.channels.walk import WalkSettings, best_walk
from nplm.toys.store import StoreError


def small_table() -> tuple[RegionTable, Templates]:
    """Twelve regions of as many analyses, and as many templates of three regions each, twice the error in each."""
    expected = np.array([40.0, 25, 16, 10, 6, 4, 50, 30, 18, 9, 5, 3])
    table = RegionTable(
        tuple(f"R{i}" for i in range(12)), tuple(f"a{i}" for i in range(12)), expected, expected, 0.15 * expected
    )
    yields = np.zeros((12, 12))
    for k in range(12):
        rows = [k, (k + 3) % 12, (k + 7) % 12]
        yields[k, rows] = 2 * np.sqrt(expected[rows] + (0.15 * expected[rows]) ** 2)
    return table, Templates(tuple("ABCDEFGHIJKL"), yields)


SETTINGS = WalkSettings(walkers=2, steps=8, most=3)


@pytest.fixture(scope="module")
def campaign() -> WalkCampaign:
    table, templates = small_table()
    graph = compatibility_graph(table, "analysis")
    return WalkCampaign("fakes", table, templates, graph, SETTINGS, seed=5)


@pytest.fixture(scope="module")
def null(campaign: WalkCampaign) -> np.ndarray:
    return campaign.run(range(200)).t


def best_k(campaign: WalkCampaign, counts: np.ndarray, seed: int) -> tuple[float, np.ndarray]:
    """What the same walks find in other counts."""
    table = campaign.table.with_observed(counts)
    scorer = Scorer(table, campaign.templates, campaign.graph, campaign.scorer.limits)
    found = best_walk(scorer, SETTINGS, (seed, 9))
    return found.score.k, found.strengths


def test_the_global_p_is_uniform_in_200_other_tables(campaign: WalkCampaign, null: np.ndarray) -> None:
    """Drawn and walked with other random numbers. As a control, p for one template known before is far too small."""
    rng = np.random.default_rng(77)
    counts = draw_counts(campaign.table, rng, 200)
    k = np.array([best_k(campaign, row, 1000 + i)[0] for i, row in enumerate(counts)])
    p = (1 + (null >= k[:, None]).sum(axis=1)) / (1 + len(null))
    assert kstest(p, "uniform").pvalue > 0.01
    known = np.array([_k_of_one(campaign, campaign.fake_scorer(i).table) for i in range(200)])
    wrong = (1 + (known >= k[:, None]).sum(axis=1)) / (1 + len(known))
    assert kstest(wrong, "uniform").pvalue < 1e-4


def _k_of_one(campaign: WalkCampaign, table: RegionTable) -> float:
    scorer = Scorer(table, campaign.templates, campaign.graph, campaign.scorer.limits)
    return scorer.score(np.eye(12)[0]).k


def test_an_injected_template_of_three_regions_is_found(campaign: WalkCampaign, null: np.ndarray) -> None:
    """At strength 2, four errors in each of its three regions: in 90% of 50 tables, with p <= 0.05 and by its name."""
    signal = 2.0 * campaign.templates.yields[1]
    counts = draw_counts(campaign.table, np.random.default_rng(8), 50, signal=signal)
    named, strengths = 0, []
    for i, row in enumerate(counts):
        k, found = best_k(campaign, row, 2000 + i)
        p = (1 + (null >= k).sum()) / (1 + len(null))
        named += bool(p <= 0.05 and found[1] > 0)
        strengths.append(found[1])
    assert named >= 45
    assert np.median(strengths) == pytest.approx(2.0, abs=0.3)


def test_the_expectation_with_a_signal_gives_its_strength_back(campaign: WalkCampaign) -> None:
    """Technical closure: counts that are background and signal, rounded, with large numbers and small errors."""
    table, templates = small_table()
    large = RegionTable(table.regions, table.analyses, table.observed, 1e4 * table.expected, 10 * table.expected)
    big = Templates(templates.names, 1e3 * templates.yields)
    counts = np.round(large.expected + 0.7 * big.yields[2] + 0.4 * big.yields[4])
    scorer = WalkCampaign("walkers", large.with_observed(counts), big, campaign.graph, SETTINGS).scorer
    found = best_walk(scorer, WalkSettings(walkers=8, steps=60, most=3), (3,))
    np.testing.assert_allclose(found.strengths, [0, 0, 0.7, 0, 0.4, *[0] * 7], atol=0.02)


def test_the_walk_finds_the_best_of_all_sets(campaign: WalkCampaign) -> None:
    """A grid of strengths of up to three of six templates never has a larger K."""
    signal = campaign.templates.yields[0] + 1.5 * campaign.templates.yields[3]
    counts = draw_counts(campaign.table, np.random.default_rng(4), 1, signal=signal)[0]
    scorer = WalkCampaign(
        "walkers", campaign.table.with_observed(counts), campaign.templates, campaign.graph, SETTINGS
    ).scorer
    found = best_walk(scorer, WalkSettings(walkers=6, steps=40, most=3), (3,))
    best = max(
        scorer.score(np.array([*strengths, *[0.0] * 6])).k
        for strengths in product((0.0, 0.7, 1.6), repeat=6)
        if 0 < np.count_nonzero(strengths) <= 3
    )
    assert found.score.k >= best - 1e-6


def test_runs_go_on_where_they_ended_and_refuse_what_is_other(tmp_path: Path) -> None:
    table, templates = small_table()
    graph = compatibility_graph(table, "analysis")
    signal = 2 * templates.yields[1]
    observed = table.with_observed(draw_counts(table, np.random.default_rng(8), 1, signal=signal)[0])
    asked = {"walkers": 2, "steps": 12, "most": 3, "seed": 5}
    whole = explain_excesses(observed, templates, graph, fakes=5, **asked)
    first = explain_excesses(observed, templates, graph, fakes=3, store=tmp_path / "s", **asked)
    second = explain_excesses(observed, templates, graph, fakes=5, store=tmp_path / "s", **asked)
    np.testing.assert_array_equal(second.null, whole.null)
    np.testing.assert_array_equal(first.null, whole.null[:3])
    assert second.score == whole.score
    assert list(whole.explanation) == ["B"]
    assert whole.p_value == 1 / 6
    assert whole.limit
    assert "no fake table has so large a K" in repr(whole)
    assert ("B",) in whole.sets
    with pytest.raises(StoreError, match="of another plan"):
        explain_excesses(observed, templates, graph, fakes=5, store=tmp_path / "s", **{**asked, "steps": 13})
    alone = explain_excesses(observed, templates, graph, fakes=0, **asked)
    assert np.isnan(alone.p_value)
    assert "not known without fake tables" in repr(alone)


def test_where_no_signal_helps_no_template_is_named() -> None:
    """Every region is low: mu^ = 0, and K is minus two times the cost."""
    table, templates = small_table()
    low = table.with_observed(np.floor(0.7 * table.expected))
    found = explain_excesses(low, templates, "analysis", walkers=1, steps=3, fakes=3)
    assert found.score.k == -2
    assert not found.explanation
    assert not found.strengths.any()
    assert found.p_value == 1.0
    assert "strengths  none" in repr(found)


def test_what_does_not_fit_is_refused() -> None:
    table, templates = small_table()
    with pytest.raises(ValueError, match="steps must be 1 or more, not 0"):
        explain_excesses(table, templates, "analysis", steps=0)
    with pytest.raises(ValueError, match="fakes must be 0 or more"):
        explain_excesses(table, templates, "analysis", fakes=-1)
    with pytest.raises(ValueError, match="errors are gaussian"):
        explain_excesses(table, templates, "analysis", errors="normal")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="the templates have 2 regions"):
        explain_excesses(table, Templates(("t",), np.ones((1, 2))), "analysis")
    with pytest.raises(ValueError, match="'A' is there twice"):
        Templates(("A", "A"), np.ones((2, 12)))
