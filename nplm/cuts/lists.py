"""Columns with a list of values for each event: elements, and what makes one number of a list.

Lists are arrays of awkward, which is imported only where there are such columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64

from nplm.cuts.columns import ReadError


class MissingError(ReadError):
    """An element that some events do not have.

    Arguments:
        text: the element, as it was written.
        missing, events: how many events lack it, and of how many.
    """

    def __init__(self, text: str, missing: int, events: int) -> None:
        self.text, self.missing, self.events = text, missing, events
        super().__init__(
            f"{text} is missing in {missing:,} of {events:,} events, whose lists are too short: cut on their lengths,"
            " as len(NAME) > 0, or give a default, as get(NAME, 0, -1)"
        )


def is_list(values: Any) -> bool:
    """Whether a column has a list of values for each event."""
    return not isinstance(values, np.ndarray | np.generic | float | int)


def as_lists(values: Any) -> Any:
    """Lists of numbers as float64; a matrix, which has as many values for each event, as lists too."""
    try:
        import awkward as ak
    except ImportError as error:
        raise ReadError(f'columns of lists need awkward: pip install "nplm-jax[root]" ({error})') from error
    return ak.values_astype(ak.from_regular(ak.Array(values), axis=None), np.float64)


def element(values: Any, index: int) -> tuple[Float64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """The element of each list, NaN where there is none, and where that is; negative numbers count from the end."""
    import awkward as ak

    lengths = ak.to_numpy(ak.num(values, axis=1))
    there = lengths > index if index >= 0 else lengths >= -index
    found = np.full(len(lengths), np.nan)
    found[there] = ak.to_numpy(values[there][:, index])
    return found, ~there


def same_lengths(one: Any, other: Any) -> bool:
    """Whether lists of two columns have as many values in each event.

    awkward takes elements by a mask of fewer values without a word.
    """
    import awkward as ak

    return bool(ak.all(ak.num(one, axis=1) == ak.num(other, axis=1)))


def length(values: Any) -> Float64[np.ndarray, " n"]:
    """How many values each event has."""
    import awkward as ak

    return np.asarray(ak.to_numpy(ak.num(values, axis=1)), dtype=np.float64)


def total(values: Any) -> Float64[np.ndarray, " n"]:
    """The sum of each list; 0 of an empty one."""
    import awkward as ak

    return np.asarray(ak.to_numpy(ak.sum(values, axis=1)), dtype=np.float64)


def extreme(function: str) -> Callable[[Any], tuple[Float64[np.ndarray, " n"], Bool[np.ndarray, " n"]]]:
    """The "min", "max" or "mean" of each list, NaN of an empty one, and which are empty."""

    def of(values: Any) -> tuple[Float64[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
        import awkward as ak

        empty = ak.to_numpy(ak.num(values, axis=1)) == 0
        reduced = getattr(ak, function)(values, axis=1)
        return np.asarray(ak.to_numpy(ak.fill_none(reduced, np.nan)), dtype=np.float64), empty

    return of


def anywhere(truth: Any, function: str) -> Bool[np.ndarray, " n"]:
    """Whether "any" or "all" elements of each list are true."""
    import awkward as ak

    return np.asarray(ak.to_numpy(getattr(ak, function)(truth, axis=1)), dtype=bool)
