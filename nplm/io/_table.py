"""What every file format offers: named columns, read only when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from nplm.cuts.columns import LARGEST_EXACT, ReadError, Values

# What labels the rows of a data frame, and so is no feature.
INDEX = "the index of a data frame"


@dataclass(frozen=True)
class Options:
    """What the user allows and chooses, for the formats that care."""

    tree: str | None = None
    allow_external_links: bool = False


@dataclass(frozen=True)
class Table:
    """An open file, seen as columns.

    Arguments:
        columns: every column, in the order of the file.
        read: the columns with the given names, as float64 arrays, or integers if some lie beyond 2^53; nothing else is
            read.
        features: the columns that are features when the user names none.
        aliases: further names of columns, such as 'group/column' for 'column'.
        left_out: what the file holds beside these features, each with what it is.
        several: why the user must choose the features; empty if there is a default.
        lists: columns with a list of numbers for each event, which expressions may be about.
        parts: the columns with the given names, lists as arrays of awkward, so many events at a time; None if all are
            read at once.
        stream: what `read` gives, so many events at a time; None if it is all read at once.
        rows: how many events there are, if the file says so before they are read.
        remark: what a reader of the file should know.
    """

    columns: tuple[str, ...]
    read: Callable[[Sequence[str]], dict[str, Values]]
    features: tuple[str, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    several: str = ""
    lists: tuple[str, ...] = ()
    parts: Callable[[Sequence[str], int], Iterator[dict[str, Any]]] | None = None
    stream: Callable[[Sequence[str], int], Iterator[dict[str, Any]]] | None = None
    rows: int | None = None
    remark: str = ""


class OpenTable(Protocol):
    """A file format: opens `source` for as long as the `with` block lasts."""

    def __call__(self, source: str, options: Options) -> AbstractContextManager[Table]: ...


def as_column(values: np.ndarray, source: str, name: str) -> Values:
    """The values as native float64, or as integers if it would round some; without a copy where that is possible."""
    require_numeric(values.dtype, source, name)
    if values.ndim != 1:
        raise ReadError(f"{source}: column '{name}' has shape {values.shape}; a column has one number for each event")
    exact = values.dtype.newbyteorder("=") if beyond_floats(values) else np.float64
    return np.asarray(values, dtype=exact)


def beyond_floats(values: np.ndarray) -> bool:
    """Whether the values are integers of which float64 would round some."""
    if values.dtype.kind not in "iu" or values.dtype.itemsize < 8 or values.size == 0:
        return False
    return max(abs(int(values.min())), abs(int(values.max()))) > LARGEST_EXACT


def require_numeric(dtype: np.dtype[np.generic], source: str, name: str) -> None:
    """Raises ReadError, naming the column, unless numbers of this type can become float64."""
    if dtype.hasobject:
        raise ReadError(
            f"{source}: column '{name}' is an object array (text, jagged rows or pickled Python), which is never"
            " loaded; save it as plain numbers, or name other features"
        )
    if dtype.shape:
        raise jagged(source, name)
    if dtype.kind not in "biuf":
        raise ReadError(
            f"{source}: column '{name}' holds {dtype.name}, not numbers; convert it, or name the features you want"
        )


def missing_and_large(source: str, name: str) -> ReadError:
    """The error for a column that neither integers nor float64 can hold."""
    return ReadError(
        f"{source}: column '{name}' has missing values beside integers beyond 2^53, which float64 would round; fill"
        " them with a number"
    )


def jagged(source: str, name: str) -> ReadError:
    """The error for a column with several values in one event."""
    return ReadError(
        f"{source}: column '{name}' is jagged (a list of values for each event); make one number of it, as {name}[0],"
        f" len({name}) or max({name}), or name other features"
    )


def require_distinct(names: Sequence[str], source: str) -> None:
    """Raises ReadError, naming the column, if two columns have the same name."""
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ReadError(f"{source}: more than one column is called '{repeated[0]}'; rename one of them")


@contextmanager
def decoding(source: str, kind: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turns what a third-party decoder raises on a damaged file into a ReadError that names the file."""
    try:
        yield
    except ReadError:
        raise
    except MemoryError as error:
        raise ReadError(
            f"{source} cannot be read as {kind}: it claims more values than the memory here holds; is it complete? If"
            " so, keep fewer columns or events"
        ) from error
    except errors as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ReadError(f"{source} cannot be read as {kind}: {reason}; is it complete, and is it {kind}?") from error
