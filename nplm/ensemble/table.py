"""The table of toys: one row for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Bool, Float64, Int64

from nplm._atomic import atomic_path


@dataclass(frozen=True, eq=False)
class ToyTable:
    """Toys and their test statistics; every column has shape (toys,).

    Arguments:
        index: the toy's number i; its key is fold_in(root, i).
        t: test statistic; NaN where the fit failed.
        total_weight: sum of the toy's event weights.
        converged: whether the fit met its criterion.
        starts_agreeing: how many starts ended within 0.05 of the largest t.
        seconds: time spent on the toy (its share of the batch).
    """

    index: Int64[np.ndarray, " toys"]
    t: Float64[np.ndarray, " toys"]
    total_weight: Float64[np.ndarray, " toys"]
    converged: Bool[np.ndarray, " toys"]
    starts_agreeing: Int64[np.ndarray, " toys"]
    seconds: Float64[np.ndarray, " toys"]

    def __len__(self) -> int:
        return len(self.index)

    @property
    def succeeded(self) -> Bool[np.ndarray, " toys"]:
        """Which toys have a test statistic."""
        return np.isfinite(self.t)

    @classmethod
    def concatenate(cls, tables: Sequence[ToyTable]) -> ToyTable:
        """All rows, in the order of their index; an empty table if there is none."""
        if not tables:
            nothing = np.zeros(0)
            return cls(
                nothing.astype(np.int64), nothing, nothing, nothing.astype(bool), nothing.astype(np.int64), nothing
            )
        order = np.argsort(np.concatenate([t.index for t in tables]), kind="stable")
        return cls(*(np.concatenate([getattr(t, f.name) for t in tables])[order] for f in fields(cls)))

    def write(self, path: Path) -> None:
        """Writes a Parquet file whole, then renames it into place."""
        with atomic_path(path) as temporary:
            pq.write_table(pa.table({f.name: getattr(self, f.name) for f in fields(self)}), temporary)

    @classmethod
    def read(cls, path: Path) -> ToyTable:
        """Reads what `write` wrote."""
        table = pq.read_table(path)
        return cls(*(table[f.name].to_numpy() for f in fields(cls)))
