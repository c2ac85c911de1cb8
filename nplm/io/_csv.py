"""Comma-separated values with a header line, through pyarrow."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import numpy as np

from nplm.cuts.columns import ReadError, Values
from nplm.io._arrow import Together, arrow_column
from nplm.io._table import INDEX, Options, Table, decoding, require_distinct

# Bytes that are read at a time.
_BLOCK = 1 << 24


@contextmanager
def open_csv(source: str, options: Options) -> Iterator[Table]:
    """The columns that the header line names; those before them without a name are the index of a data frame."""
    columns, has_rows, index = _header(source)

    def read(wanted: Sequence[str]) -> dict[str, Values]:
        # Arrow has several errors for a file that ends after the header.
        return _read(source, columns, wanted) if has_rows else {name: np.empty(0) for name in wanted}

    def stream(wanted: Sequence[str], size: int) -> Iterator[dict[str, Values]]:
        return _stream(source, columns, wanted) if has_rows else iter([read(wanted)])

    left_out = dict.fromkeys(index, INDEX)
    yield Table(columns, read, columns[len(index) :], left_out=left_out, parts=stream, stream=stream)


def _header(source: str) -> tuple[tuple[str, ...], bool, tuple[str, ...]]:
    """The names in the header line, whether anything follows it, and which of them pandas would give to an index."""
    errors = (OSError, UnicodeDecodeError, csv.Error)
    with decoding(source, "CSV", errors), Path(source).open(encoding="utf-8-sig", newline="") as stream:
        names = [name.strip() for name in next(csv.reader(stream), [])]
        has_rows = any(line.strip("\r\n") for line in stream)
    if names:
        names[0] = names[0].removeprefix("#").lstrip()  # numpy.savetxt writes the header as a comment
    # As pandas writes a frame by default, and as it calls the columns when it reads them.
    index = tuple(f"Unnamed: {j}" for j, _ in enumerate(takewhile(lambda name: not name, names)))
    names[: len(index)] = index
    if len(index) == len(names) or not all(names):
        raise ReadError(f"{source}: line 1 must be a header with a name for each column, separated by commas")
    # Of an array, pandas counts the columns.
    counted = bool(index) and names[len(index) :] == [str(j) for j in range(len(names) - len(index))]
    if not counted and all(_is_number(name) for name in names[len(index) :]):
        raise ReadError(f"{source}: line 1 holds numbers, but a header with the names of the columns is needed there")
    require_distinct(names, source)
    return tuple(names), has_rows, index


def _read(source: str, columns: tuple[str, ...], wanted: Sequence[str]) -> dict[str, Values]:
    import pyarrow as pa
    import pyarrow.csv as pacsv

    if len(columns) == 1:
        _require_no_gap(source, columns[0])
    jagged_rows: list[Any] = []

    def refuse(row: Any) -> str:
        jagged_rows.append(row)
        return "error"

    try:
        table = pacsv.read_csv(_file(source), **_options(columns, wanted, refuse))
    except (pa.ArrowInvalid, OSError) as error:
        if jagged_rows:
            row = jagged_rows[0]
            raise ReadError(
                f"{source}, line {_line(source, row.number)}: {row.actual_columns} values where the header names"
                f" {row.expected_columns} columns ({row.text[:60]!r})"
            ) from error
        raise ReadError(f"{source} cannot be read as CSV: {str(error).splitlines()[0][:200]}") from error
    return {name: arrow_column(table.column(name), source, name) for name in wanted}


def _stream(source: str, columns: tuple[str, ...], wanted: Sequence[str]) -> Iterator[dict[str, Values]]:
    """What `_read` gives, so many bytes of the file at a time.

    The first of them say of which type a column is. Where a later value is of another, or no value at all, the whole
    file is read after all: then it has the type that suits all values, or is refused as it is without this.
    """
    import pyarrow as pa
    import pyarrow.csv as pacsv

    if len(columns) == 1:
        _require_no_gap(source, columns[0])
    together, taken = Together(source), 0
    try:
        with pacsv.open_csv(_file(source), **_options(columns, wanted, lambda row: "error", _BLOCK)) as reader:
            for batch in reader:
                table = pa.Table.from_batches([batch])
                yield {name: together.column(table.column(name), name) for name in wanted}
                taken += len(batch)
    except (pa.ArrowInvalid, OSError):
        rest = _read(source, columns, wanted)
        yield {name: values[taken:] for name, values in rest.items()}


def _file(source: str) -> Any:
    """The open file: Arrow takes text for UTF-8, which names of files need not be."""
    import pyarrow as pa

    return pa.OSFile(os.fsencode(source))


def _options(
    columns: tuple[str, ...], wanted: Sequence[str], refuse: Callable[[Any], str], block: int | None = None
) -> dict[str, Any]:
    import pyarrow.csv as pacsv

    return {
        # One thread, or Arrow cannot tell which row is jagged.
        "read_options": pacsv.ReadOptions(column_names=columns, skip_rows=1, use_threads=False, block_size=block),
        "parse_options": pacsv.ParseOptions(invalid_row_handler=refuse),
        "convert_options": pacsv.ConvertOptions(include_columns=list(wanted)),
    }


def _require_no_gap(source: str, name: str) -> None:
    """Refuses blank lines before the last value: in a single column they are missing values, which Arrow skips."""
    gap = 0
    with Path(source).open(encoding="utf-8", errors="replace") as stream:
        for number, line in enumerate(stream, start=1):
            blank = not line.strip("\r\n")
            if gap and not blank:
                raise ReadError(
                    f"{source}, line {gap} is blank, where a value of '{name}' is missing; drop the line or fill in the"
                    " value"
                )
            if blank:
                gap = gap or number


def _line(source: str, row: int) -> int:
    """The line of a row, both counted from 1: Arrow skips blank lines when it counts rows."""
    with Path(source).open(encoding="utf-8", errors="replace") as stream:
        filled = (number for number, line in enumerate(stream, start=1) if line.strip("\r\n"))
        return next((line for count, line in enumerate(filled, start=1) if count == row), row)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
