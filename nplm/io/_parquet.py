"""Parquet, through pyarrow."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from nplm.io._arrow import arrow_column, is_list_type, lists_or_numbers
from nplm.io._table import INDEX, Options, Table, Values, decoding, require_distinct


@contextmanager
def open_parquet(source: str, options: Options) -> Iterator[Table]:
    """The columns, those in records by names with dots; the index that pandas adds is no feature unless named."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    errors = (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError)
    # Arrow takes text for UTF-8, which names of files need not be.
    with decoding(source, "Parquet", errors), pa.OSFile(os.fsencode(source)) as raw, pq.ParquetFile(raw) as file:
        places = [place for field in file.schema_arrow for place in _places(field)]
        columns = tuple(".".join(place) for place in places)
        require_distinct(columns, source)
        place_of = dict(zip(columns, places, strict=True))

        def read(wanted: Sequence[str]) -> dict[str, Values]:
            table = file.read(columns=list(wanted))
            return {name: arrow_column(_part(table, place_of[name]), source, name) for name in wanted}

        def parts(wanted: Sequence[str], size: int) -> Iterator[dict[str, Any]]:
            for batch in file.iter_batches(size, columns=list(wanted)):
                yield {name: lists_or_numbers(_part(batch, place_of[name]), source, name) for name in wanted}

        types = {name: _type(file.schema_arrow, place) for name, place in place_of.items()}
        lists = tuple(name for name, kind in types.items() if is_list_type(kind))
        index = _index(file.schema_arrow, columns)
        features = tuple(c for c in columns if c not in index)
        yield Table(columns, read, features, left_out=dict.fromkeys(index, INDEX), lists=lists, parts=parts)


def _places(field: Any) -> list[tuple[str, ...]]:
    """The names that lead to each column: one, or those of the records around it and its own."""
    import pyarrow as pa

    if not pa.types.is_struct(field.type):
        return [(field.name,)]
    parts = [field.type.field(j) for j in range(field.type.num_fields)]
    return [(field.name, *place) for part in parts for place in _places(part)]


def _type(schema: Any, place: Sequence[str]) -> Any:
    kind = schema.field(place[0]).type
    for name in place[1:]:
        kind = kind.field(name).type
    return kind


def _part(table: Any, place: Sequence[str]) -> Any:
    import pyarrow.compute as pc

    column = table.column(place[0])
    for name in place[1:]:
        column = pc.struct_field(column, name)
    return column


def _index(schema: Any, columns: Sequence[str]) -> list[str]:
    """The columns that are the index of a data frame, as pandas notes in the file."""
    try:
        noted = json.loads((schema.metadata or {}).get(b"pandas", b"{}")).get("index_columns", [])
    except (ValueError, AttributeError):  # not what pandas writes
        noted = []
    return [c for c in columns if c in noted or re.fullmatch(r"__index_level_\d+__", c)]
