"""From Arrow columns, which CSV and Parquet share, to NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from nplm.cuts.columns import LARGEST_EXACT, ReadError, Values
from nplm.cuts.lists import as_lists
from nplm.io._table import as_column, jagged, missing_and_large


def arrow_column(column: Any, source: str, name: str) -> Values:
    """A pyarrow.ChunkedArray as numbers; a missing value becomes NaN, which no feature and no weight may hold.

    Raises:
        ReadError: if the column is a list, text, a date or anything else that is not a number for each event.
    """
    import pyarrow as pa

    if is_list_type(column.type):
        column = _single(column, source, name)
    kind = column.type
    if pa.types.is_struct(kind):
        parts = ", ".join(f"{name}.{kind.field(j).name}" for j in range(kind.num_fields))
        raise ReadError(f"{source}: column '{name}' holds records, not numbers; name their parts ({parts})")
    if pa.types.is_nested(kind):
        raise jagged(source, name)
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    is_number = (
        pa.types.is_integer(plain)
        or pa.types.is_floating(plain)
        or pa.types.is_boolean(plain)
        or pa.types.is_decimal(plain)
        or pa.types.is_null(plain)
    )
    if not is_number:
        raise ReadError(
            f"{source}: column '{name}' holds {plain}, not numbers{_example(column)}; convert it, or name the"
            " features you want"
        )
    column = column.cast(plain)
    if pa.types.is_integer(plain):
        if not column.null_count:
            return as_column(column.to_numpy(), source, name)
        if _largest(column) > LARGEST_EXACT:
            raise missing_and_large(source, name)
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy())


class Together:
    """Columns that come a part at a time, of which all parts together are what `arrow_column` makes of the whole.

    Arguments:
        source: the file, for messages.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._missing: set[str] = set()
        self._large: set[str] = set()

    def column(self, column: Any, name: str) -> Values:
        """The next part of a column, a pyarrow.ChunkedArray.

        Raises:
            ReadError: as `arrow_column`; also if this part has missing values and another one integers beyond 2^53.
        """
        values = arrow_column(column, self._source, name)
        if column.null_count:
            self._missing.add(name)
        if values.dtype.kind != "f":
            self._large.add(name)
        if name in self._missing & self._large:
            raise missing_and_large(self._source, name)
        return values


def _largest(column: Any) -> int:
    import pyarrow.compute as pc

    ends = pc.min_max(column).as_py()
    return max(abs(ends[end] or 0) for end in ("min", "max"))


def is_list_type(kind: Any) -> bool:
    """Whether a column of this type has a list of values for each event."""
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def lists_or_numbers(column: Any, source: str, name: str) -> Any:
    """A column as `arrow_column` has it, or its lists of numbers as an array of awkward.

    Raises:
        ReadError: naming it, if it holds anything else, or a list is missing.
    """
    import pyarrow as pa

    if not is_list_type(column.type):
        return arrow_column(column, source, name)
    inner = column.type.value_type
    if not (pa.types.is_integer(inner) or pa.types.is_floating(inner) or pa.types.is_boolean(inner)):
        raise ReadError(f"{source}: column '{name}' holds lists of {inner}, not of numbers; name other columns")
    if column.null_count:
        raise ReadError(f"{source}: column '{name}' has {column.null_count} missing lists; drop those rows")
    import awkward as ak

    lists = ak.from_arrow(column)
    return as_lists(ak.fill_none(lists, np.nan, axis=1))


def _single(column: Any, source: str, name: str) -> Any:
    """The values of lists that have one each, as a ChunkedArray or an Array."""
    import pyarrow.compute as pc

    one_each = pc.all(pc.equal(pc.list_value_length(column), 1), min_count=0).as_py()
    if column.null_count or not one_each:
        raise jagged(source, name)
    return pc.list_flatten(column)


def _example(column: Any) -> str:
    """The first entry that is no number, to find it by."""
    for row, value in enumerate(scalar.as_py() for scalar in column):
        try:
            float(value if value is not None else "nan")
        except (TypeError, ValueError):
            return f" (row {row}: {str(value)[:40]!r})"
    return ""
