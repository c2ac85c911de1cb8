"""Writing a sample to a file."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from nplm._util.files import atomic_path
from nplm.cuts.columns import Columns
from nplm.data.sample import Sample


def write_sample(sample: Sample, path: str | Path, *, weights: str = "weight") -> None:
    """Writes each feature as a column, so that `read_sample` gives the same sample back. Nobody sees half a file.

    Arguments:
        sample: the events.
        path: the file; its suffix (.npz .npy .csv .h5 .hdf5 .parquet) says the format.
        weights: the name of the weight column, which is written only if some weight differs from one.

    Raises:
        ValueError: if the suffix is unknown, the folder does not exist, or the weight column has the name of a feature.
    """
    target = Path(path)
    writer = _WRITERS.get(target.suffix.lower())
    if writer is None:
        raise ValueError(f"cannot write {target}: unknown suffix '{target.suffix}'; known: {', '.join(_WRITERS)}")
    columns = {name: sample.events[:, j] for j, name in enumerate(sample.features)}
    if sample.is_weighted:
        if weights in columns:
            raise ValueError(f"cannot write {target}: '{weights}' is a feature; choose another name for the weights")
        columns[weights] = sample.weights
    with atomic_path(target) as temporary:
        writer(temporary, columns)


def _write_npz(path: Path, columns: Columns) -> None:
    with zipfile.ZipFile(path, "w") as archive:  # numpy.savez takes names as arguments, so none could be "file"
        for name, values in columns.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, values, allow_pickle=False)


def _write_npy(path: Path, columns: Columns) -> None:
    table = np.empty(len(next(iter(columns.values()))), dtype=[(name, "<f8") for name in columns])
    for name, values in columns.items():
        table[name] = values
    with path.open("wb") as stream:
        version = None if "".join(columns).isascii() else (3, 0)
        np.lib.format.write_array(stream, table, version, allow_pickle=False)


def _write_csv(path: Path, columns: Columns) -> None:
    import pyarrow as pa
    import pyarrow.csv

    pyarrow.csv.write_csv(pa.table(dict(columns)), path)


def _write_parquet(path: Path, columns: Columns) -> None:
    import pyarrow as pa
    import pyarrow.parquet

    pyarrow.parquet.write_table(pa.table(dict(columns)), path)


def _write_hdf5(path: Path, columns: Columns) -> None:
    import h5py

    for name in columns:
        if "/" in name:
            raise ValueError(
                f"HDF5 cannot hold a column called '{name}': the slash means a group; write Parquet instead"
            )
    with h5py.File(path, "w", track_order=True) as file:
        for name, values in columns.items():
            file[name] = values


_WRITERS: dict[str, Callable[[Path, Columns], None]] = {
    ".npz": _write_npz,
    ".npy": _write_npy,
    ".csv": _write_csv,
    ".h5": _write_hdf5,
    ".hdf5": _write_hdf5,
    ".parquet": _write_parquet,
}
