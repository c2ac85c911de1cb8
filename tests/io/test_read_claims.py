"""Files that claim what they do not hold, and files that leave open what they hold."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from nplm import as_sample
from nplm.io.read import ReadError, column_names, read_sample
from tests.io.test_read_errors import X, refused


def _claiming(rows: int) -> bytes:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows},), }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 80


@pytest.mark.parametrize("rows", [10**12, 10**20])
def test_a_header_that_claims_too_many_values(tmp_path: Path, rows: int) -> None:
    (tmp_path / "a.npy").write_bytes(_claiming(rows))
    refused(tmp_path / "a.npy", f"its header claims {rows:,} values, for which 80 bytes are too few; is it complete")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", _claiming(rows))
    refused(tmp_path / "a.npz", rf"'x\.npy' of .*claims {rows:,} values, for which 80 bytes are too few")


def test_a_dataset_that_claims_too_many_values(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("never", (10**12,), "f8", chunks=(1000,))
        file.create_dataset("hardly", (10**12,), "f8", chunks=(1000,))[:5] = 1.0
        file["x"] = X
    refused(tmp_path / "a.h5", "'never' claims 1,000,000,000,000 values, but none was ever written", features=["never"])
    refused(tmp_path / "a.h5", r"'hardly' claims .* values, but that is 7\.45e\+03 GiB, more", features=["hardly"])
    assert len(read_sample(tmp_path / "a.h5", features=["x"])) == 4


def test_what_is_too_large_for_memory_is_said_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    pa.parquet.write_table(pa.table({"x": X}), tmp_path / "a.parquet")
    monkeypatch.setattr(pa.parquet.ParquetFile, "iter_batches", full)
    refused(tmp_path / "a.parquet", "cannot be read as Parquet: it claims more values than the memory here holds")


@pytest.mark.parametrize("gap", ["\n", "\r\n"])
def test_a_blank_line_in_a_single_column_is_a_missing_value(tmp_path: Path, gap: str) -> None:
    path = tmp_path / "one.csv"
    path.write_text(f"x\n1\n2\n{gap}{gap}3\n", newline="")
    with pytest.raises(ReadError, match=r"one\.csv, line 4 is blank, where a value of 'x' is missing; drop the line"):
        read_sample(path)
    path.write_text(f"x\n1\n2\n{gap}", newline="")  # the end of the file
    assert len(read_sample(path)) == 2


@pytest.mark.parametrize("second", ["x.npy", "x"])
def test_two_arrays_of_one_name_in_npz(tmp_path: Path, second: str) -> None:
    path = tmp_path / "twice.npz"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # zipfile warns of what it writes
        for name, values in (("x.npy", np.zeros(3)), (second, np.ones(3))):
            with archive.open(name, "w") as stream:
                np.lib.format.write_array(stream, values)
    with pytest.raises(ReadError, match=r"twice\.npz: more than one column is called 'x'"):
        read_sample(path)


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_a_field_with_a_title_is_one_column(tmp_path: Path, suffix: str) -> None:
    """NumPy lists such a field twice, by its name and by its title."""
    table = np.zeros(3, dtype=[(("momentum", "pt"), "f8"), ("eta", "f8")])
    table["pt"] = [1.0, 2.0, 3.0]
    path = tmp_path / f"titles.{suffix}"
    (np.save if suffix == "npy" else np.savez)(path, table)
    sample = read_sample(path)
    assert sample.features == ("pt", "eta")
    assert sample.events[:, 0].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("arrays", "found"),
    [
        ({"a": np.float64(3)}, r" \(it holds 'a' \(a single value\)\)"),
        ({"a": np.zeros((3, 3, 3))}, r" \(it holds 'a' \(shape 3 x 3 x 3\)\)"),
        ({}, ""),
    ],
)
def test_a_file_without_columns(tmp_path: Path, arrays: dict[str, np.ndarray], found: str) -> None:
    path = tmp_path / "none.npz"
    np.savez(path, **arrays)
    message = rf"none\.npz: no column is left for the features, as none has a number for each event{found}; write each"
    for options in ({}, {"features": ["x"]}, {"where": "x > 3"}, {"weights": "w"}):
        refused(path, message, **options)
    with pytest.raises(ReadError, match=message):
        column_names(path)
    with pytest.raises(ReadError, match="its columns: none"):
        as_sample({}, features=["x"])


def test_weights_that_cannot_be_squared_are_named(tmp_path: Path) -> None:
    path = tmp_path / "large.npz"
    np.savez(path, x=X, w=1e200 * X)
    refused(path, r"large\.npz \(weights: 'w'\): the weights of large\.npz reach 4e\+200", weights="w")
