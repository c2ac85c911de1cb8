"""Numbers of things: toys, bins, centres."""

from __future__ import annotations

import operator


def require_whole(value: int, what: str) -> int:
    """The value as an int.

    Raises:
        ValueError: saying what it should have been the number of, if it is no whole number, such as NaN.
    """
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(f"the number of {what} must be a whole number, not {value!r}") from None
