"""The events of a file a part at a time: how many there are in one, and whether any are left in the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from nplm.cuts.columns import Columns, ReadError
from nplm.cuts.cut import Cut
from nplm.io._table import Table

# Events that are read at a time: columns, and above all those of lists, are in memory for so many only.
PART = 200_000


def parts_of(table: Table, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Columns of an open file, a part of the events at a time; those with lists as such."""
    if table.parts is not None:
        return table.parts(columns, PART)
    return numbers_of(table, columns)


def numbers_of(table: Table, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The same of columns that must have one number for each event."""
    return iter([table.read(columns)]) if table.stream is None else table.stream(columns, PART)


def in_parts(columns: dict[str, Any], size: int) -> Iterable[dict[str, Any]]:
    """Columns that are in memory, so many events at a time."""
    events = max((len(values) for values in columns.values()), default=0)
    for start in range(0, max(events, 1), size):
        yield {name: values[start : start + size] for name, values in columns.items()}


def count(source: str, columns: Columns) -> int:
    """The number of events.

    Raises:
        ReadError: if columns have different lengths.
    """
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ReadError(
            f"{source}: the columns have different lengths ({listed}); name the features that belong together"
        )
    return next(iter(lengths.values()))


def require_some(source: str, read: int, passed: int, cut: Cut | None, allow_empty: bool) -> None:
    """Raises ReadError if no event was read, or none of them has passed, and there must be some."""
    if allow_empty:
        return
    if not read:
        raise ReadError(f"{source} holds no events")
    if not passed and cut is not None:
        raise ReadError(f"{source}: none of its {read} rows passes the cut '{cut.text}'; loosen it")
