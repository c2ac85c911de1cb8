"""Which columns are features where nobody names them, and how it is said what is left out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping

import numpy as np

from nplm.io._table import Values, listed

# What data frames call the numbers of their rows where they become a column of a file.
_NAME = re.compile(r"(.*[/.])?(index|level_\d+|Unnamed: \d+|__index_level_\d+__)", re.DOTALL)
ROW_NUMBERS = "row numbers"


def may_number_rows(name: str) -> bool:
    """Whether a column has a name that data frames give to the numbers of their rows."""
    return _NAME.fullmatch(name) is not None


def number_rows(values: Values) -> bool:
    """Whether the values count up from row to row, if with gaps, as after a cut, or from 0 again, as in merged files.

    Two samples of one distribution differ in them as soon as they have different numbers of events.
    """
    before, after = values[:-1], values[1:]
    counts_on = (after > before) | ((after == 0) & (before > 0))
    return bool(np.all(values >= 0) and np.all(values == np.floor(values)) and np.all(counts_on))


def what_is_left_out(source: str, left_out: Mapping[str, str]) -> str:
    """One line on the columns that are no features by default, each with what it is; empty if there are none."""
    kinds: dict[str, list[str]] = {}
    for name, kind in left_out.items():
        kinds.setdefault(kind, []).append(name)
    parts = [f"{listed(names, 10)} ({kind})" for kind, names in kinds.items()]
    return f"{source}: not among the features: {'; '.join(parts)}. To choose, name the features" if parts else ""


def say(message: str, notify: Callable[[str], None] | None) -> None:
    """Hands a message to who asked for them; as a warning, where nobody did."""
    if notify is not None:
        notify(message)
    else:
        warnings.warn(message, stacklevel=3)
