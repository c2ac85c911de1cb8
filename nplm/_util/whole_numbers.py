"""Numbers of things: toys, bins, centres."""

from __future__ import annotations

import operator

# Toys of one run: their numbers are listed.
MOST_TOYS = 10_000_000


def require_whole(value: int, what: str) -> int:
    """The value as an int.

    Raises:
        ValueError: saying what it should have been the number of, if it is no whole number, such as NaN.
    """
    try:
        return operator.index(value)
    except TypeError:
        raise ValueError(f"the number of {what} must be a whole number, not {value!r}") from None


def require_few(toys: int) -> int:
    """The number of toys of a run.

    Raises:
        ValueError: if there are more than a run lists.
    """
    if toys > MOST_TOYS:
        raise ValueError(f"{toys:,} toys in one run are more than {MOST_TOYS:,}: take fewer")
    return toys
