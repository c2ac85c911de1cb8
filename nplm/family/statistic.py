"""The statistic of a family: the smallest p-value of all members, those of each class shared evenly."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from jaxtyping import Float64, Int

from nplm._util.blas import blas_threads
from nplm.family.build import Progress, family_parts, unseen
from nplm.family.circular import ends, with_angles
from nplm.family.draws import Draws, null_draws, observed
from nplm.family.fit import MemberFit, fit_member
from nplm.family.intervals import Interval, Intervals, largest_root, log_p_of_root, standing_out
from nplm.family.member import Member, Part
from nplm.family.ranks import CELL, Cells, normal_scores
from nplm.family.rarity import Rarity
from nplm.family.settings import INTERVALS, FamilySettings
from nplm.family.spread import Spread
from nplm.family.subsets import Subset, of_few, subset_parts
from nplm.stats.chi2_tail import skewed_log_sf
from nplm.two_sample.calibration import Kind
from nplm.two_sample.pooled import Pool

# The share of samples without a difference in which a class is to have a p-value, times its number of independent
# tests, of at most this: there that number is taken.
LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Members(ABC):
    """All members of a family, and what tells them apart from those of another.

    Arguments:
        spread: what events add to the variance of scores.
        parts: kernels and products.
        intervals: of each feature that has any.
        q: share of the masses that B has.
    """

    spread: Spread
    parts: tuple[Part, ...]
    intervals: tuple[Intervals, ...]
    q: float

    @property
    @abstractmethod
    def kind(self) -> tuple[Kind, str]:
        """How samples without a difference are drawn, and the same in words."""

    @abstractmethod
    def null(self, count: int, seed: int) -> Draws:
        """Pairs of samples without a difference."""

    @cached_property
    def members(self) -> tuple[tuple[Part, Member], ...]:
        """Members of kernels and products, with their parts, in order."""
        return tuple((part, member) for part in self.parts for member in part.members)

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The classes that have a member."""
        found = list(dict.fromkeys(member.kind for _, member in self.members))
        return (*found, *([INTERVALS] if self.intervals else []))

    @blas_threads()
    def t(self, draws: Draws) -> Float64[np.ndarray, "L k"]:
        """t = sum_i c_i y_i^2 of each pair of samples in each member of kernels and products."""
        found = [scores**2 @ part.filters for part, scores in zip(self.parts, draws.scores(self.parts), strict=True)]
        return np.concatenate(found, axis=1) if found else np.zeros((draws.count, 0))

    @cached_property
    def expected_t(self) -> Float64[np.ndarray, " k"]:
        """Mean of each t without a difference."""
        return self._cumulants[0]

    def log_p(self, t: Float64[np.ndarray, "L k"]) -> Float64[np.ndarray, "L k"]:
        """log p of each t from a chi2 with the same three cumulants."""
        mean, variance, freedom = self._cumulants
        return skewed_log_sf((t - mean) / np.sqrt(variance), freedom)

    def thresholds(self, log_p: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, " k"]:
        """The t of each member with these `log_p`, by bisection."""
        low, high = self.expected_t.copy(), self.expected_t + 10 * np.sqrt(self._cumulants[1])
        while (short := self.log_p(high[None])[0] > log_p).any():
            high[short] += high[short]
        for _ in range(60):
            middle = (low + high) / 2
            above = self.log_p(middle[None])[0] > log_p
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        return high

    @cached_property
    def _cumulants(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        powers = [np.array([float((m.shrinkage**n).sum()) for _, m in self.members]) for n in (1, 2, 3)]
        # 8 variance^3 / third^2 with variance 2 sum c^2 and third cumulant 8 sum c^3.
        return powers[0], 2 * powers[1], powers[1] ** 3 / np.maximum(powers[2], 1e-300) ** 2

    def told(self, t: Float64[np.ndarray, " k"], seed: int) -> tuple[list[float], list[float], list[float]]:
        """t, its mean without a difference and local log p of all tests, those of intervals last.

        Of all intervals of a feature t is the largest root squared, at the distribution of all of them.
        """
        if not self.members:
            t_of, expected, log_p = [], [], []
        else:
            t_of, expected, log_p = t.tolist(), self.expected_t.tolist(), self.log_p(t[None])[0].tolist()
        for each in self.intervals:
            root = each.best.root
            t_of.append(root**2)
            expected.append(1.0)
            log_p.append(min(each.log_tail(abs(root), seed), 0.0))
        return t_of, expected, log_p

    def surprise(self, draws: Draws) -> Float64[np.ndarray, "L c"]:
        """Largest -log p in each class, of each pair of samples."""
        roots = None
        if self.intervals:
            roots = np.max([each.largest(draws, self.q) for each in self.intervals], axis=0)
        return self.by_class(self.t(draws), roots)

    def by_class(
        self, t: Float64[np.ndarray, "L k"], roots: Float64[np.ndarray, " L"] | None
    ) -> Float64[np.ndarray, "L c"]:
        """The same for these t of kernels and products, and largest roots of intervals."""
        surprise = -self.log_p(t)
        kinds = np.array([member.kind for _, member in self.members])
        columns = [surprise[:, kinds == kind].max(axis=1) for kind in self.classes if kind in kinds]
        if roots is not None:
            columns.append(-log_p_of_root(roots))
        return np.column_stack(columns)


class Seen(Protocol):
    """Two samples as they are, in all members of a family."""

    @property
    def members(self) -> tuple[tuple[Part, Member], ...]:
        """Members of kernels and products, with their parts, in order."""

    @property
    def intervals(self) -> tuple[Intervals, ...]:
        """Intervals of each feature, with these samples in them."""

    @property
    def root(self) -> Float64[np.ndarray, " one"] | None:
        """The largest of all intervals, None without any."""

    @property
    def names(self) -> tuple[str, str]:
        """What the samples are called."""

    @property
    def unit_masses(self) -> bool:
        """Whether masses are numbers of events."""

    def edges(self, interval: Interval) -> tuple[float, float]:
        """The smallest and the largest value of the feature in an interval."""

    def width(self, feature: int, scale: float) -> float:
        """A scale in the units of a feature, where it stands out most or else in its middle."""

    def fit(self, member: int) -> MemberFit:
        """The fit of a kernel or product."""


@dataclass(frozen=True, eq=False)
class Family(Members):
    """All members, prepared on both samples together.

    Arguments:
        pool: of both samples.
        scores: of the events: normal scores, and angles of circular features, shape (n, d).
        circular: which features are.
        subsets: rows of the events that are looked at by themselves too.
    """

    pool: Pool
    scores: Float64[np.ndarray, "n d"]
    circular: tuple[bool, ...]
    subsets: tuple[Int[np.ndarray, " _"], ...] = ()

    @classmethod
    @blas_threads()
    def of(
        cls,
        pool: Pool,
        settings: FamilySettings,
        *,
        circular: Sequence[bool] = (),
        subsets: Sequence[Subset] = (),
        thinned: bool = False,
        rarity: Rarity | None = None,
        seed: int = 1,
        progress: Progress = unseen,
    ) -> Family:
        """Prepares a family.

        Arguments:
            pool: of both samples.
            settings: which members there are.
            circular: which features are angles; none by default.
            subsets: of the events, each of which is looked at by itself too.
            thinned: whether the events are what a threshold has kept of more; see `of_few`.
            rarity: a score by which kernels of all features are weighted too.
            seed: of the centres of kernels of all features.
            progress: told what comes next, and which share of all is about done.

        Raises:
            ValueError: if no member is left, or a subset holds all events or none.
        """
        q = pool.share
        circles = tuple(circular) or (False,) * pool.rows.shape[1]
        z = np.empty(pool.rows.shape)
        for j, x in enumerate(pool.rows.T):
            z[:, [j]] = normal_scores(x[:, None], np.abs(pool.masses))
        z = with_angles(z, circles)
        spread = Spread.of(pool, z, q)
        fine = [Cells.of(x, CELL) for x in z.T]
        parts = family_parts(
            z,
            pool.masses,
            spread,
            settings,
            circular=circles,
            fine=fine,
            raw=pool.rows,
            rarity=None if rarity is None else rarity.weights(pool),
            seed=seed,
            progress=progress,
        )
        if thinned:
            parts = of_few(parts, min(q, 1 - q) * float(spread.positive.sum()))
        for subset in subsets:
            progress(subset.name, 0.65)
            parts += subset_parts(subset, pool, spread, q, settings, circular=circles, seed=seed)
        units = None if spread.marks is None else (spread.marks[0].unit, spread.marks[1].unit)
        found: list[Intervals | None] = []
        if INTERVALS in settings.classes:
            found = [
                Intervals.of(j, cells, pool.masses, pool.in_b, spread.second, q, settings, units, circles[j])
                for j, cells in enumerate(fine)
            ]
        intervals = tuple(each for each in found if each is not None)
        if not parts and not intervals:
            raise ValueError(
                f"{len(pool):,} events are too few to compare shapes: each test would rest on a handful of them"
            )
        rows = tuple(subset.rows(pool) for subset in subsets)
        return cls(spread, tuple(parts), intervals, q, pool, z, circles, rows)

    @property
    def kind(self) -> tuple[Kind, str]:
        """Permutations where labels may be exchanged."""
        if self.pool.exchange.allowed:
            return "permutation", "permutations of the labels"
        return "resampling", "pairs of samples drawn anew from both"

    @property
    def root(self) -> Float64[np.ndarray, " one"] | None:
        """The largest of all intervals, in absolute value."""
        return largest_root(self.intervals)

    @property
    def names(self) -> tuple[str, str]:
        """A and B."""
        return "A", "B"

    @property
    def unit_masses(self) -> bool:
        """Whether masses are numbers of events."""
        return bool(np.allclose(self.pool.masses, 1.0))

    def edges(self, interval: Interval) -> tuple[float, float]:
        """The smallest and the largest value of the feature in an interval."""
        inside = interval.holds
        scaler, j = self.pool.scaler, interval.feature
        x = self.pool.rows[inside, j] * scaler.scale[j] + scaler.location[j]
        return ends(x, self.scores[inside, j], self.circular[j])

    def width(self, feature: int, scale: float) -> float:
        """A scale in the units of a feature, where it stands out most or else in its middle."""
        scores = self.scores[:, feature]
        found = standing_out([each for each in self.intervals if each.feature == feature])
        middle = 0.0 if found is None else float(np.median(scores[found.holds]))
        order = np.argsort(scores)
        ends = np.interp([middle - scale / 2, middle + scale / 2], scores[order], self.pool.rows[order, feature])
        return float(np.ptp(ends)) * float(self.pool.scaler.scale[feature])

    def observed(self) -> Draws:
        """The samples as they are."""
        return observed(self.pool, self.q)

    def fit(self, member: int) -> MemberFit:
        """The fit of a kernel or product."""
        part, chosen = self.members[member]
        return fit_member(self.pool, self.spread, part, chosen, self.q)

    def null(self, count: int, seed: int) -> Draws:
        """Pairs of samples without a difference."""
        return null_draws(self.pool, self.spread, self.q, count, seed, self.subsets)


def independent_tests(surprise: Float64[np.ndarray, "L c"]) -> Float64[np.ndarray, " c"]:
    """log of the number of independent tests in each class, from pairs of samples without a difference.

    Where a share `LEVEL` of them has a smallest p of at most x, the number is LEVEL / x.
    """
    return np.asarray(np.maximum(np.quantile(surprise, 1 - LEVEL, axis=0) + np.log(LEVEL), 0.0))


def combined(
    surprise: Float64[np.ndarray, "L c"], log_tests: Sequence[float] | np.ndarray
) -> Float64[np.ndarray, " L"]:
    """T = max over classes of -log(number of independent tests times smallest p), of each pair of samples."""
    return np.asarray((surprise - np.asarray(log_tests)).max(axis=1))
