"""Toys drawn from a pool: phi of the pool's events is computed once, and the sums of a toy are sums of its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from weakref import WeakKeyDictionary

import numpy as np
from jaxtyping import Float64
from scipy.sparse import csr_array

from nplm.data.sample import Sample

# phi of a pool is held if it fills at most so many bytes.
_HELD_BYTES = 2 << 30
# It is computed once toys of one batch have drawn as many events as this share of the pool holds.
_WORTHWHILE = 0.25


class Pools:
    """phi of the pools that toys were drawn from; each is forgotten with its pool, and none is pickled.

    Arguments:
        phi: the modes at events in the units of the reference, shape (n, r).
        modes: r.
    """

    def __init__(self, phi: Callable[[Float64[np.ndarray, "n d"]], Float64[np.ndarray, "n r"]], modes: int) -> None:
        self._phi = phi
        self._modes = modes
        self._held: WeakKeyDictionary[Sample, Float64[np.ndarray, "_ r"]] = WeakKeyDictionary()

    def __reduce__(self) -> tuple[type[Pools], tuple[Callable, int]]:
        return Pools, (self._phi, self._modes)

    def hold(self, pool: Sample, phi: Float64[np.ndarray, "n r"]) -> None:
        """Takes phi of a pool that is known already."""
        self._held[pool] = phi

    def sums(self, data: Sequence[Sample]) -> list[Float64[np.ndarray, " r"] | None]:
        """sum_D v phi of each sample; None where a sample does not come from pools that are worth their memory."""
        known = self._known(data)
        return [self._sum(sample, known) for sample in data]

    def rows_of(self, data: Sequence[Sample]) -> list[Float64[np.ndarray, "_ r"]]:
        """phi at the events of each sample."""
        known = self._known(data)
        return [
            np.concatenate([known[pool][rows] for pool, rows in sample.drawn])
            if _all_known(sample, known)
            else self._phi(sample.events)
            for sample in data
        ]

    def _known(self, data: Sequence[Sample]) -> dict[Sample, Float64[np.ndarray, "_ r"]]:
        """phi of the pools that are worth their memory."""
        events: Counter[Sample] = Counter()
        for sample in data:
            for pool, rows in sample.drawn:
                events[pool] += len(rows)
        return {pool: phi for pool, count in events.items() if (phi := self._features(pool, count)) is not None}

    def _features(self, pool: Sample, drawn: int) -> Float64[np.ndarray, "n r"] | None:
        fits = len(pool) * self._modes * 8 <= _HELD_BYTES
        if pool not in self._held and fits and drawn >= _WORTHWHILE * len(pool):
            self._held[pool] = self._phi(pool.events)
        return self._held.get(pool)

    def _sum(
        self, sample: Sample, known: Mapping[Sample, Float64[np.ndarray, "_ r"]]
    ) -> Float64[np.ndarray, " r"] | None:
        if not _all_known(sample, known):
            return None
        total = np.zeros(self._modes)
        start = 0
        for pool, rows in sample.drawn:
            stop = start + len(rows)
            # One row of a sparse matrix: the product sums the pool's rows without copying them.
            counts = csr_array((sample.weights[start:stop], rows, [0, len(rows)]), shape=(1, len(pool)))
            total += (counts @ known[pool])[0]
            start = stop
        return total


def _all_known(sample: Sample, known: Mapping[Sample, Float64[np.ndarray, "_ r"]]) -> bool:
    return bool(sample.drawn) and all(pool in known for pool, _ in sample.drawn)
