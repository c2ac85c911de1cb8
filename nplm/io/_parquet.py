"""Parquet, through pyarrow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from jaxtyping import Float64

from nplm.io._arrow import arrow_column
from nplm.io._table import Options, Table, decoding, require_distinct


@contextmanager
def open_parquet(source: str, options: Options) -> Iterator[Table]:
    """The top-level columns; the index that pandas adds is not a feature unless named."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    errors = (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError)
    with decoding(source, "Parquet", errors), pq.ParquetFile(source) as file:
        columns = tuple(file.schema_arrow.names)
        require_distinct(columns, source)

        def read(wanted: Sequence[str]) -> dict[str, Float64[np.ndarray, " n"]]:
            table = file.read(columns=list(wanted))
            return {name: arrow_column(table.column(name), source, name) for name in wanted}

        yield Table(columns, read, tuple(c for c in columns if not re.fullmatch(r"__index_level_\d+__", c)))
