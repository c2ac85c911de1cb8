"""Feather, Arrow's own file format: read as Parquet is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from nplm import Sample, read_sample
from nplm.io import ReadError


def table(n: int = 1000) -> pa.Table:
    rng = np.random.default_rng(1)
    jets = [rng.exponential(30, k).tolist() for k in rng.integers(1, 4, n)]
    record = pa.StructArray.from_arrays([pa.array(rng.normal(size=n)), pa.array(rng.random(n))], ["pt", "eta"])
    return pa.table({"mll": rng.exponential(90, n), "lead": record, "Jet_pt": jets, "weight": np.full(n, 0.5)})


def both(folder: Path, **reading: object) -> list[Sample]:
    pyarrow.feather.write_feather(table(), str(folder / "a.feather"), chunksize=300)
    pyarrow.parquet.write_table(table(), folder / "a.parquet")
    with pa.ipc.new_file(str(folder / "a.arrow"), table().schema) as out:
        out.write_table(table())
    return [read_sample(folder / f"a.{suffix}", **reading) for suffix in ("feather", "arrow", "parquet")]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "reading",
    [
        {"features": ["mll", "lead.pt"], "weights": "weight", "where": "lead.eta > 0.5"},
        {"features": ["Jet_pt[0]", "ht = sum(Jet_pt[Jet_pt > 20])"], "where": "mll > 50"},
    ],
    ids=["columns", "lists"],
)
def test_feather_is_read_as_parquet_is(tmp_path: Path, reading: dict[str, object]) -> None:
    feather, arrow, parquet = both(tmp_path, **reading)
    for found in (feather, arrow):
        assert found.features == parquet.features
        np.testing.assert_array_equal(found.events, parquet.events)
        np.testing.assert_array_equal(found.weights, parquet.weights)


def test_the_index_of_a_data_frame_is_no_feature(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": [1.0, 2.0, 4.0], "y": [3.0, 1.0, 2.0]})
    frame.to_feather(tmp_path / "frame.feather")
    assert read_sample(tmp_path / "frame.feather").features == ("x", "y")


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    pyarrow.feather.write_feather(table(), str(tmp_path / "a.feather"))
    whole = (tmp_path / "a.feather").read_bytes()
    (tmp_path / "a.feather").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReadError, match=r"a\.feather.*Feather"):
        read_sample(tmp_path / "a.feather")
