"""Toy i is the same alone, in any order and in any batch; a campaign runs what is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pytest

from nplm._util.cores import available_cores
from nplm.toys.campaign import PROBE, Campaign
from nplm.toys.run import run_campaign, run_missing, within_seconds
from nplm.toys.store import Store, StoreError
from nplm.toys.table import ToyTable
from tests.toys.programs import EDGES, QUICK, exponential_campaign


@pytest.mark.parametrize("model", [EDGES, QUICK], ids=["histogram", "network"])
def test_toys_do_not_depend_on_batch_or_order(model: object, assert_same: Callable[..., None]) -> None:
    campaign = exponential_campaign(model=model, keep_parameters=True)
    expected = run_campaign(campaign, 8, batch=8)
    assert len(set(expected.t)) == 8
    for batch in (1, 3):
        assert_same(run_campaign(campaign, 8, batch=batch), expected)
    backwards = ToyTable.concatenate(list(run_missing(campaign, range(8)[::-1], ToyTable.empty(), batch=3)))
    assert_same(backwards, expected)
    assert_same(run_campaign(campaign, range(6, 7)), expected.select(slice(6, 7)))


def test_more_toys_than_a_run_lists_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="1,000,000,000 toys in one run are more than 10,000,000"):
        run_campaign(exponential_campaign(), 10**9)


def test_toy_i_is_drawn_with_the_key_of_its_number(campaign: Campaign) -> None:
    key = jax.random.fold_in(jax.random.key(campaign.seed), 5)
    assert campaign.draw(5).fingerprint() == campaign.sampler(key).fingerprint()
    assert campaign.draw(5).fingerprint() != campaign.draw(4).fingerprint()


def test_another_seed_gives_other_toys(campaign: Campaign) -> None:
    other = exponential_campaign(seed=2)
    assert not np.any(run_campaign(campaign, 5).t == run_campaign(other, 5).t)


def test_batches_come_one_by_one(campaign: Campaign) -> None:
    sizes: list[int] = []
    run_campaign(campaign, 10, batch=4, on_toys=lambda table: sizes.append(len(table)))
    assert sizes == [4, 4, 2]
    assert list(run_missing(campaign, [], ToyTable.empty())) == []


def test_batches_take_some_seconds(campaign: Campaign, assert_same: Callable[..., None]) -> None:
    """Of toys whose seconds are known; the toys are the same. A batch that was asked for is as large as that."""
    sizes: list[int] = []
    whole = run_campaign(campaign, 40)
    table = run_campaign(campaign, 40, seconds=0.6, on_toys=lambda table: sizes.append(len(table)))
    assert_same(table, whole)
    assert sizes == [16, 16, 8]
    sizes.clear()
    run_campaign(campaign, 40, seconds=0.6, batch=30, on_toys=lambda table: sizes.append(len(table)))
    assert sizes == [30, 10]
    cores = len(available_cores())
    assert within_seconds(250, 1e9) == cores
    assert [within_seconds(250, seconds) for seconds in (0.0, 1e-9)] == [250, 250]
    assert within_seconds(1, 1e-9) == 1


def test_table_holds_what_was_fitted(campaign: Campaign) -> None:
    table = run_campaign(campaign, 6, batch=3)
    toys = [campaign.draw(i) for i in range(6)]
    np.testing.assert_array_equal(table.total_weight, [len(toy) for toy in toys])
    np.testing.assert_array_equal(table.t, [campaign.test.statistic(toy) for toy in toys])
    assert np.all(table.converged)
    assert np.all(table.seconds > 0)
    assert table.parameters is None
    np.testing.assert_array_equal(table.index, np.arange(6))


def test_parameters_are_kept_on_request(tmp_path: Path) -> None:
    campaign = exponential_campaign(keep_parameters=True)
    table = run_campaign(campaign, 7, store=tmp_path / "s", batch=2)
    assert table.parameters is not None
    np.testing.assert_array_equal(table.parameters, campaign.test.fit([campaign.draw(i) for i in range(7)]).parameters)


def test_only_missing_toys_are_run(campaign: Campaign, tmp_path: Path, assert_same: Callable[..., None]) -> None:
    store = tmp_path / "s"
    run: list[int] = []

    def note(table: ToyTable) -> None:
        run.extend(table.index.tolist())

    run_campaign(campaign, range(4, 8), store=store, batch=3, on_toys=note)
    assert Store.open(store).wanted == range(4, 8)
    table = run_campaign(campaign, 12, store=store, batch=3, on_toys=note)
    assert run == [4, 5, 6, 7, 0, 1, 2, 3, 8, 9, 10, 11]
    assert Store.open(store).wanted == range(12)
    assert_same(table, run_campaign(campaign, 12))
    assert run_campaign(campaign, 12, store=store, on_toys=lambda table: pytest.fail("nothing was left to run")).t.size


def test_toys_are_stored_before_they_are_announced(campaign: Campaign, tmp_path: Path) -> None:
    seen: list[int] = []
    run_campaign(campaign, 6, store=tmp_path, batch=2, on_toys=lambda t: seen.append(len(Store.open(tmp_path).read())))
    assert seen == [2, 4, 6]


@pytest.mark.parametrize("stop", [1, 2])
def test_an_interruption_keeps_what_was_done(
    campaign: Campaign, tmp_path: Path, stop: int, assert_same: Callable[..., None]
) -> None:
    calls = 0

    def interrupt(table: ToyTable) -> None:
        nonlocal calls
        calls += 1
        if calls == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_campaign(campaign, 6, store=tmp_path, batch=2, on_toys=interrupt)
    assert len(Store.open(tmp_path).read()) == 2 * stop
    assert_same(run_campaign(campaign, 6, store=tmp_path), run_campaign(campaign, 6))


def test_shards_share_the_toys(campaign: Campaign, tmp_path: Path, assert_same: Callable[..., None]) -> None:
    for i in (1, 2, 3):
        table = run_campaign(campaign, 10, store=tmp_path / str(i), shard=(i, 3))
        assert table.index.tolist() == list(range(10))[i - 1 :: 3]
    assert_same(run_campaign(campaign, 10, shard=(1, 1)), run_campaign(campaign, 10))


@pytest.mark.parametrize("shard", [(0, 4), (5, 4), (1, 0), (-1, 2)])
def test_a_shard_that_does_not_exist_is_refused(campaign: Campaign, shard: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"shard {shard[0]} of {shard[1]} does not exist"):
        run_campaign(campaign, 4, shard=shard)


def test_a_batch_without_toys_is_refused(campaign: Campaign) -> None:
    for batch in (0, -2):
        with pytest.raises(ValueError, match=f"at least 1 toy, not {batch}"):
            run_campaign(campaign, 4, batch=batch)


def test_toys_without_a_key_of_their_own_are_refused(campaign: Campaign, tmp_path: Path) -> None:
    for toys in (range(-2, 2), range(PROBE - 1, PROBE + 1)):
        with pytest.raises(ValueError, match="numbered from 0 to 4294967294"):
            run_campaign(campaign, toys)
    with pytest.raises(ValueError, match=r"without gaps, not every 2th"):
        run_campaign(campaign, range(0, 8, 2), store=tmp_path)


def test_another_campaign_is_refused_before_any_toy_is_run(campaign: Campaign, tmp_path: Path) -> None:
    run_campaign(campaign, 3, store=tmp_path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    other = exponential_campaign(seed=2)
    for store in (tmp_path, Store.open(tmp_path)):
        with pytest.raises(StoreError, match=r"another plan \(seed: 2 here, 1 there; toy"):
            run_campaign(other, 3, store=store, on_toys=lambda table: pytest.fail("a toy was run"))
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
