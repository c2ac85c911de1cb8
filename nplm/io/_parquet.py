"""Parquet, through pyarrow."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm.io._arrow import arrow_column
from nplm.io._table import INDEX, Options, Table, decoding, require_distinct


@contextmanager
def open_parquet(source: str, options: Options) -> Iterator[Table]:
    """The top-level columns; the index that pandas adds is no feature unless named."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    errors = (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError)
    with decoding(source, "Parquet", errors), pq.ParquetFile(source) as file:
        columns = tuple(file.schema_arrow.names)
        require_distinct(columns, source)

        def read(wanted: Sequence[str]) -> dict[str, Float64[np.ndarray, " n"]]:
            table = file.read(columns=list(wanted))
            return {name: arrow_column(table.column(name), source, name) for name in wanted}

        index = _index(file.schema_arrow, columns)
        yield Table(columns, read, tuple(c for c in columns if c not in index), left_out=dict.fromkeys(index, INDEX))


def _index(schema: Any, columns: Sequence[str]) -> list[str]:
    """The columns that are the index of a data frame, as pandas notes in the file."""
    try:
        noted = json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("index_columns", [])
    except (ValueError, AttributeError):  # not what pandas writes
        noted = []
    return [c for c in columns if c in noted or re.fullmatch(r"__index_level_\d+__", c)]
