"""How the named arrays of a file (npz, npy, HDF5) become columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nplm.io._table import ReadError, Table, as_column, require_distinct, require_numeric

Key = tuple[str, ...]


@dataclass(frozen=True)
class Header:
    """Shape and type of an array that has not been read."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]


@dataclass(frozen=True)
class _Origin:
    """Where a column lies: a whole array, a field of a structured one, or a column of a matrix."""

    array: Key
    part: str | int | None
    dtype: np.dtype[np.generic]


def array_table(
    source: str, headers: Mapping[Key, Header], load: Callable[[Key, Sequence[str] | None], np.ndarray]
) -> Table:
    """The columns that a file with named arrays holds.

    A 1-D array is a column; a structured 1-D array has a column for each field; one 2-D array has the columns
    x0, x1, ..., which are then the features. Other shapes are no columns.

    Arguments:
        source: the file, for messages.
        headers: shape and type of each array; a key holds the groups and the name of an array.
        load: the array of a key; of a structured array, the named fields are enough.
    """
    matrices = [key for key, header in headers.items() if len(header.shape) == 2]
    if len(matrices) > 1:
        which = ", ".join("/".join(key) for key in matrices)
        raise ReadError(f"{source} holds {len(matrices)} two-dimensional arrays ({which}); keep one in a file")
    placed = [column for key, header in headers.items() for column in _columns_of(key, header)]
    full = ["/".join(key) for key, _ in placed]
    require_distinct(full, source)
    times = Counter(key[-1] for key, _ in placed)
    names = [key[-1] if times[key[-1]] == 1 else "/".join(key) for key, _ in placed]
    require_distinct(names, source)
    origins = {name: origin for name, (_, origin) in zip(names, placed, strict=True)}
    features = [name for name, origin in origins.items() if not matrices or isinstance(origin.part, int)]

    def read(wanted: Sequence[str]) -> dict[str, Float64[np.ndarray, " n"]]:
        return _read(source, {name: origins[name] for name in wanted}, load)

    aliases = {alias: name for alias, name in zip(full, names, strict=True) if alias != name}
    return Table(tuple(names), read, tuple(features), aliases)


def _columns_of(key: Key, header: Header) -> list[tuple[Key, _Origin]]:
    dtype = header.dtype
    if len(header.shape) == 2:
        return [((f"x{j}",), _Origin(key, j, dtype)) for j in range(header.shape[1])]
    if len(header.shape) != 1:
        return []
    if dtype.fields is None:
        return [(key, _Origin(key, None, dtype))]
    return [((*key, field), _Origin(key, field, kind[0])) for field, kind in dtype.fields.items()]


def _read(
    source: str, wanted: Mapping[str, _Origin], load: Callable[[Key, Sequence[str] | None], np.ndarray]
) -> dict[str, Float64[np.ndarray, " n"]]:
    fields: dict[Key, list[str]] = {}
    for name, origin in wanted.items():
        require_numeric(origin.dtype, source, name)
        fields.setdefault(origin.array, []).extend([origin.part] if isinstance(origin.part, str) else [])
    # One array at a time: a matrix or a structured array is read once, however many of its columns are wanted.
    columns: dict[str, Float64[np.ndarray, " n"]] = {}
    for key, parts in fields.items():
        array = load(key, parts or None)
        for name, origin in wanted.items():
            if origin.array == key:
                values = array[:, origin.part] if isinstance(origin.part, int) else array
                columns[name] = as_column(values[origin.part] if parts else values, source, name)
    return columns
