"""Rows that come a part at a time, in one array from the first: parts that wait to be joined take twice the memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

# By how much an array grows that was too small for what came.
_GROWTH = 1.25


class Filling:
    """An array of some columns whose rows come a part at a time.

    Arguments:
        columns: how many there are.
        expected: rows there may be, if that is known; memory that is not filled is given back.
        dtype: of the values.
    """

    def __init__(self, columns: int, expected: int | None = None, dtype: Any = np.float64) -> None:
        self._array = np.empty((expected or 0, columns), dtype)
        self._filled = 0

    def __len__(self) -> int:
        return self._filled

    def add(self, columns: Sequence[np.ndarray], rows: int) -> None:
        """Adds so many rows, of which these are the values in each column."""
        after = self._filled + rows
        if after > len(self._array):
            # In place, where the system moves pages and copies nothing; nobody else has seen the array so far.
            grown = max(after, int(_GROWTH * len(self._array)))
            self._array.resize((grown, self._array.shape[1]), refcheck=False)
        for j, values in enumerate(columns):
            self._array[self._filled : after, j] = values
        self._filled = after

    def table(self) -> np.ndarray:
        """All rows, shape (n, columns); none can be added any more."""
        array, self._array = self._array, np.empty((0, self._array.shape[1]), self._array.dtype)
        array.resize((self._filled, array.shape[1]), refcheck=False)
        return array

    def column(self) -> np.ndarray:
        """The same where there is one column, shape (n,)."""
        return self.table().reshape(-1)
