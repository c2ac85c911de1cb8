"""The events of two samples in the order of their pool, made as they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from nplm.data.sample import Sample
from nplm.data.scaler import Scaler


@dataclass(frozen=True, eq=False)
class PooledEvents:
    """Standardized events, of which rows and columns are read as those of an array.

    Of ten million events they are as large as the samples, which are in memory already: an array of them is made only
    where all of it is needed.

    Arguments:
        a, b: the samples.
        order: row of each event in A followed by B, shape (n,).
        scaler: of the standardization.
    """

    a: Sample
    b: Sample
    order: Int64[np.ndarray, " n"]
    scaler: Scaler

    def __len__(self) -> int:
        return len(self.order)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of events and of features."""
        return len(self.order), self.a.dimension

    @property
    def T(self) -> Iterator[Float64[np.ndarray, " n"]]:  # noqa: N802  # as of an array
        """One feature after the other."""
        return (self[:, j] for j in range(self.a.dimension))

    def __getitem__(self, key: Any) -> np.ndarray:
        """The events at some rows, shape (m, d), or with a feature's number after them its values, shape (m,)."""
        rows, column = key if isinstance(key, tuple) else (key, slice(None))
        place = self.order[rows]
        in_a = place < len(self.a)
        found = np.empty(len(place) if isinstance(column, int) else (len(place), self.a.dimension))
        found[in_a] = self.a.events[place[in_a], column]
        found[~in_a] = self.b.events[place[~in_a] - len(self.a), column]
        found -= self.scaler.location[column]
        found /= self.scaler.scale[column]
        return found

    def array(self) -> Float64[np.ndarray, "n d"]:
        """All of them."""
        found = np.empty(self.shape)
        for j, column in enumerate(self.T):
            found[:, j] = column
        return found
