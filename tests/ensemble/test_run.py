"""Toy i is the same alone, in any order and in any batch; tables go through Parquet unchanged."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nplm.ensemble.run import run_toys
from nplm.ensemble.sampler import PoolSampler
from nplm.ensemble.table import ToyTable
from nplm.hypothesis_test import NPLMTest
from nplm.models.histogram import HistogramModel
from nplm.sample import Sample


@pytest.fixture
def campaign(rng: np.random.Generator) -> tuple[NPLMTest, PoolSampler]:
    reference = Sample(rng.exponential(size=3000), np.full(3000, 0.1))
    test = NPLMTest(reference, HistogramModel(bins=6))
    return test, PoolSampler(reference, 300.0)


def run(campaign: tuple[NPLMTest, PoolSampler], indices: list[int], batch: int, seed: int = 3) -> ToyTable:
    test, sampler = campaign
    return ToyTable.concatenate(list(run_toys(test.fit, sampler, seed, indices, batch)))


def assert_same(a: ToyTable, b: ToyTable) -> None:
    for f in fields(ToyTable):
        if f.name != "seconds":
            np.testing.assert_array_equal(getattr(a, f.name), getattr(b, f.name), err_msg=f.name)


@pytest.mark.parametrize("batch", [1, 3, 7, 20])
def test_toys_do_not_depend_on_batch_or_order(campaign: tuple[NPLMTest, PoolSampler], batch: int) -> None:
    expected = run(campaign, list(range(12)), 12)
    assert_same(run(campaign, list(range(12)), batch), expected)
    assert_same(run(campaign, list(range(12))[::-1], batch), expected)
    assert len(set(expected.t)) == 12


def test_a_toy_alone_is_the_same(campaign: tuple[NPLMTest, PoolSampler]) -> None:
    expected, alone = run(campaign, list(range(12)), 5), run(campaign, [8], 1)
    assert alone.t[0] == expected.t[8]
    assert alone.index[0] == 8


def test_another_seed_gives_other_toys(campaign: tuple[NPLMTest, PoolSampler]) -> None:
    assert not np.any(run(campaign, list(range(5)), 5, seed=3).t == run(campaign, list(range(5)), 5, seed=4).t)


def test_batches_come_one_by_one(campaign: tuple[NPLMTest, PoolSampler]) -> None:
    test, sampler = campaign
    batches = run_toys(test.fit, sampler, 3, range(10), 4)
    assert [len(table) for table in batches] == [4, 4, 2]
    assert list(run_toys(test.fit, sampler, 3, [], 4)) == []


def test_table_holds_what_was_fitted(campaign: tuple[NPLMTest, PoolSampler]) -> None:
    table = run(campaign, list(range(6)), 3)
    assert np.all(table.total_weight == np.round(table.total_weight))
    assert np.all(table.converged)
    assert np.all(table.seconds > 0)
    np.testing.assert_array_equal(table.index, np.arange(6))


def test_parquet_gives_back_every_bit(campaign: tuple[NPLMTest, PoolSampler], tmp_path: Path) -> None:
    table = run(campaign, [0, 1, 5], 2)
    table.t[1] = np.nan
    table.write(tmp_path / "toys.parquet")
    back = ToyTable.read(tmp_path / "toys.parquet")
    for f in fields(ToyTable):
        column = getattr(table, f.name)
        assert getattr(back, f.name).dtype == column.dtype
        np.testing.assert_array_equal(getattr(back, f.name), column)
    np.testing.assert_array_equal(back.succeeded, [True, False, True])
    assert [p.name for p in tmp_path.iterdir()] == ["toys.parquet"]


def test_an_empty_table_goes_through_parquet(tmp_path: Path) -> None:
    ToyTable.concatenate([]).write(tmp_path / "toys.parquet")
    back = ToyTable.read(tmp_path / "toys.parquet")
    assert len(back) == 0
    assert back.converged.dtype == bool


def test_a_table_of_something_else_is_not_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"t": [1.0]}), tmp_path / "other.parquet")
    with pytest.raises(KeyError, match="index"):
        ToyTable.read(tmp_path / "other.parquet")


def test_concatenated_tables_are_in_the_order_of_their_index(campaign: tuple[NPLMTest, PoolSampler]) -> None:
    expected = run(campaign, list(range(6)), 6)
    parts = [run(campaign, some, 2) for some in ([4, 5], [0], [3, 1, 2])]
    assert_same(ToyTable.concatenate(parts), expected)
