"""Columns as they are, without expressions: cut, checked, and put into the array of a sample a part at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool, Float64, Int64

from nplm.cuts.columns import Columns, ReadError
from nplm.cuts.cut import Cut
from nplm.io._filling import Filling
from nplm.io._parts import count, numbers_of, require_some
from nplm.io._table import Table


def read_plain(
    source: str,
    table: Table,
    names: Sequence[str],
    weight: str | None,
    cut: Cut | None,
    allow_empty: bool,
) -> tuple[Float64[np.ndarray, "n d"], Float64[np.ndarray, " n"] | None]:
    """Features and weights of the events that pass the cut.

    Arguments:
        source: the file, for messages.
        table: the open file.
        names: columns that are features, in order.
        weight: the column of weights, if there is one.
        cut: that selects events, if there is one.
        allow_empty: whether there may be none.

    Raises:
        ReadError: if there are no events, none passes, columns have different lengths, or a value of an event that
            passes is not finite.
    """
    aliased = columns_of_cut(table, cut)
    wanted = (*names, *([] if weight is None else [weight]))
    needed = tuple(dict.fromkeys((*wanted, *aliased.values())))
    events, weights = Filling(len(names), table.rows), Filling(1, table.rows if weight is not None else 0)
    bad = dict.fromkeys(wanted, (0, -1))
    read = 0
    for part in numbers_of(table, needed):
        rows = count(source, part)
        kept = None if cut is None else passing(source, cut, {c: part[real] for c, real in aliased.items()})
        for name in bad:
            bad[name] = _with_bad(bad[name], part[name], kept, read)
        number = rows if kept is None else int(kept.sum())
        events.add([part[name] if kept is None else part[name][kept] for name in names], number)
        if weight is not None:
            weights.add([part[weight] if kept is None else part[weight][kept]], number)
        read += rows
    require_some(source, read, len(events), cut, allow_empty)
    for name, (number, first) in bad.items():
        if number:
            raise ReadError(
                f"{source}: column '{name}' is missing or not finite in {number} of {read} rows (first: row"
                f" {first}, counted from 0); repair them, or drop them with a cut such as abs({name}) < 1e300"
            )
    return events.table(), None if weight is None else weights.column()


def rows_passing(source: str, table: Table, cut: Cut, allow_empty: bool) -> Int64[np.ndarray, " n"]:
    """The rows of the events that pass a cut.

    Raises:
        ReadError: if there are no events, or none passes.
    """
    aliased = columns_of_cut(table, cut)
    found, read = Filling(1, dtype=np.int64), 0
    for part in numbers_of(table, tuple(dict.fromkeys(aliased.values()))):
        rows = count(source, part)
        some = read + np.flatnonzero(passing(source, cut, {c: part[real] for c, real in aliased.items()}))
        found.add([some], len(some))
        read += rows
    require_some(source, read, len(found), cut, allow_empty)
    return found.column()


def columns_of_cut(table: Table, cut: Cut | None) -> Mapping[str, str]:
    """The names that a cut uses, each with the column that it stands for."""
    return {} if cut is None else {column: table.aliases.get(column, column) for column in cut.columns}


def passing(source: str, cut: Cut, columns: Columns) -> Bool[np.ndarray, " n"]:
    """Which events pass a cut."""
    try:
        return cut(columns)
    except ReadError as error:
        raise ReadError(f"{source}: {error}") from error


def _with_bad(
    found: tuple[int, int], values: np.ndarray, kept: Bool[np.ndarray, " n"] | None, offset: int
) -> tuple[int, int]:
    """The number of values that are not finite in rows that are kept, and the first such row, so far and in a part."""
    finite = np.isfinite(values)
    rows = np.flatnonzero(~finite if kept is None else kept & ~finite)
    if not len(rows):
        return found
    number, first = found
    return number + len(rows), first if number else offset + int(rows[0])
