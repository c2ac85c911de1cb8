"""What the branches of a ROOT tree and the fields of an RNTuple hold, and their values as numbers.

uproot raises errors of many kinds for types and baskets that it does not know, so any of them is taken for a branch
that cannot be read; the others are read all the same.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from nplm.cuts.columns import ReadError, Values
from nplm.cuts.lists import as_lists
from nplm.io._table import as_column, beyond_floats, jagged, missing_and_large

_RNTUPLE_NUMBERS = {"bool", "float", "double"} | {f"std::{sign}int{n}_t" for sign in ("", "u") for n in (8, 16, 32, 64)}
# A count of the values in a list, a number that may be missing, and one that threads may share.
_RNTUPLE_WRAPPERS = re.compile(r"(?:ROOT::RNTupleCardinality|std::optional|std::atomic)<(.*)>")
_COLLECTION, _RECORD = 1, 2  # roles of fields: a list (or an optional value), and a group of others

NUMBER, LISTS, OTHER, UNREADABLE, GROUP = "number", "lists of values", "no numbers", "cannot be read", "a group"


@dataclass(frozen=True)
class Branch:
    """A branch that has been looked at.

    Arguments:
        branch: of uproot.
        kind: what it holds for each event, one of the five above.
        what: its type, or why it cannot be read.
    """

    branch: Any
    kind: str
    what: str = ""


def branch_of(tree: Any, name: str) -> Branch:
    """The branch or field of a tree, and what it holds."""
    try:
        return looked_at(tree[name])
    except Exception as error:  # see above
        return Branch(None, UNREADABLE, _reason(error))


def looked_at(branch: Any) -> Branch:
    """A branch or field, and what it holds."""
    try:
        kind = _tree_kind(branch) if hasattr(branch, "interpretation") else _ntuple_kind(branch)
        return Branch(branch, kind, branch.typename)
    except Exception as error:  # see above
        return Branch(branch, UNREADABLE, _reason(error))


def _tree_kind(branch: Any) -> str:
    interpretation = branch.interpretation
    dtype = getattr(getattr(interpretation, "content", interpretation), "to_dtype", None)
    if isinstance(dtype, np.dtype) and dtype.base.kind in "biuf":
        one_each = interpretation is getattr(interpretation, "content", interpretation) and dtype.shape in ((), (1,))
        return NUMBER if one_each else LISTS
    if len(branch.branches):
        return GROUP
    return LISTS if re.search(r"\[|vector|array", branch.typename or "") else OTHER


def _ntuple_kind(field: Any) -> str:
    parents = field.path.split(".")[:-1]
    groups = [field.ntuple[".".join(parents[: i + 1])] for i in range(len(parents))]
    if any(group.record.struct_role != _RECORD for group in groups):
        return LISTS
    if field.record.struct_role == _RECORD:
        return GROUP
    typename = field.typename
    while wrapped := _RNTUPLE_WRAPPERS.fullmatch(typename):
        typename = wrapped[1].strip()
    array = re.fullmatch(r"std::array<(.*),\s*(\d+)>", typename)
    if (array[1].strip() if array and array[2] == "1" else typename) in _RNTUPLE_NUMBERS:
        return NUMBER
    return LISTS if array or field.record.struct_role == _COLLECTION else OTHER


def entry_ranges(branches: Sequence[Branch], entries: int, size: int) -> list[tuple[int | None, int | None]]:
    """First event of each part and the one after its last, about so many events at a time.

    A part ends where every branch begins another basket, as a basket is unpacked anew for any of its events; branches
    of other kinds are read at once.
    """
    if not all(branch.kind == NUMBER and hasattr(branch.branch, "entry_offsets") for branch in branches):
        return [(None, None)]
    common = set.intersection(*(set(branch.branch.entry_offsets) for branch in branches))
    ends = [0]
    for end in sorted(common):
        if end - ends[-1] >= size and end < entries:
            ends.append(end)
    return list(pairwise([*ends, entries]))


def branch_values(branch: Branch, source: str, name: str, start: int | None = None, stop: int | None = None) -> Values:
    """One number for each event, or for those in a range; NaN where it is missing.

    Raises:
        ReadError: naming the branch, if it cannot be read, or holds anything else.
    """
    if branch.kind == UNREADABLE:
        raise _unreadable(source, name, branch.what)
    if branch.kind in (OTHER, GROUP):
        what = branch.what or "other branches"
        raise ReadError(f"{source}: branch '{name}' holds {what}, not numbers; name the features you want")
    plain = branch.kind == NUMBER and hasattr(branch.branch, "interpretation")
    try:
        # uproot would keep a hundred megabytes of what is read here once.
        options = {"library": "np", "array_cache": None} if plain else {"library": "ak"}
        values = branch.branch.array(entry_start=start, entry_stop=stop, **options)
        numbers = values if plain else numbers_of(values, source, name)
    except ReadError:
        raise
    except Exception as error:  # see above
        raise _unreadable(source, name, _reason(error)) from error
    return as_column(numbers.reshape(len(numbers)), source, name)


def branch_part(branch: Branch, source: str, name: str, start: int, stop: int) -> Any:
    """The numbers of some events, or their lists of numbers.

    Raises:
        ReadError: naming the branch, if it cannot be read, or holds anything else.
    """
    if branch.kind not in (NUMBER, LISTS):
        return branch_values(branch, source, name)
    try:
        values = branch.branch.array(entry_start=start, entry_stop=stop, library="ak")
        return as_lists(values) if has_lists(values) else as_column(numbers_of(values, source, name), source, name)
    except ReadError:
        raise
    except Exception as error:  # see above
        raise _unreadable(source, name, _reason(error)) from error


def has_lists(values: Any) -> bool:
    """Whether an awkward array has lists, other than of one value for each event."""
    import awkward as ak

    return bool(values.ndim > 1 and not ak.all(ak.num(values, axis=1) == 1))


def numbers_of(values: Any, source: str, name: str) -> np.ndarray:
    """The numbers of an awkward array, NaN where one is missing; lists of one value are that value.

    Raises:
        ReadError: naming the column, if it has other lists, or missing values beside integers beyond 2^53.
    """
    import awkward as ak

    if values.ndim == 2 and bool(ak.all(ak.num(values, axis=1) == 1)):
        values = values[:, 0]
    if values.ndim != 1:
        raise jagged(source, name)
    if bool(ak.any(ak.is_none(values))):
        if beyond_floats(ak.to_numpy(ak.drop_none(values))):
            raise missing_and_large(source, name)
        values = ak.fill_none(ak.values_astype(values, np.float64), np.nan)
    return np.asarray(ak.to_numpy(ak.drop_none(values)))


def _unreadable(source: str, name: str, reason: str) -> ReadError:
    return ReadError(
        f"{source}: branch '{name}' cannot be read as numbers ({reason}); name other features, if the file is complete"
    )


def _reason(error: Exception) -> str:
    text = str(error).strip()
    return (text.splitlines() or [type(error).__name__])[0][:200]
