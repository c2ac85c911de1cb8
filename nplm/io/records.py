"""Small tables of text and numbers, such as lists of counting regions, from CSV and Parquet files."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm.cuts.columns import ReadError, listed
from nplm.io._table import decoding, require_distinct


def read_records(
    source: str | Path, text: Sequence[str], numbers: Sequence[str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, Float64[np.ndarray, " n"]]]:
    """The columns of a table by their names: those of text, with all that nobody asks for, and those of numbers.

    Arguments:
        source: a CSV file with a header line, or a Parquet file.
        text: columns that must be there; a missing value is refused in these alone.
        numbers: columns that must be there and hold finite numbers.

    Raises:
        ReadError: (a ValueError) if the file cannot be read, lacks a column or a value, or holds something else where
            a number belongs; the message names the place.
    """
    path = Path(source)
    if path.suffix.lower() == ".csv":
        columns, places = _from_csv(path)
    elif path.suffix.lower() in (".parquet", ".pq"):
        columns, places = _from_parquet(path)
    else:
        raise ReadError(f"{path} must be a CSV file (.csv) or a Parquet file (.parquet), by the end of its name")
    missing = [name for name in (*text, *numbers) if name not in columns]
    if missing:
        raise ReadError(f"{path} has no column '{missing[0]}': there are {listed(list(columns))}")
    if not places:
        raise ReadError(f"{path} has no rows below its header")
    words = {name: tuple(map(_word, values)) for name, values in columns.items() if name not in numbers}
    for name in text:
        if "" in words[name]:
            raise ReadError(f"{path}, {places[words[name].index('')]}: '{name}' is empty")
    return words, {
        name: np.array(
            [_number(v, f"{path}, {place}: '{name}'") for v, place in zip(columns[name], places, strict=True)]
        )
        for name in numbers
    }


def _from_csv(path: Path) -> tuple[Mapping[str, Sequence[Any]], list[str]]:
    """The columns, and where in the file each row ends: blank lines, and lines within quotes, are none."""
    errors = (OSError, UnicodeDecodeError, csv.Error)
    with decoding(str(path), "CSV", errors), path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        rows = [(row, f"line {reader.line_num}") for row in reader if row]
    if not rows:
        raise ReadError(f"{path} is empty, where a header line with the names of the columns is needed")
    head = [name.strip() for name in rows[0][0]]
    require_distinct(head, str(path))
    for row, place in rows[1:]:
        if len(row) != len(head):
            raise ReadError(f"{path}, {place}: {len(row)} values where the header names {len(head)} columns")
    columns = list(zip(*(row for row, _ in rows[1:]), strict=True)) or [()] * len(head)
    return dict(zip(head, columns, strict=True)), [place for _, place in rows[1:]]


def _from_parquet(path: Path) -> tuple[Mapping[str, Sequence[Any]], list[str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with decoding(str(path), "Parquet", (OSError, pa.ArrowException)):
        table = pq.read_table(path)
    columns = {name: table.column(name).to_pylist() for name in table.column_names}
    return columns, [f"row {number + 1}" for number in range(table.num_rows)]


def _word(value: Any) -> str:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value).strip()


def _number(value: Any, place: str) -> float:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ReadError(f"{place} is missing")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ReadError(f"{place} must be a number, not '{value}'") from None
    if math.isnan(number):
        raise ReadError(f"{place} is missing")
    if math.isinf(number):
        raise ReadError(f"{place} must be a finite number, not '{value}'")
    return number
