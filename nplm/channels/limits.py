"""Upper limits on a signal in one region, by CLs, with an uncertain background."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64, Int64
from scipy.special import gammaincc, roots_legendre

from nplm.channels.table import RegionTable

_NODES, _REACH, _HALVINGS = 96, 7.0, 45


@dataclass(frozen=True, eq=False)
class UpperLimits:
    """The signal s of a region with CLs = P(N <= n; b + s) / P(N <= n; b) = level, its b normal and cut off at zero.

    Arguments:
        table: the regions; their counts do not matter.
        level: 0.05 for limits at 95% confidence level (A. L. Read, J. Phys. G 28 (2002) 2693).
    """

    table: RegionTable
    level: float = 0.05
    _known: dict[tuple[int, int], float] = field(default_factory=dict, repr=False)

    def of(self, rows: Int64[np.ndarray, " k"], observed: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, " k"]:
        """The limits of some regions for given counts, shape (k,); each is computed once."""
        keys = [(int(row), int(n)) for row, n in zip(rows, observed, strict=True)]
        new = sorted({key for key in keys if key not in self._known})
        if new:
            at, n = (np.array(each, dtype=np.int64) for each in zip(*new, strict=True))
            self._known.update(zip(new, self._solve(at, n.astype(np.float64)).tolist(), strict=True))
        return np.array([self._known[key] for key in keys])

    def _solve(self, rows: np.ndarray, n: np.ndarray) -> np.ndarray:
        b0, error = self.table.expected[rows], np.maximum(self.table.error[rows], 1e-9)
        nodes, weights = roots_legendre(_NODES)
        low, high = np.maximum(b0 - _REACH * error, 0.0), b0 + _REACH * error
        b = low[:, None] + (high - low)[:, None] * (nodes + 1) / 2
        share = weights * np.exp(-(((b - b0[:, None]) / error[:, None]) ** 2) / 2)

        def below(s: np.ndarray) -> np.ndarray:
            return (share * gammaincc(n[:, None] + 1, b + s[:, None])).sum(axis=1)

        wanted = self.level * below(np.zeros(len(n)))
        top = 4 + n + 4 * np.sqrt(n + 1 + error**2)
        while (short := below(top) > wanted).any():
            top = np.where(short, 2 * top, top)
        bottom = np.zeros(len(n))
        for _ in range(_HALVINGS):
            middle = (bottom + top) / 2
            above = below(middle) > wanted
            bottom, top = np.where(above, middle, bottom), np.where(above, top, middle)
        return (bottom + top) / 2
