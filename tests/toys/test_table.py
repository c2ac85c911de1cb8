"""Tables of toys go through Parquet unchanged, and nothing else is taken for one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nplm.toys.campaign import Campaign
from nplm.toys.run import run_campaign
from nplm.toys.table import ToyTable


@pytest.fixture
def table(campaign: Campaign) -> ToyTable:
    """Four toys, of which one failed, with two parameters each."""
    table = run_campaign(campaign, range(3, 7))
    table.t[1], table.failure[1] = np.nan, "the likelihood überfloss"
    return replace(table, parameters=np.array([[1.0, -np.inf], [np.nan, 0.1], [2.0, 1e-300], [-0.0, 3.0]]))


@pytest.mark.parametrize("parameters", [True, False])
def test_parquet_gives_back_every_bit(table: ToyTable, parameters: bool, tmp_path: Path) -> None:
    table = table if parameters else replace(table, parameters=None)
    # Folders with such names are columns to some readers of Parquet.
    folder = tmp_path / "t=5"
    folder.mkdir()
    table.write(folder / "toys.parquet", {"note": "ü"})
    back, texts = ToyTable.read_with_metadata(folder / "toys.parquet")
    for f in fields(ToyTable):
        column = getattr(table, f.name)
        if column is None:
            assert getattr(back, f.name) is None
            continue
        assert getattr(back, f.name).dtype == column.dtype
        np.testing.assert_array_equal(getattr(back, f.name), column, err_msg=f.name)
    np.testing.assert_array_equal(back.succeeded, [True, False, True, True])
    assert texts == {"note": "ü"}
    assert [p.name for p in folder.iterdir()] == ["toys.parquet"]


def test_reasons_may_be_of_any_text_type(table: ToyTable, tmp_path: Path) -> None:
    replace(table, failure=table.failure.astype(str)).write(tmp_path / "toys.parquet")
    np.testing.assert_array_equal(ToyTable.read(tmp_path / "toys.parquet").failure, table.failure)


@pytest.mark.parametrize("parameters", [True, False])
def test_an_empty_table_goes_through_parquet(parameters: bool, tmp_path: Path) -> None:
    empty = replace(ToyTable.empty(), parameters=np.zeros((0, 3)) if parameters else None)
    empty.write(tmp_path / "toys.parquet")
    back = ToyTable.read(tmp_path / "toys.parquet")
    assert len(back) == 0
    assert back.converged.dtype == bool
    assert (back.parameters is not None) == parameters


def test_a_table_of_something_else_is_not_read(tmp_path: Path) -> None:
    pq.write_table(pa.table({"t": [1.0]}), tmp_path / "other.parquet")
    with pytest.raises(KeyError, match="index"):
        ToyTable.read(tmp_path / "other.parquet")


def test_a_table_that_another_program_changed_is_not_read(table: ToyTable, tmp_path: Path) -> None:
    path = tmp_path / "toys.parquet"
    table.write(path)
    written = pq.read_table(path)
    pq.write_table(written, path)
    assert len(ToyTable.read(path)) == 4
    columns = {name: written[name] for name in written.column_names} | {"t": pa.array([9.0, 9.0, 9.0, 9.0])}
    pq.write_table(pa.table(columns).replace_schema_metadata(written.schema.metadata), path)
    with pytest.raises(ValueError, match="not those that were written"):
        ToyTable.read(path)


def test_concatenated_tables_are_in_the_order_of_their_index(
    campaign: Campaign, assert_same: Callable[..., None]
) -> None:
    parts = [campaign.run(some) for some in ([4, 5], [0], [3, 1, 2])]
    assert_same(ToyTable.concatenate([ToyTable.empty(), *parts]), run_campaign(campaign, 6))
    assert len(ToyTable.concatenate([])) == 0
