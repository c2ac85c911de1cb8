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
        columns, first = _from_csv(path), 2
    elif path.suffix.lower() in (".parquet", ".pq"):
        columns, first = _from_parquet(path), 1
    else:
        raise ReadError(f"{path} must be a CSV file (.csv) or a Parquet file (.parquet), by the end of its name")
    missing = [name for name in (*text, *numbers) if name not in columns]
    if missing:
        raise ReadError(f"{path} has no column '{missing[0]}': there are {listed(list(columns))}")
    if not len(next(iter(columns.values()))):
        raise ReadError(f"{path} has no rows below its header")
    place = "line" if first == 2 else "row"
    words = {name: tuple(map(_word, values)) for name, values in columns.items() if name not in numbers}
    for name in text:
        if "" in words[name]:
            raise ReadError(f"{path}, {place} {first + words[name].index('')}: '{name}' is empty")
    return words, {
        name: np.array([_number(v, f"{path}, {place} {first + i}: '{name}'") for i, v in enumerate(columns[name])])
        for name in numbers
    }


def _from_csv(path: Path) -> Mapping[str, Sequence[Any]]:
    errors = (OSError, UnicodeDecodeError, csv.Error)
    with decoding(str(path), "CSV", errors), path.open(encoding="utf-8-sig", newline="") as stream:
        rows = [row for row in csv.reader(stream) if row]
    if not rows:
        raise ReadError(f"{path} is empty, where a header line with the names of the columns is needed")
    head = [name.strip() for name in rows[0]]
    require_distinct(head, str(path))
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != len(head):
            raise ReadError(f"{path}, line {number}: {len(row)} values where the header names {len(head)} columns")
    return dict(zip(head, list(zip(*rows[1:], strict=True)) or [()] * len(head), strict=True))


def _from_parquet(path: Path) -> Mapping[str, Sequence[Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with decoding(str(path), "Parquet", (OSError, pa.ArrowException)):
        table = pq.read_table(path)
    return {name: table.column(name).to_pylist() for name in table.column_names}


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
