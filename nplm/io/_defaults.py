"""Which columns are features where nobody names them, and how it is said what is left out."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import Float64

from nplm.cuts.columns import Values, listed
from nplm.data.sample import Sample

# What data frames call the numbers of their rows where they become a column of a file.
_NAME = re.compile(r"(.*[/.])?(index|level_\d+|Unnamed: \d+|__index_level_\d+__)", re.DOTALL)
ROW_NUMBERS = "row numbers"
# Fewer whole numbers than these may well be all different.
_FEWEST_NUMBERS = 20


def may_number_rows(name: str) -> bool:
    """Whether a column has a name that data frames give to the numbers of their rows."""
    return _NAME.fullmatch(name) is not None


def number_rows(values: Values) -> bool:
    """Whether the values count up from row to row, if with gaps, as after a cut, or from 0 again, as in merged files.

    So do many that are all different, as after rows were shuffled. Two samples of one distribution differ in them as
    soon as they have different numbers of events.
    """
    if not (np.all(values >= 0) and np.all(values == np.floor(values))):
        return False
    before, after = values[:-1], values[1:]
    counts_on = (after > before) | ((after == 0) & (before > 0))
    shuffled = len(values) >= _FEWEST_NUMBERS and len(np.unique(values)) == len(values)
    return bool(np.all(counts_on)) or shuffled


def numbers_events(values: Float64[np.ndarray, " n"]) -> bool:
    """Whether a feature looks like the number of the event: whole numbers, all different, that count up (or down) from
    row to row, or are evenly spaced if they are put in order."""
    if len(values) < _FEWEST_NUMBERS or not all(np.all(v == np.floor(v)) for v in (values[:_FEWEST_NUMBERS], values)):
        return False
    steps = np.diff(values)
    if np.all(steps > 0) or np.all(steps < 0):
        return True
    in_order = np.diff(np.sort(values))
    return bool(in_order[0] > 0 and np.all(in_order == in_order[0]))


def what_numbers_events(sample: Sample) -> str:
    """One line on features that look like numbers of events; empty if there are none."""
    names = [name for name, values in zip(sample.features, sample.events.T, strict=True) if numbers_events(values)]
    if not names:
        return ""
    numbers = "numbers" if len(names) > 1 else "a number"
    return (
        f"{sample.name}: {listed(names, 10)}, among the features, may be {numbers} of the event or row, as the values"
        " are whole, all different and in a row: two samples differ in such numbers whatever their events are. If so,"
        " name the features without"
    )


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
