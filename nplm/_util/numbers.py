"""Arrays of real numbers: their type, and whether all are finite and not too large, without copies of their size."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

# How large features and weights may be, and one over how small the spread of a feature, or the largest weight.
LARGEST_SQUARED = 1e100
# Events that are looked at together: of ten million even one truth value each is memory that counts.
ROWS = 1 << 20


def as_floats(values: ArrayLike, what: str) -> np.ndarray:
    """A copy of the values as float64.

    Raises:
        ValueError: naming what they are, if they are no real numbers.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"its type is {array.dtype}")
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what} must be an array of real numbers: {error}") from None


def require_squares(weights: Float64[np.ndarray, "*n"], name: str) -> None:
    """Raises ValueError if float64 does not hold sums of squares of weights, which every test needs."""
    largest = float(max(weights.max(initial=0.0), -weights.min(initial=0.0)))
    if largest and not 1 / LARGEST_SQUARED <= largest <= LARGEST_SQUARED:
        raise ValueError(
            f"the weights of {name} reach {largest:g}, and the largest must lie between {1 / LARGEST_SQUARED:g} and"
            f" {LARGEST_SQUARED:g} for their squares to be numbers: multiply all by one factor"
        )


def require_finite(column: Float64[np.ndarray, " n"], what: str, name: str) -> None:
    """Raises ValueError, naming the column of the sample and its first row that is not finite."""
    bad, first = not_finite(column)
    if bad:
        raise ValueError(
            f"{what} of {name} is not finite in {bad} of {len(column)} rows (first: row {first},"
            f" value {column[first]}); remove those rows or repair the values"
        )


def not_finite(column: Float64[np.ndarray, " n"]) -> tuple[int, int]:
    """How many values are not finite, and the first row of one; -1 if there is none."""
    bad, first = 0, -1
    for start in range(0, len(column), ROWS):
        rows = np.flatnonzero(~np.isfinite(column[start : start + ROWS]))
        if len(rows) and not bad:
            first = start + int(rows[0])
        bad += len(rows)
    return bad, first
