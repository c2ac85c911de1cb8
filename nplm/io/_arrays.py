"""How the named arrays of a file (npz, npy, HDF5) become columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nplm.cuts.columns import ReadError, Values, listed
from nplm.cuts.lists import as_lists
from nplm.io._table import Table, as_column, jagged, require_distinct, require_numeric

# The groups that hold something, and its name.
Key = tuple[str, ...]


@dataclass(frozen=True)
class Header:
    """Shape and type of an array that has not been read, and whether its columns are stored one after the other."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    by_columns: bool = False


@dataclass(frozen=True)
class Column:
    """Where a column lies, and what it is called.

    Arguments:
        path: its full name, groups first.
        array: the array that holds it.
        dtype: the type of its values.
        field: the field of a structured array.
        part: the column of a matrix, or of a field that is one.
        table: the array or frame that holds it beside other columns; None for an array that is a column by itself.
        label: what it is if it labels the rows, and so is no feature.
        problem: what it holds, if that is no numbers for a reason that the type does not show.
    """

    path: Key
    array: Key
    dtype: np.dtype[np.generic]
    field: str | None = None
    part: int | None = None
    table: Key | None = None
    label: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class InRows:
    """How arrays of a file are read some rows at a time.

    Arguments:
        lengths: the rows of each array for which that is possible.
        blocks: its rows, or the named fields of them, about so many at a time.
    """

    lengths: Mapping[Key, int]
    blocks: Callable[[Key, Sequence[str] | None, int], Iterator[np.ndarray]]


def columns_of_arrays(headers: Mapping[Key, Header]) -> tuple[list[Column], dict[str, str]]:
    """The columns that arrays are or hold, and the arrays that are none, each with what it is.

    A 1-D array is a column; a structured 1-D array has a column for each field; a 2-D array has the columns x0, x1, ...
    Beside another 2-D array, one with a single column is that column.
    """
    matrices = [key for key, header in headers.items() if len(header.shape) == 2 and header.dtype.names is None]
    single = {key for key in matrices if headers[key].shape[1] == 1} if len(matrices) > 1 else set()
    columns: list[Column] = []
    others: dict[str, str] = {}
    for key, (shape, dtype) in ((key, (header.shape, header.dtype)) for key, header in headers.items()):
        if key in single:
            columns.append(Column(key, key, dtype, part=0))
        elif len(shape) == 2 and dtype.names is None:
            columns += [Column((*key, f"x{j}"), key, dtype, part=j, table=key) for j in range(shape[1])]
        elif len(shape) == 1 and dtype.names is not None and dtype.fields is not None:
            # Not all of dtype.fields, which has a field with a title twice.
            columns += [Column((*key, field), key, dtype.fields[field][0], field, table=key) for field in dtype.names]
        elif len(shape) == 1:
            columns.append(Column(key, key, dtype))
        else:
            others["/".join(key)] = f"shape {' x '.join(map(str, shape))}" if shape else "a single value"
    return columns, others


def array_table(
    source: str,
    columns: Sequence[Column],
    load: Callable[[Key, Sequence[str] | None], np.ndarray],
    others: Mapping[str, str],
    chosen: str | None = None,
    in_rows: InRows | None = None,
) -> Table:
    """The columns of a file with named arrays.

    A column goes by its own name where no other has it, and by its full name always. The columns of one matrix are the
    features beside arrays that are columns by themselves; of several tables one must be chosen. A matrix is a column of
    lists as well, for expressions such as NAME[0].

    Arguments:
        source: the file, for messages.
        columns: all that the file holds.
        load: the array of a key; of a structured array, the named fields are enough.
        others: what the file holds beside columns, each with what it is.
        chosen: the array, frame or group whose columns are the features.
        in_rows: how arrays are read some rows at a time; None if all are read at once.

    Raises:
        ReadError: if nothing has the chosen name, or two columns have the same.
    """
    require_distinct(["/".join(column.path) for column in columns], source)
    inside = [column for column in columns if _lies_in(column.path, chosen)]
    if not inside and chosen is not None:
        holds = dict.fromkeys("/".join(column.table or column.path) for column in columns)
        raise ReadError(f"{source} has no array or group '{chosen}'; it holds: {listed(list(holds)) or 'no columns'}")
    times = Counter(column.path[-1] for column in inside)
    places = {column.path[-1] if times[column.path[-1]] == 1 else "/".join(column.path): column for column in inside}
    for column in columns:
        if column not in inside:
            places.setdefault("/".join(column.path), column)
    aliases = {"/".join(column.path): name for name, column in places.items() if "/".join(column.path) != name}

    lists = _lists(inside, {*places, *aliases})

    def read(wanted: Sequence[str]) -> dict[str, Values]:
        if many := [name for name in wanted if name in lists]:
            raise jagged(source, many[0])
        return _read(source, {name: places[name] for name in wanted}, load)

    def parts(wanted: Sequence[str], size: int) -> Iterator[dict[str, Any]]:
        many = {name: _matrix(source, name, lists[name], load) for name in wanted if name in lists}
        whole: dict[str, Any] = {**read([name for name in wanted if name not in lists]), **many}
        events = max((len(values) for values in whole.values()), default=0)
        for start in range(0, max(events, 1), size):
            some = {name: values[start : start + size] for name, values in whole.items()}
            yield {name: as_lists(values) if name in lists else values for name, values in some.items()}

    def stream(wanted: Sequence[str], size: int) -> Iterator[dict[str, Values]]:
        arrays = {places[name].array for name in wanted if name in places}
        lengths = {None if in_rows is None else in_rows.lengths.get(key) for key in arrays}
        if any(name in lists for name in wanted) or in_rows is None or len(lengths) != 1 or None in lengths:
            yield read(wanted)
            return
        chosen = {name: places[name] for name in wanted}
        blocks = {key: in_rows.blocks(key, parts, size) for key, parts in _parts_of_arrays(source, chosen).items()}
        for some in zip(*blocks.values(), strict=True):
            found = dict(zip(blocks, some, strict=True))
            yield {name: _column_of(found[column.array], column, source, name) for name, column in chosen.items()}

    tables = list(dict.fromkeys(column.table for column in inside if column.table is not None))
    matrix = len(tables) == 1 and any(column.table and column.field is None for column in inside)
    features, left_out = [], dict(others) if chosen is None else {}
    for name, column in places.items():
        if column.label is not None:
            left_out[name] = column.label
        elif matrix and column.table is None and column in inside:
            left_out[name] = f"beside {'/'.join(tables[0])}"
        elif column in inside:
            features.append(name)
    named = ["/".join(table) for table in tables]
    several = (
        f"{len(tables)} tables ({listed(named)}); choose one, as in {source}:{named[0]}" if len(tables) > 1 else ""
    )
    names = (*places, *lists)
    return Table(
        names, read, tuple(features), aliases, left_out, several, tuple(lists), parts if lists else None, stream=stream
    )


def _lists(columns: Sequence[Column], taken: Collection[str]) -> dict[str, Column]:
    """The matrices, each as one of its columns, by names that no column has."""
    found = {c.array: c for c in columns if c.part is not None and c.field is None and c.table == c.array and c.array}
    times = Counter(key[-1] for key in found)
    named = {key[-1] if times[key[-1]] == 1 and key[-1] not in taken else "/".join(key): c for key, c in found.items()}
    return {name: column for name, column in named.items() if name not in taken}


def _matrix(
    source: str, name: str, column: Column, load: Callable[[Key, Sequence[str] | None], np.ndarray]
) -> np.ndarray:
    require_numeric(column.dtype, source, name)
    return load(column.array, None)


def _lies_in(path: Key, chosen: str | None) -> bool:
    if chosen is None:
        return True
    full, outer = "/".join(path), chosen.strip("/")
    return full == outer or full.startswith(f"{outer}/")


def _read(
    source: str, wanted: Mapping[str, Column], load: Callable[[Key, Sequence[str] | None], np.ndarray]
) -> dict[str, Values]:
    # One array at a time: a matrix or a structured array is read once, however many of its columns are wanted.
    values: dict[str, Values] = {}
    for key, parts in _parts_of_arrays(source, wanted).items():
        array = load(key, parts)
        for name, column in wanted.items():
            if column.array == key:
                values[name] = _column_of(array, column, source, name)
    return values


def _parts_of_arrays(source: str, wanted: Mapping[str, Column]) -> dict[Key, list[str] | None]:
    """The arrays that hold columns, each with the fields that are wanted of it; None for an array without fields.

    Raises:
        ReadError: naming the column, if it holds no numbers.
    """
    fields: dict[Key, list[str]] = {}
    for name, column in wanted.items():
        if column.problem is not None:
            raise ReadError(
                f"{source}: column '{name}' holds {column.problem}, not numbers; convert it, or name the features you"
                " want"
            )
        require_numeric(column.dtype, source, name)
        parts = fields.setdefault(column.array, [])
        if column.field is not None and column.field not in parts:
            parts.append(column.field)
    return {key: parts or None for key, parts in fields.items()}


def _column_of(array: np.ndarray, column: Column, source: str, name: str) -> Values:
    field = array if column.field is None else array[column.field]
    return as_column(field if column.part is None else field[:, column.part], source, name)
