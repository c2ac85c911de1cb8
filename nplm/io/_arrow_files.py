"""Parquet and Feather, through pyarrow."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from nplm.cuts.columns import Values
from nplm.io._arrow import Together, arrow_column, is_list_type, lists_or_numbers
from nplm.io._table import INDEX, Options, Table, decoding, require_distinct

# The names that lead to a column: its own, after those of the records around it.
Place = tuple[str, ...]
# Bytes of a column that Parquet reads at a time: without, it takes all that a row group has, and there may be only one.
_BUFFER = 1 << 20


@contextmanager
def open_parquet(source: str, options: Options) -> Iterator[Table]:
    """The columns, those in records by names with dots; the index that pandas adds is no feature unless named."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    errors = (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError)
    # Arrow takes text for UTF-8, which names of files need not be.
    with (
        decoding(source, "Parquet", errors),
        pa.OSFile(os.fsencode(source)) as raw,
        pq.ParquetFile(raw, buffer_size=_BUFFER) as file,
    ):

        def read(places: Sequence[Place]) -> Any:
            return file.read(columns=[".".join(place) for place in places])

        def batches(places: Sequence[Place], size: int) -> Iterator[Any]:
            yield from file.iter_batches(size, columns=[".".join(place) for place in places])
            # Arrow keeps for later what it needs no more, which may be hundreds of megabytes.
            pa.default_memory_pool().release_unused()

        yield _table(source, file.schema_arrow, read, batches, file.metadata.num_rows)


@contextmanager
def open_feather(source: str, options: Options) -> Iterator[Table]:
    """The same of Arrow's own file format (IPC), which pandas and polars call Feather."""
    import pyarrow as pa

    errors = (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError)
    with decoding(source, "Feather", errors), pa.OSFile(os.fsencode(source)) as raw:
        schema = pa.ipc.open_file(raw).schema

        def reader(places: Sequence[Place]) -> Any:
            fields = sorted({schema.get_field_index(place[0]) for place in places})
            return pa.ipc.open_file(raw, options=pa.ipc.IpcReadOptions(included_fields=fields))

        def read(places: Sequence[Place]) -> Any:
            return reader(places).read_all()

        def batches(places: Sequence[Place], size: int) -> Iterator[Any]:
            file = reader(places)
            for number in range(file.num_record_batches):
                batch = file.get_batch(number)
                for start in range(0, len(batch), size):
                    yield batch.slice(start, size)

        yield _table(source, schema, read, batches)


def _table(
    source: str,
    schema: Any,
    read_arrow: Callable[[Sequence[Place]], Any],
    batches: Callable[[Sequence[Place], int], Iterator[Any]],
    rows: int | None = None,
) -> Table:
    """A table of Arrow's.

    Arguments:
        source: the file.
        schema: of all columns.
        read_arrow: the table with the columns at some places.
        batches: the same, so many rows at a time.
        rows: how many there are, if that is known.
    """
    import pyarrow as pa

    places = [place for field in schema for place in _places(field)]
    columns = tuple(".".join(place) for place in places)
    require_distinct(columns, source)
    place_of = dict(zip(columns, places, strict=True))

    def read(wanted: Sequence[str]) -> dict[str, Values]:
        table = read_arrow([place_of[name] for name in wanted])
        return {name: arrow_column(_part(table, place_of[name]), source, name) for name in wanted}

    def parts(wanted: Sequence[str], size: int) -> Iterator[dict[str, Any]]:
        for batch in batches([place_of[name] for name in wanted], size):
            yield {name: lists_or_numbers(_part(batch, place_of[name]), source, name) for name in wanted}

    def stream(wanted: Sequence[str], size: int) -> Iterator[dict[str, Any]]:
        together, empty = Together(source), True
        for batch in batches([place_of[name] for name in wanted], size):
            empty = False
            table = pa.Table.from_batches([batch])
            columns = {name: _part(table, place_of[name]) for name in wanted}
            yield {name: together.column(column, name) for name, column in columns.items()}
        if empty:
            yield read(wanted)

    types = {name: _type(schema, place) for name, place in place_of.items()}
    lists = tuple(name for name, kind in types.items() if is_list_type(kind))
    index = _index(schema, columns)
    features = tuple(c for c in columns if c not in index)
    left_out = dict.fromkeys(index, INDEX)
    return Table(columns, read, features, left_out=left_out, lists=lists, parts=parts, stream=stream, rows=rows)


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
