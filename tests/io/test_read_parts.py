"""Files are read a part at a time: the same sample and messages as at once, in little more memory than it takes."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
import uproot

from nplm.data.sample import Sample
from nplm.io import ReadError, read_reference, read_sample, row_numbers

FORMATS = ("parquet", "feather", "csv", "h5", "npz", "npy", "root")
Columns = dict[str, np.ndarray]


def write(folder: Path, suffix: str, columns: Columns) -> Path:
    """Columns in one of the formats, in groups of rows where it has such."""
    path, n = folder / f"events.{suffix}", len(next(iter(columns.values())))
    if suffix == "parquet":
        pq.write_table(pa.table(columns), path, row_group_size=max(n // 3, 1))
    elif suffix == "feather":
        pyarrow.feather.write_feather(pa.table(columns), path, chunksize=max(n // 3, 1))
    elif suffix == "csv":
        pacsv.write_csv(pa.table(columns), path)
    elif suffix == "h5":
        with h5py.File(path, "w", track_order=True) as file:
            for name, values in columns.items():
                file.create_dataset(name, data=values, chunks=(max(n // 5, 1),), compression="gzip")
    elif suffix == "npz":
        np.savez_compressed(path, **columns)
    elif suffix == "npy":
        table = np.empty(n, [(name, values.dtype) for name, values in columns.items()])
        for name, values in columns.items():
            table[name] = values
        np.save(path, table)
    else:
        with uproot.recreate(path) as file:
            tree = file.mktree("events", {name: values.dtype for name, values in columns.items()})
            for start in range(0, n, max(n // 4, 1)):
                tree.extend({name: values[start : start + max(n // 4, 1)] for name, values in columns.items()})
    return path


def columns_of(rows: int) -> Columns:
    rng = np.random.default_rng(3)
    return {**{f"x{j}": rng.normal(size=rows) for j in range(4)}, "w": rng.uniform(1, 2, rows)}


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nplm.io._parts.PART", 7)
    monkeypatch.setattr("nplm.io._csv._BLOCK", 400)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("features", [["x2", "x0"], ["x2", "y = x0 + x1"]], ids=["plain", "derived"])
def test_parts_make_the_sample_that_the_columns_are(tmp_path: Path, suffix: str, features: list[str]) -> None:
    columns = columns_of(101)
    path = write(tmp_path, suffix, columns)
    second = columns["x0"] + (columns["x1"] if "y = x0 + x1" in features else 0)
    expected = np.column_stack([columns["x2"], second])
    kept = (columns["x3"] > 0) & (columns["w"] < 1.8)
    found = read_sample(path, features=features, weights="w", where="x3 > 0 and w < 1.8")
    np.testing.assert_array_equal(found.events, expected[kept])
    np.testing.assert_array_equal(found.weights, columns["w"][kept])
    np.testing.assert_array_equal(row_numbers(path, where="x3 > 0 and w < 1.8"), np.flatnonzero(kept))
    np.testing.assert_array_equal(read_sample(path, features=features).events, expected)
    assert len(read_sample(path, features=features, where="x3 > 100", allow_empty=True)) == 0


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("suffix", FORMATS)
def test_what_is_not_finite_is_counted_over_all_parts(tmp_path: Path, suffix: str) -> None:
    columns = columns_of(60)
    columns["x1"][[37, 52]], columns["x2"][5] = np.nan, np.inf
    path = write(tmp_path, suffix, columns)
    with pytest.raises(ReadError, match=r"column 'x1' is missing or not finite in 2 of 60 rows \(first: row 37, count"):
        read_sample(path, features=["x1", "x2"])
    with pytest.raises(ReadError, match=r"none of its 60 rows passes the cut 'x0 > 100'"):
        read_sample(path, where="x0 > 100")


# Of an array that NumPy 2.5 resizes in place tracemalloc counts the old size and the new one together. The memory of
# the process is that of one, and its address stays.
COUNTED_TWICE = tuple(map(int, np.__version__.split(".")[:2])) >= (2, 5)
PEAKS = [(suffix, 2.1 if COUNTED_TWICE else 1.7) for suffix in FORMATS]


@pytest.mark.parametrize(("suffix", "most"), PEAKS)
def test_reading_takes_little_more_memory_than_the_sample(tmp_path: Path, suffix: str, most: float) -> None:
    rows = 1_000_000 if suffix != "csv" else 400_000
    path = write(tmp_path, suffix, columns_of(rows))
    found, peak = _traced(lambda: read_reference([path], [100.0], weights="w"))
    assert found.total_weight == pytest.approx(100)
    assert peak < most * (found.events.nbytes + found.weights.nbytes)


def test_a_cut_on_an_expression_takes_no_more(tmp_path: Path) -> None:
    path = write(tmp_path, "parquet", columns_of(1_000_000))
    found, peak = _traced(lambda: read_sample(path, features=["y = x0 * x1", "x2", "x3"], where="x0 < 100"))
    assert peak < 1.7 * (found.events.nbytes + found.weights.nbytes)


def test_several_files_are_joined_without_all_of_them_twice(tmp_path: Path) -> None:
    paths = []
    for name in ("a", "b", "c", "d"):
        (tmp_path / name).mkdir()
        paths.append(write(tmp_path / name, "parquet", columns_of(250_000)))
    found, peak = _traced(lambda: read_reference(paths, [1.0, 2.0, 3.0, 4.0], weights="w"))
    assert found.total_weight == pytest.approx(10)
    # That of the whole array counts before it is filled.
    assert peak < 2.3 * (found.events.nbytes + found.weights.nbytes)


def _traced(read: Callable[[], Sample]) -> tuple[Sample, int]:
    """A sample, and the most memory that was held at a time while it was read."""
    read()  # what is imported on the way is no part of it
    tracemalloc.start()
    try:
        return read(), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.usefixtures("small_parts")
def test_a_later_value_of_another_type_changes_the_type_of_a_csv_column(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    x = [*range(200), 0.25, *range(200), 1e30]
    path.write_text("x,y\n" + "".join(f"{value},{i}.5\n" for i, value in enumerate(x)))
    np.testing.assert_array_equal(read_sample(path, where="y >= 0").events[:, 0], x)
    path.write_text("x,y\n" + "".join(f"{i},{i}.5\n" for i in range(200)) + "five,1.5\n")
    with pytest.raises(ReadError, match=r"column 'x' holds string, not numbers \(row 200: 'five'\)"):
        read_sample(path)
    path.write_text("x,y\n" + "".join(f"{i},{i}.5\n" for i in range(200)) + "\n1,2,3\n")
    with pytest.raises(ReadError, match=r"a\.csv, line 203: 3 values where the header names 2 columns \('1,2,3'\)"):
        read_sample(path)
    path.write_text("x,y\n" + "".join(f",{i}.5\n" for i in range(200)) + "5,1.5\n")
    np.testing.assert_array_equal(read_sample(path, where="x > 0").events, [[5, 1.5]])


@pytest.mark.usefixtures("small_parts")
def test_missing_values_and_large_integers_are_refused_in_whatever_parts_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": np.arange(20.0), "run": [*range(18), None, 2**60]}), path)
    for run in ([None, *range(18), 2**60], [2**60, *range(18), None]):
        pq.write_table(pa.table({"x": np.arange(20.0), "run": pa.array(run, pa.int64())}), path)
        with pytest.raises(ReadError, match=r"column 'run' has missing values beside integers beyond 2\^53"):
            read_sample(path, features=["x"], where="run > 3")


@pytest.mark.usefixtures("small_parts")
def test_large_integers_are_compared_exactly_in_any_part(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": np.arange(30.0), "event": [*range(20), *range(2**60, 2**60 + 10)]}), path)
    assert read_sample(path, features=["x"], where=f"event == {2**60 + 1}").events.tolist() == [[21.0]]


@pytest.mark.usefixtures("small_parts")
def test_a_damaged_archive_is_refused_as_a_whole_one_is(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.arange(50.0))
    data = path.read_bytes()
    place = data.index(np.arange(50.0)[40:].tobytes())
    path.write_bytes(data[:place] + b"\x01" + data[place + 1 :])
    with pytest.raises(ReadError, match="cannot be read as npz: Bad CRC-32"):
        read_sample(path)


def test_a_sample_has_copies_of_what_it_is_given_unless_it_is_to_own_it() -> None:
    events, weights = np.ones((3, 2)), np.ones(3)
    sample, owning = Sample(events, weights), Sample.owning(events, weights)
    events[0, 0], weights[1] = 5, 6
    assert sample.events[0, 0] == sample.weights[1] == 1
    assert (owning.events[0, 0], owning.weights[1]) == (5, 6)
    with pytest.raises(ValueError, match=r"feature 'x1' of sample is not finite in 1 of 3 rows"):
        Sample.owning(np.array([[1, 2], [3, np.nan], [4, 5]]))
