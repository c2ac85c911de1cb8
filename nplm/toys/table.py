"""The table of toys: one row for each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float64, Int64, Shaped

from nplm._util.files import atomic_path

# Parquet's own checksums cover its pages, but not the footer that says where they are and what they hold.
_DIGEST = "digest"


@dataclass(frozen=True, eq=False)
class ToyTable:
    """Toys and their test statistics, one row for each.

    Arguments:
        index: the toy's number i, shape (toys,); its key is fold_in(root, i).
        t: test statistic, shape (toys,); NaN where the fit failed.
        total_weight: the toy's yield, the sum of its event weights, shape (toys,).
        converged: whether the fit met its criterion, shape (toys,).
        starts_agreeing: how many starts ended within 0.05 of the largest t, shape (toys,).
        failure: why there is no t, shape (toys,); empty where there is one.
        seconds: time spent on the toy (its share of the batch), shape (toys,).
        parameters: fitted parameters in the model's own order, shape (toys, P); None where they were not kept.
        delta: with nuisances, Delta, so that tau = t + Delta, shape (toys,).
        nu_delta, nu_tau: with nuisances, nu where the fits of Delta and tau ended, shape (toys, k).
    """

    index: Int64[np.ndarray, " toys"]
    t: Float64[np.ndarray, " toys"]
    total_weight: Float64[np.ndarray, " toys"]
    converged: Bool[np.ndarray, " toys"]
    starts_agreeing: Int64[np.ndarray, " toys"]
    failure: Shaped[np.ndarray, " toys"]
    seconds: Float64[np.ndarray, " toys"]
    parameters: Float64[np.ndarray, "toys p"] | None = None
    delta: Float64[np.ndarray, " toys"] | None = None
    nu_delta: Float64[np.ndarray, "toys k"] | None = None
    nu_tau: Float64[np.ndarray, "toys k"] | None = None

    def __len__(self) -> int:
        return len(self.index)

    @property
    def succeeded(self) -> Bool[np.ndarray, " toys"]:
        """Which toys have a test statistic."""
        return np.isfinite(self.t)

    def select(self, rows: Int64[np.ndarray, " m"] | Bool[np.ndarray, " toys"] | slice) -> ToyTable:
        """The given rows (indices, a mask or a slice)."""
        return replace(self, **{name: column[rows] for name, column in self._columns().items()})

    @classmethod
    def empty(cls) -> ToyTable:
        """No toys."""
        none = np.zeros(0)
        whole = none.astype(np.int64)
        return cls(whole, none, none, none.astype(bool), whole, none.astype(object), none)

    @classmethod
    def concatenate(cls, tables: Sequence[ToyTable]) -> ToyTable:
        """All rows, in the order of their index; an empty table if there is none."""
        filled = [table for table in tables if len(table)]
        if not filled:
            return cls.empty()
        order = np.argsort(np.concatenate([t.index for t in filled]), kind="stable")
        columns = [table._columns() for table in filled]
        return cls(**{name: np.concatenate([c[name] for c in columns])[order] for name in columns[0]})

    def write(self, path: Path, metadata: dict[str, str] | None = None) -> None:
        """Writes a Parquet file whole, with a digest of its contents, then renames it into place.

        Arguments:
            path: the file.
            metadata: texts to keep with the schema.
        """
        texts = metadata or {}
        columns: dict[str, pa.Array] = {
            name: pa.array(column) if column.ndim == 1 else _lists(column)
            for name, column in self._columns().items()
            if name != "failure"
        }
        columns["failure"] = pa.array(self.failure, pa.string())
        table = pa.table(columns).replace_schema_metadata({**texts, _DIGEST: self._digest(texts)})
        with atomic_path(path) as temporary:
            pq.write_table(table, temporary, write_page_checksum=True)

    @classmethod
    def read(cls, path: Path) -> ToyTable:
        """The table that `write` wrote; see `read_with_metadata`."""
        return cls.read_with_metadata(path)[0]

    @classmethod
    def read_with_metadata(cls, path: Path) -> tuple[ToyTable, dict[str, str]]:
        """Reads what `write` wrote: the table, and the texts that were kept with it.

        Raises:
            OSError: if the file cannot be read.
            KeyError: if a column is missing.
            ValueError: if it is no Parquet file, or not what was written.
        """
        # Not read_table, which would take columns from the names of the folders as well.
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            table = file.read()
        texts = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        present = [f.name for f in fields(cls) if f.default is MISSING or f.name in table.column_names]
        read = cls(**{name: _array(table[name]) for name in present})
        if texts.pop(_DIGEST, "") != read._digest(texts):
            raise ValueError("its contents are not those that were written")
        return read, texts

    def _digest(self, texts: dict[str, str]) -> str:
        """SHA-256 of the texts and of every value, as hexadecimal digits."""
        digest = hashlib.sha256(json.dumps(texts, sort_keys=True).encode())
        for name, column in self._columns().items():
            # Texts may be of any dtype in memory; numbers are read back with the one they were written with.
            values = json.dumps(column.tolist()).encode() if name == "failure" else column.tobytes()
            kind = "text" if name == "failure" else column.dtype
            digest.update(f"{name} {kind} {column.shape} ".encode() + values)
        return digest.hexdigest()

    def _columns(self) -> dict[str, np.ndarray]:
        """The columns by name, without those that were not kept."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return {name: column for name, column in columns.items() if column is not None}


def _lists(rows: Float64[np.ndarray, "toys k"]) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])


def _array(column: pa.ChunkedArray) -> np.ndarray:
    if not pa.types.is_fixed_size_list(column.type):
        return column.to_numpy()
    lists = column.combine_chunks()
    return lists.flatten().to_numpy().reshape(len(column), lists.type.list_size)
