"""Intervals of one feature, looked at one at a time: more or fewer events than expected, as bump hunts count them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.special import log_ndtr, ndtri_exp, xlogy

from nplm.family.draws import Draws
from nplm.family.ranks import CELL, Cells

# Intervals that hold less than this mass, or more than this share of all, are left out.
LEAST_MASS, LARGEST_SHARE = 4.0, 0.5
# Gaussian draws that say how many intervals are independent, for each feature.
_DRAWS = 400
_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Intervals:
    """Runs of cells of one feature, of several lengths.

    In an interval B has k masses where A lets e = rho n_A be expected, with n_A = (sum m)^2 / sum m^2 the effective
    number of A's events there and rho = q / (1 - q) sum m^2 / sum m. Given k + n_A, k is binomial with the share
    rho / (1 + rho); its signed root of the deviance, with half an event taken off, is compared with a normal law.

    Arguments:
        feature: its number.
        cell: of each event on the grid, shape (n,).
        cells: of the grid.
        grid: of normal scores.
        start, stop: first cell, and that after the last, of each interval, shape (i,).
        share: rho / (1 + rho), shape (i,).
        unit: sum m^2 / sum m of A in each interval, shape (i,).
        mass_a, mass_b: of both samples in each cell, shape (cells,).
        variance: null variance of the score in each cell, shape (cells,).
        circular: whether the first cell follows the last.
    """

    feature: int
    cell: Int64[np.ndarray, " n"]
    cells: int
    grid: Cells
    start: Int64[np.ndarray, " i"]
    stop: Int64[np.ndarray, " i"]
    share: Float64[np.ndarray, " i"]
    unit: Float64[np.ndarray, " i"]
    mass_a: Float64[np.ndarray, " cells"]
    mass_b: Float64[np.ndarray, " cells"]
    variance: Float64[np.ndarray, " cells"]
    circular: bool

    @classmethod
    def of(
        cls,
        feature: int,
        z: Float64[np.ndarray, " n"],
        masses: Float64[np.ndarray, " n"],
        in_b: np.ndarray,
        second: Float64[np.ndarray, " n"],
        q: float,
        lengths: Sequence[int],
        unit_a: Float64[np.ndarray, " n"] | None,
        circular: bool,
    ) -> Intervals | None:
        """All intervals that hold enough; None if there is none."""
        cells = Cells.of(z, CELL)
        cell = cells.place[cells.of_event] - cells.place[0]
        grid = int(cells.place[-1] - cells.place[0]) + 1
        between = partial(_between, circular=circular)
        mass_a = np.bincount(cell, masses * ~in_b, grid)
        mass_b = np.bincount(cell, masses * in_b, grid)
        variance = np.bincount(cell, second, grid)
        # The unit is that of A's masses nearby, or where labels may be exchanged, and must not tell, of all masses.
        weights, units = (masses, masses) if unit_a is None else (np.abs(masses), unit_a)
        firsts, squares = np.bincount(cell, weights, grid), np.bincount(cell, weights * units, grid)
        # On a circle an interval may begin before the cut and end behind it.
        last = [max(grid if circular else grid - n, 0) * (n < grid) for n in lengths]
        start = np.concatenate([np.arange(k) for k in last])
        stop = np.concatenate([np.arange(k) + n for k, n in zip(last, lengths, strict=True)])
        total = float(masses.sum())
        held = between(mass_a + mass_b, start, stop)
        first = between(firsts, start, stop)
        good = (held >= LEAST_MASS) & (held <= LARGEST_SHARE * total) & (first > 0)
        if not good.any():
            return None
        # Intervals that differ by empty cells only are one.
        filled = np.concatenate([[0], np.cumsum(np.tile(variance > 0, 1 + circular))])
        _, once = np.unique(np.column_stack([filled[start], filled[stop]])[good], axis=0, return_index=True)
        chosen = np.flatnonzero(good)[np.sort(once)]
        start, stop = start[chosen], stop[chosen]
        unit = between(squares, start, stop) / first[chosen]
        rho = q / (1 - q) * unit
        if unit_a is None:
            rho = np.full(len(start), q / (1 - q))
        return cls(feature, cell, grid, cells, start, stop, rho / (1 + rho), unit, mass_a, mass_b, variance, circular)

    def of_expected(self, share: float) -> Intervals:
        """The same intervals, where B has what A lets be expected, with this share of the masses."""
        return replace(self, mass_b=share / (1 - share) * self.mass_a)

    def of_window(self, z: Float64[np.ndarray, " m"], share: float) -> Intervals:
        """The same intervals of another B, whose events have mass one, with this share of the masses."""
        mass_b = np.bincount(self.grid.grid_place(z), minlength=self.cells).astype(np.float64)
        rho = share / (1 - share) * self.unit
        return replace(self, mass_b=mass_b, share=rho / (1 + rho))

    def observed(self) -> Float64[np.ndarray, " i"]:
        """Signed roots of the deviance of the samples as they are."""
        return self._roots(self.mass_a[None], self.mass_b[None])[0]

    def best(self) -> tuple[int, int, float, float, float]:
        """First cell and that after the last of the interval of largest root, its root, B's mass and what A expects."""
        roots = self.observed()
        i = int(np.argmax(np.abs(roots)))
        start, stop = int(self.start[i]), int(self.stop[i])
        inside = self._cells_of(i)
        mass_a, mass_b = self.mass_a[inside].sum(), self.mass_b[inside].sum()
        rho = self.share[i] / (1 - self.share[i])
        return start, stop, float(roots[i]), float(mass_b), float(rho * max(mass_a, 0.0) / self.unit[i])

    def holds(self, start: int, stop: int) -> Bool[np.ndarray, " n"]:
        """Which events are in the cells from `start` to before `stop`."""
        return np.asarray((self.cell - start) % (self.cells if self.circular else 2**62) < stop - start)

    def _cells_of(self, i: int) -> Int64[np.ndarray, " k"]:
        return np.arange(self.start[i], self.stop[i]) % self.cells

    def _sums(self, values: np.ndarray) -> np.ndarray:
        return _between(values, self.start, self.stop, circular=self.circular)

    def largest(self, draws: Draws, q: float) -> Float64[np.ndarray, " L"]:
        """Largest absolute root in each of L pairs of samples."""
        measure = draws.summed(self.cell, self.cells)
        together = self.mass_a + self.mass_b
        # y = (1 - q) B - q A and A + B as observed; where weights differ so that A + B is not known, about it.
        mass_b = measure + q * together
        return np.abs(self._roots(together - mass_b, mass_b)).max(axis=1)

    def cell_modes(self, rows: Int64[np.ndarray, " k"]) -> Float64[np.ndarray, "k cells"]:
        """For some events, one in their cell and zero elsewhere, such that the score of a cell has variance one."""
        modes = np.zeros((len(rows), self.cells))
        cell = self.cell[rows]
        modes[np.arange(len(rows)), cell] = 1 / np.sqrt(np.maximum(self.variance[cell], _TINY))
        return modes

    def largest_normal(self, scores: Float64[np.ndarray, "m cells"]) -> Float64[np.ndarray, " m"]:
        """Largest absolute normal score of an interval, from scores of the cells of variance one."""
        sums = self._sums(scores * np.sqrt(np.maximum(self.variance, 0.0)))
        return np.asarray(np.abs(sums / np.sqrt(np.maximum(self._sums(self.variance), _TINY))).max(axis=1))

    def log_tail(self, root: float, seed: int) -> float:
        """log P(any root exceeds in absolute value), for roots of normal scores.

        P = sum_i P(A_i) E[1 / S given A_i], S the number of intervals that exceed (A. B. Owen, Y. Maximov and M.
        Chertkov, Electron. J. Stat. 13 (2019) 231): the intervals of a draw are sums of its cells, and one of them is
        lifted beyond the threshold.
        """
        rng = np.random.default_rng([seed, 0x77696E])
        spread = np.sqrt(np.maximum(self.variance, 0.0))
        increments = rng.standard_normal((_DRAWS, self.cells)) * spread
        held = np.maximum(self._sums(self.variance), _TINY)
        lifted = rng.integers(len(self.start), size=_DRAWS)
        # |Y| given |Y| > root, for a normal Y.
        log_u = np.log(rng.random(_DRAWS)) + log_ndtr(-root)
        target = -ndtri_exp(log_u)
        for row, i in enumerate(lifted):
            inside = self._cells_of(i)
            now = increments[row, inside].sum()
            increments[row, inside] += (target[row] * np.sqrt(held[i]) - now) * self.variance[inside] / held[i]
        scores = self._sums(increments) / np.sqrt(held)
        number = np.maximum((np.abs(scores) >= root * (1 - 1e-12)).sum(axis=1), 1)
        return float(np.log(2 * len(self.start)) + log_ndtr(-root) + np.log((1 / number).mean()))

    def _roots(self, mass_a: np.ndarray, mass_b: np.ndarray) -> Float64[np.ndarray, "L i"]:
        """Signed roots of the binomial deviance, half an event nearer to what is expected."""
        k = np.maximum(self._sums(mass_b), 0.0)
        other = np.maximum(self._sums(mass_a) / self.unit, 0.0)
        n = k + other
        mean = n * self.share
        nearer = np.where(k > mean, np.maximum(k - 0.5, mean), np.minimum(k + 0.5, mean))
        rest = n - nearer
        with np.errstate(divide="ignore", invalid="ignore"):
            deviance = xlogy(nearer, nearer / mean) + xlogy(rest, rest / (n - mean))
        return np.sign(nearer - mean) * np.sqrt(2 * np.maximum(np.where(n > 0, deviance, 0.0), 0.0))


def largest_root(intervals: Sequence[Intervals]) -> Float64[np.ndarray, " one"] | None:
    """The largest root of the samples as they are, in absolute value; None without an interval."""
    return np.array([max(np.abs(each.observed()).max() for each in intervals)]) if intervals else None


def standing_out(intervals: Sequence[Intervals], feature: int) -> Bool[np.ndarray, " n"] | None:
    """Which events are in the interval of a feature that stands out most; None without intervals."""
    for interval in intervals:
        if interval.feature == feature:
            start, stop, *_ = interval.best()
            return interval.holds(start, stop)
    return None


def log_p_of_root(root: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n"]:
    """Two-sided log p of a root of the deviance."""
    return np.minimum(np.log(2.0) + log_ndtr(-np.abs(root)), 0.0)


def _between(values: np.ndarray, start: np.ndarray, stop: np.ndarray, *, circular: bool) -> np.ndarray:
    """Sums over cells from `start` to `stop`, along the last axis, on a circle with the first cell behind the last."""
    values = np.concatenate([values, values], axis=-1) if circular else values
    total = np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1)], axis=-1)
    return np.asarray(total[..., stop] - total[..., start])
