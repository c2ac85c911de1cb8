"""Intervals of one feature, looked at one at a time: more or fewer events than expected, as bump hunts count them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.special import log_ndtr, ndtri_exp, xlogy

from nplm.family.draws import Draws
from nplm.family.ranks import Cells
from nplm.family.settings import FamilySettings

# Intervals that hold less than this mass, or more than this share of all, are left out.
LEAST_MASS, LARGEST_SHARE = 4.0, 0.5
# Gaussian draws that say how many intervals are independent, for each feature.
_DRAWS = 400
_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Intervals:
    """Weighted sums over cells of one feature: boxes and humps of several lengths, or all that is beyond a cell.

    In an interval whose cells have the weights v, B has k = sum v m / u_B effective events, u_B = sum v^2 m^2 / sum v m
    over its events, and A has n_A of them in the same way; rho n_A are expected, rho = q / (1 - q) u_A / u_B. Given
    k + n_A, k is binomial with the share rho / (1 + rho); its signed root of the deviance, with half an event taken
    off, is compared with a normal distribution. On a flat background the best hump (1 - x^2, x from -1 to 1) gives a
    Gaussian peak a Z-score that is 5% larger than the best box does; the box is right for a hole with edges.

    Arguments:
        feature: its number.
        grid: cells of the events, among which those that hold none count too.
        start, stop: first cell, and that after the last, of each interval, shape (i,).
        weights: v of each cell in each interval, shape (i, cells).
        unit_a, unit_b: u in each interval, shape (i,).
        ratio: q / (1 - q).
        mass_a, mass_b: of both samples in each cell, shape (cells,).
        variance: null variance of the score in each cell, shape (cells,).
        circular: whether the first cell follows the last.
    """

    feature: int
    grid: Cells
    start: Int64[np.ndarray, " i"]
    stop: Int64[np.ndarray, " i"]
    weights: Float64[np.ndarray, "i cells"]
    unit_a: Float64[np.ndarray, " i"]
    unit_b: Float64[np.ndarray, " i"]
    ratio: float
    mass_a: Float64[np.ndarray, " cells"]
    mass_b: Float64[np.ndarray, " cells"]
    variance: Float64[np.ndarray, " cells"]
    circular: bool

    @classmethod
    def of(
        cls,
        feature: int,
        cells: Cells,
        masses: Float64[np.ndarray, " n"],
        in_b: np.ndarray,
        second: Float64[np.ndarray, " n"],
        q: float,
        settings: FamilySettings,
        units: tuple[np.ndarray, np.ndarray] | None,
        circular: bool,
    ) -> Intervals | None:
        """All intervals of a feature that hold enough; None if there is none.

        Arguments:
            feature: its number.
            cells: of the events.
            masses, in_b: of the events.
            second: what each adds to the null variance of a score.
            q: share of the masses that B has.
            settings: which intervals there are.
            units: what an event of B, and one of A, counts at each event; None where labels may be exchanged, and the
                mass of an event must not tell which sample it is from.
            circular: whether the feature is an angle.
        """
        mass_a, mass_b = cells.on_grid(masses * ~in_b), cells.on_grid(masses * in_b)
        variance = cells.on_grid(second)
        b, a = (masses, masses) if units is None else units
        sizes = masses if units is None else np.abs(masses)
        firsts, squares_a = cells.on_grid(sizes), cells.on_grid(sizes * a)
        squares_b = squares_a if b is a else cells.on_grid(sizes * b)
        total, together = float(masses.sum()), mass_a + mass_b
        runs = _runs(cells.grid, settings.interval_cells, settings.hump_cells, circular)
        if not circular:
            runs += _ends(together, settings.end_masses)
        if not runs:
            return None
        start, stop, weights = (np.array(x) for x in zip(*runs, strict=True))
        held, first = weights @ together, weights @ firsts
        good = (held >= LEAST_MASS) & (held <= LARGEST_SHARE * total) & (first > 0)
        if not good.any():
            return None
        # Intervals that differ by empty cells only are one.
        _, once = np.unique(weights[good][:, variance > 0], axis=0, return_index=True)
        chosen = np.flatnonzero(good)[np.sort(once)]
        start, stop, weights, first = start[chosen], stop[chosen], weights[chosen], first[chosen]
        unit_a, unit_b = weights**2 @ squares_a / first, weights**2 @ squares_b / first
        ratio = q / (1 - q)
        return cls(feature, cells, start, stop, weights, unit_a, unit_b, ratio, mass_a, mass_b, variance, circular)

    @property
    def cells(self) -> int:
        """Number of cells."""
        return self.grid.grid

    def of_expected(self) -> Intervals:
        """The same intervals, where B has what A lets be expected."""
        return replace(self, mass_b=self.ratio * self.mass_a)

    def of_window(self, z: Float64[np.ndarray, " m"], share: float) -> Intervals:
        """The same intervals of another B, whose events have mass one, with this share of the masses."""
        mass_b = np.bincount(self.grid.grid_place(z), minlength=self.cells).astype(np.float64)
        return replace(self, mass_b=mass_b, ratio=share / (1 - share))

    def observed(self) -> Float64[np.ndarray, " i"]:
        """Signed roots of the deviance of the samples as they are."""
        return self._roots(self.mass_a[None], self.mass_b[None])[0]

    @property
    def expected(self) -> Float64[np.ndarray, " cells"]:
        """Mass of B that A lets be expected in each cell."""
        return self.ratio * self.mass_a

    @cached_property
    def best(self) -> Interval:
        """The interval of largest root."""
        roots = self.observed()
        i = int(np.argmax(np.abs(roots)))
        start, stop = int(self.start[i]), int(self.stop[i])
        inside = np.arange(start, stop) % self.cells
        expected = max(float(self.expected[inside].sum()), 0.0)
        return Interval(self, start, stop, float(roots[i]), float(self.mass_b[inside].sum()), expected)

    def largest(self, draws: Draws, q: float) -> Float64[np.ndarray, " L"]:
        """Largest absolute root in each of L pairs of samples."""
        return np.abs(self.of_scores(self.scores(draws), q)).max(axis=1)

    def scores(self, draws: Draws) -> Float64[np.ndarray, "L cells"]:
        """y of each cell in each of L pairs of samples."""
        filled = draws.summed(self.grid.of_event, self.grid.count)
        scores = np.zeros((len(filled), self.cells))
        scores[:, self.grid.on] = filled
        return scores

    def of_scores(self, scores: Float64[np.ndarray, "L cells"], q: float) -> Float64[np.ndarray, "L i"]:
        """Signed roots of samples whose cells have these scores."""
        together = self.mass_a + self.mass_b
        # y = (1 - q) B - q A and A + B as observed; where weights differ so that A + B is not known, about it.
        mass_b = scores + q * together
        return self._roots(together - mass_b, mass_b)

    def cell_modes(self, rows: Int64[np.ndarray, " k"]) -> Float64[np.ndarray, "k cells"]:
        """For some events, one in their cell and zero elsewhere, such that the score of a cell has variance one."""
        modes = np.zeros((len(rows), self.cells))
        cell = self.grid.on[self.grid.of_event[rows]]
        modes[np.arange(len(rows)), cell] = 1 / np.sqrt(np.maximum(self.variance[cell], _TINY))
        return modes

    def largest_normal(self, scores: Float64[np.ndarray, "m cells"]) -> Float64[np.ndarray, " m"]:
        """Largest absolute normal score of an interval, from scores of the cells of variance one."""
        sums = (scores * np.sqrt(np.maximum(self.variance, 0.0))) @ self.weights.T
        return np.asarray(np.abs(sums / np.sqrt(self.held)).max(axis=1))

    @cached_property
    def held(self) -> Float64[np.ndarray, " i"]:
        """Null variance of the score of each interval."""
        return np.maximum((self.weights * self.with_cells(self.weights)).sum(axis=1), _TINY)

    def with_cells(self, weights: Float64[np.ndarray, "k cells"]) -> Float64[np.ndarray, "k cells"]:
        """Covariance of sums over cells, of these weights, with the score of each cell."""
        return weights * self.variance

    def drawn(self, normal: Float64[np.ndarray, "L cells"]) -> Float64[np.ndarray, "L cells"]:
        """Normal scores of cells, of independent ones of variance one."""
        return normal * np.sqrt(np.maximum(self.variance, 0.0))

    def log_tail(self, root: float, seed: int) -> float:
        """log P(any root exceeds in absolute value), for roots of normal scores.

        P = sum_i P(A_i) E[1 / S given A_i], S the number of intervals that exceed (A. B. Owen, Y. Maximov and M.
        Chertkov, Electron. J. Stat. 13 (2019) 231): the intervals of a draw are sums of its cells, and one of them is
        lifted beyond the threshold.
        """
        rng = np.random.default_rng([seed, 0x77696E])
        increments = self.drawn(rng.standard_normal((_DRAWS, self.cells)))
        lifted = rng.integers(len(self.start), size=_DRAWS)
        # |Y| given |Y| > root, for a normal Y.
        log_u = np.log(rng.random(_DRAWS)) + log_ndtr(-root)
        held, own = self.held[lifted], self.weights[lifted]
        missing = -ndtri_exp(log_u) * np.sqrt(held) - (own * increments).sum(axis=1)
        increments += (missing / held)[:, None] * self.with_cells(own)
        scores = increments @ self.weights.T / np.sqrt(self.held)
        number = np.maximum((np.abs(scores) >= root * (1 - 1e-12)).sum(axis=1), 1)
        return float(np.log(2 * len(self.start)) + log_ndtr(-root) + np.log((1 / number).mean()))

    def _roots(self, mass_a: np.ndarray, mass_b: np.ndarray) -> Float64[np.ndarray, "L i"]:
        """Signed roots of the binomial deviance, half an event nearer to what is expected."""
        k = np.maximum(mass_b @ self.weights.T / self.unit_b, 0.0)
        other = np.maximum(mass_a @ self.weights.T / self.unit_a, 0.0)
        n = k + other
        rho = self.ratio * self.unit_a / self.unit_b
        mean = n * rho / (1 + rho)
        nearer = np.where(k > mean, np.maximum(k - 0.5, mean), np.minimum(k + 0.5, mean))
        rest = n - nearer
        with np.errstate(divide="ignore", invalid="ignore"):
            deviance = xlogy(nearer, nearer / mean) + xlogy(rest, rest / (n - mean))
        return np.sign(nearer - mean) * np.sqrt(2 * np.maximum(np.where(n > 0, deviance, 0.0), 0.0))


@dataclass(frozen=True)
class Interval:
    """One interval of a feature.

    Arguments:
        among: all of its feature.
        start, stop: its first cell and that after its last.
        root: of its deviance, with the sign of what is too much in B.
        observed, expected: B's mass in these cells, and what A lets be expected.
    """

    among: Intervals
    start: int
    stop: int
    root: float
    observed: float
    expected: float

    @property
    def feature(self) -> int:
        """Number of the feature."""
        return self.among.feature

    @property
    def holds(self) -> Bool[np.ndarray, " n"]:
        """Which events are in it."""
        cell = self.among.grid.on[self.among.grid.of_event]
        if self.among.circular:
            return np.asarray((cell - self.start) % self.among.cells < self.stop - self.start)
        return np.asarray((cell >= self.start) & (cell < self.stop))


def standing_out(intervals: Sequence[Intervals]) -> Interval | None:
    """The interval of largest root; None without any."""
    return max((each.best for each in intervals), key=lambda found: abs(found.root), default=None)


def largest_root(intervals: Sequence[Intervals]) -> Float64[np.ndarray, " one"] | None:
    """The largest root of the samples as they are, in absolute value; None without an interval."""
    found = standing_out(intervals)
    return None if found is None else np.array([abs(found.root)])


def log_p_of_root(root: Float64[np.ndarray, "*n"] | float) -> Float64[np.ndarray, "*n"]:
    """Two-sided log p of a root of the deviance."""
    return np.asarray(np.minimum(np.log(2.0) + log_ndtr(-np.abs(root)), 0.0))


_Run = tuple[int, int, Float64[np.ndarray, " cells"]]


def _runs(cells: int, boxes: Sequence[int], humps: Sequence[int], circular: bool) -> list[_Run]:
    """First cell, that after the last, and weights of the cells of each box and each hump."""
    found = []
    for lengths, falling in ((boxes, 0), (humps, 1)):
        for length in lengths:
            shape = 1.0 - falling * ((2 * np.arange(length) + 1) / length - 1) ** 2
            # On a circle an interval may begin before the cut and end behind it.
            for start in range((cells if circular else cells - length) if length < cells else 0):
                weights = np.zeros(cells)
                weights[np.arange(start, start + length) % cells] = shape
                found.append((start, start + length, weights))
    return found


def _ends(held: Float64[np.ndarray, " cells"], masses: Sequence[float]) -> list[_Run]:
    """The same of all that is beyond a cell, at either end, where so much is held at least."""
    n = len(held)
    low, high = np.cumsum(held), np.cumsum(held[::-1])
    found = []
    for mass in masses:
        for sums, upper in ((low, False), (high, True)):
            if not (sums >= mass).any():
                continue
            count = int(np.argmax(sums >= mass)) + 1
            start, stop = (n - count, n) if upper else (0, count)
            found.append((start, stop, np.where((np.arange(n) >= start) & (np.arange(n) < stop), 1.0, 0.0)))
    return found
