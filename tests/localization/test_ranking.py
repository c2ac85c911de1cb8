"""The ranking of events, and their row numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest

from nplm import Sample, read_sample
from nplm.io import row_numbers
from nplm.localization.ranking import most_discrepant, rank_events


def test_the_largest_f_comes_first_and_ties_follow_the_features() -> None:
    data = Sample([[3.0, 0.0], [1.0, 2.0], [1.0, 1.0], [0.0, 0.0]])
    assert rank_events(data, np.array([1.0, 1.0, 1.0, -np.inf])).tolist() == [2, 1, 0, 3]
    assert rank_events(data, np.array([0.0, 1.0, 2.0, 3.0])).tolist() == [3, 2, 1, 0]


def test_the_events_that_come_first_do_not_depend_on_the_order_of_rows(rng: np.random.Generator) -> None:
    data, f = Sample(rng.normal(size=(200, 2))), np.repeat(rng.normal(size=10), 20)
    order = rng.permutation(200)
    here, there = most_discrepant(data, f, 30), most_discrepant(data.select(order), f[order], 30)
    np.testing.assert_array_equal(here.sample.events, there.sample.events)
    np.testing.assert_array_equal(here.rows, order[there.rows])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_rows_are_those_of_the_file_before_the_cut(rng: np.random.Generator, tmp_path: Path, suffix: str) -> None:
    x, z = rng.normal(size=500), rng.normal(size=500)
    file, cut = tmp_path / "data.npz", "z > 0.3 and abs(x) < 2"
    np.savez(file, x=x, z=z, w=np.full(500, 0.5))
    data = read_sample(file, features=["x"], weights="w", where=cut)
    rows = row_numbers(file, where=cut)
    assert rows is not None
    assert len(rows) == len(data) < 500
    events = most_discrepant(data, data.events[:, 0] ** 2, 50, rows)
    assert events.of_file
    out = tmp_path / f"events.{suffix}"
    events.write(out)
    table = (pyarrow.csv.read_csv if suffix == "csv" else pyarrow.parquet.read_table)(out).to_pydict()
    assert list(table) == ["row", "log_ratio", "weight", "x"]
    passing = np.flatnonzero((z > 0.3) & (np.abs(x) < 2))
    assert table["row"] == passing[np.argsort(-(x[passing] ** 2))][:50].tolist()
    np.testing.assert_array_equal(table["x"], x[table["row"]])
    np.testing.assert_array_equal(table["log_ratio"], x[table["row"]] ** 2)


def test_without_a_cut_rows_count_up(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", x=np.arange(5.0))
    assert row_numbers(tmp_path / "data.npz") is None
    assert most_discrepant(Sample(np.arange(5.0)), np.arange(5.0), 2).rows.tolist() == [4, 3]


def test_a_feature_keeps_its_name() -> None:
    data = Sample([[1.0, 2.0]], features=["row", "_row"])
    assert list(most_discrepant(data, np.zeros(1)).columns()) == ["__row", "log_ratio", "row", "_row"]


@pytest.mark.wrong_arrays
def test_bad_requests_are_refused(tmp_path: Path) -> None:
    data = Sample(np.zeros(3), name="mine")
    with pytest.raises(ValueError, match="0 or more, not -1"):
        most_discrepant(data, np.zeros(3), -1)
    with pytest.raises(ValueError, match="mine has 3 events, but there are 2 row numbers"):
        most_discrepant(data, np.zeros(3), rows=np.arange(2))
    with pytest.raises(ValueError, match=r"not '\.txt'"):
        most_discrepant(data, np.zeros(3)).write(tmp_path / "events.txt")
