"""Shards put together are the whole; what contradicts itself is not put together."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nplm.toys.campaign import TRIALS, Campaign
from nplm.toys.run import run_campaign
from nplm.toys.store import PARTS, Store, StoreError, merge_stores
from tests.toys.programs import ROOT, Exponential, exponential_campaign, numbers


@pytest.fixture
def shards(campaign: Campaign, tmp_path: Path) -> list[Store]:
    """Twenty-two toys in four stores."""
    for i in (1, 2, 3, 4):
        run_campaign(campaign, 22, store=tmp_path / f"shard{i}", batch=2, shard=(i, 4))
    return [Store.open(tmp_path / f"shard{i}") for i in (1, 2, 3, 4)]


def files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir()}


def test_four_shards_make_one_run(
    shards: list[Store], campaign: Campaign, tmp_path: Path, assert_same: Callable[..., None]
) -> None:
    before = [files(s.path) for s in shards]
    store, toys = merge_stores(shards, tmp_path / "merged")
    assert_same(toys, run_campaign(campaign, 22))
    assert len(store.missing(toys)) == 0
    assert Store.open(tmp_path / "merged").about == shards[0].about
    assert_same(Store.open(tmp_path / "merged").read(), toys)
    assert [files(s.path) for s in shards] == before


def test_the_toys_of_a_missing_shard_are_reported(shards: list[Store], tmp_path: Path) -> None:
    store, toys = merge_stores([shards[0], shards[1], shards[3]], tmp_path / "merged")
    assert numbers(store.missing(toys)) == [2, 6, 10, 14, 18]
    assert Store.open(tmp_path / "merged").wanted == range(22)
    # The missing shard may come later.
    store, toys = merge_stores([shards[2]], tmp_path / "merged")
    assert len(store.missing(toys)) == 0


def test_stores_may_be_merged_into_one_of_them(
    shards: list[Store], campaign: Campaign, assert_same: Callable[..., None]
) -> None:
    for _ in range(2):
        _, toys = merge_stores(shards, shards[1].path)
        assert_same(toys, run_campaign(campaign, 22))
    rows = sum(len(table) for p in shards[1].path.glob(PARTS) if (table := shards[1]._read_part(p)))
    assert rows == 22, "a toy is in the folder twice"


def test_equal_toys_in_two_stores_are_one(
    shards: list[Store], campaign: Campaign, tmp_path: Path, assert_same: Callable[..., None]
) -> None:
    run_campaign(campaign, range(3, 9), store=tmp_path / "more")
    _, toys = merge_stores([*shards, Store.open(tmp_path / "more")], tmp_path / "merged")
    assert_same(toys, run_campaign(campaign, 22))


@pytest.mark.parametrize(("difference", "equal"), [(1e-11, True), (1e-3, False)])
def test_toys_may_differ_by_rounding_only(
    shards: list[Store], campaign: Campaign, tmp_path: Path, difference: float, equal: bool
) -> None:
    table = campaign.run([6, 7])
    run_campaign(campaign, 1, store=tmp_path / "more")
    Store.open(tmp_path / "more").add(replace(table, t=table.t + np.array([0.0, difference])))
    sources = [*shards, Store.open(tmp_path / "more")]
    if equal:
        assert len(merge_stores(sources, tmp_path / "merged")[1]) == 22
        return
    message = r"toy 7 has different values \(t = [\d.]+ in .*shard4; t = [\d.]+ in .*more\)"
    with pytest.raises(StoreError, match=message):
        merge_stores(sources, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_a_toy_that_failed_once_only_is_a_contradiction(filled: Store, campaign: Campaign) -> None:
    table = campaign.run([6])
    filled.add(replace(table, t=np.array([np.nan]), failure=np.array(["no maximum"], dtype=object)))
    parts = sorted(p.name for p in filled.path.glob(PARTS))
    with pytest.raises(StoreError, match=r"toy 6 has different values") as error:
        filled.read()
    assert "t = nan" in str(error.value)
    assert all(name in str(error.value) for name in parts)


def test_a_toy_that_failed_twice_is_one_toy(filled: Store, campaign: Campaign) -> None:
    table = campaign.run([30])
    failed = replace(table, t=np.array([np.nan]), failure=np.array(["no maximum"], dtype=object))
    for _ in range(2):
        Store.open(filled.path).add(failed)
    assert filled.read().index.tolist() == [*range(12), 30]


def test_other_plans_are_not_merged(shards: list[Store], tmp_path: Path) -> None:
    run_campaign(exponential_campaign(Exponential(310.0), seed=2), 3, store=tmp_path / "other")
    other = Store.open(tmp_path / "other")
    with pytest.raises(StoreError, match=rf"{tmp_path / 'other'} are of another plan \(seed: 1 here, 2 there"):
        merge_stores([*shards, other], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    before = files(other.path)
    with pytest.raises(StoreError, match=r"other are of another plan \(seed"):
        merge_stores(shards, other.path)
    assert files(other.path) == before


def test_a_target_that_contradicts_is_left_as_it_was(shards: list[Store], campaign: Campaign, tmp_path: Path) -> None:
    run_campaign(campaign, 1, store=tmp_path / "target")
    table = campaign.run([5])
    target = Store.open(tmp_path / "target")
    target.add(replace(table, t=table.t + 1))
    before = files(target.path)
    with pytest.raises(StoreError, match=r"toy 5 has different values \(t = [\d.]+ in the sources; t = .* in .*target"):
        merge_stores(shards, target.path)
    assert files(target.path) == before


@pytest.mark.slow
def test_four_processes_share_one_store(campaign: Campaign, tmp_path: Path, assert_same: Callable[..., None]) -> None:
    """They start at once, so that they also make the store at once."""
    store = tmp_path / "store"
    command = [sys.executable, "-m", "tests.toys.programs", store, "30", "2", "0.01", tmp_path / "log", "0"]
    running = [subprocess.Popen([*map(str, command), f"{i}/4"], cwd=ROOT) for i in (1, 2, 3, 4)]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0, 0]
    opened = Store.open(store, warn=pytest.fail)
    assert_same(opened.read(), run_campaign(campaign, 30))
    rows = [table.index for p in store.glob(PARTS) if (table := opened._read_part(p))]
    assert sorted(np.concatenate(rows).tolist()) == list(range(30)), "each toy was run by one process"
    assert len(rows) == 4
    assert len((tmp_path / "log").read_text().splitlines()) == 30 + 4 * (1 + TRIALS), (
        "each process draws toys for the plan"
    )
