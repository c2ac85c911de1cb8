"""Data frames that pandas has written into HDF5, read without pandas: its fixed and its table layout.

The fixed layout has the names in axis0, and for each type of value a block: block0_items with its names and
block0_values with a column for each. The table layout has one structured array, in which a field is a column, or a
block whose names are kept beside it in a pickle.
"""

from __future__ import annotations

from typing import Any

from nplm.cuts.columns import ReadError
from nplm.io._arrays import Column, Key
from nplm.io._hdf5_values import values_of
from nplm.io._pickled_names import pickled_names
from nplm.io._table import INDEX

_DATES = ("datetime", "timedelta")


def is_frame(group: Any) -> bool:
    """Whether pandas has written this group of an HDF5 file."""
    return "pandas_type" in group.attrs or {"axis0", "block0_items"} <= set(group)


def frame_columns(source: str, key: Key, group: Any) -> list[Column] | None:
    """The columns of a data frame or a series; None for other objects of pandas.

    Raises:
        ReadError: if the names in the file do not fit the values.
    """
    kind = _text(group.attrs.get("pandas_type", b"frame"))
    try:
        if kind in ("frame_table", "series_table"):
            return _table_layout(key, group)
        if kind == "frame":
            return _fixed_layout(source, key, group)
        if kind == "series":
            return [_series(key, group)]
    except ReadError:
        raise
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ReadError(
            f"{source}: '{'/'.join(key)}' is a data frame of pandas, but its names and values do not fit ({error});"
            " write it anew, or as Parquet"
        ) from error
    return None


def shape_of_nothing(values: Any) -> tuple[int, ...] | None:
    """The shape of an array without rows, for which pandas stores a single 0; None for any other array."""
    shape = _pickled(values.attrs.get("shape")) if "transposed" in values.attrs else None
    return None if shape is None else tuple(int(length) for length in reversed(shape))


def _fixed_layout(source: str, key: Key, group: Any) -> list[Column]:
    found: dict[str, Column] = {}
    blocks = sorted((name for name in group if name.endswith("_values")), key=len)
    for name in blocks:
        values, items = group[name], _names(source, group, name.replace("_values", "_items"))
        dtype, problem = values.dtype, _problem(values.attrs.get("value_type"))
        empty = shape_of_nothing(values)
        shape = values.shape if empty is None else empty
        if dtype.hasobject:
            problem = "text or pickled Python"
        elif len(shape) != 2 or shape[1] != len(items):
            raise ValueError(f"{name} has shape {shape}, and there are {len(items)} names")
        for j, item in enumerate(items):
            if item in found:
                raise ValueError(f"two columns are called '{item}'")
            found[item] = Column((*key, item), (*key, name), dtype, part=j, table=key, problem=problem)
    axis = _names(source, group, "axis0")
    if sorted(axis) != sorted(found):
        raise ValueError(f"the blocks hold {', '.join(found)}, and axis0 names {', '.join(axis)}")
    return [found[name] for name in axis]


def _names(source: str, group: Any, axis: str) -> list[str]:
    """The names along an axis; those of several levels are joined by dots, as those of a frame in memory."""
    if f"{axis}_level0" not in group:
        return [_text(name) for name in values_of(source, group[axis])]
    levels = sum(1 for name in group if name.startswith(f"{axis}_level"))
    texts = [[_text(name) for name in values_of(source, group[f"{axis}_level{i}"])] for i in range(levels)]
    codes = [values_of(source, group[f"{axis}_label{i}"]) for i in range(levels)]
    return [
        ".".join(part for part in (text[code] for text, code in zip(texts, row, strict=True)) if part)
        for row in zip(*codes, strict=True)
    ]


def _series(key: Key, group: Any) -> Column:
    name = group.attrs.get("name")
    path = key if name is None or _text(name) == "N." else (*key, _text(name))  # N. is a pickled None
    values = group["values"]
    return Column(path, (*key, "values"), values.dtype, problem=_problem(values.attrs.get("value_type")))


def _table_layout(key: Key, group: Any) -> list[Column]:
    table = group["table"]
    levels = _pickled(group.attrs.get("levels")) or ()
    found: dict[str, Column] = {}
    for field in table.dtype.names:
        dtype = table.dtype[field]
        if field == "index":
            found[field] = Column((*key, field), (*key, "table"), dtype, field, table=key, label=INDEX)
            continue
        names = _pickled(table.attrs.get(f"{field}_kind"))
        problem = _problem(table.attrs.get(f"{field}_dtype"), table.attrs.get(f"{field}_meta"))
        if names is None and dtype.shape:
            raise ValueError(f"the names of {field} are more than plain text")
        if names is None or not dtype.shape:
            names = (field,)
        if dtype.shape and dtype.shape != (len(names),):
            raise ValueError(f"{field} has shape {dtype.shape}, and there are {len(names)} names")
        for j, name in enumerate(names):
            part = j if dtype.shape else None
            label = INDEX if name in levels else None
            if name in found and found[name].label is None:
                raise ValueError(f"two columns are called '{name}'")
            found[name] = Column((*key, name), (*key, "table"), dtype.base, field, part, key, label, problem)
    axis = (_pickled(group.attrs.get("non_index_axes")) or ())[1:]  # the first is the number of the axis
    order = {name: place for place, name in enumerate(axis)}
    return sorted(found.values(), key=lambda column: order.get(column.path[-1], -1))


def _problem(kind: Any, meta: Any = None) -> str | None:
    """What a column holds that is stored as numbers, but is none."""
    if meta is not None and _text(meta) == "category":
        return "categories"
    text = "" if kind is None else _text(kind)
    return text if text.startswith(_DATES) else None


def _pickled(attribute: Any) -> tuple[str, ...] | None:
    """The names in an attribute; PyTables pickles whatever is no plain value."""
    return pickled_names(bytes(attribute)) if isinstance(attribute, bytes) else None


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
