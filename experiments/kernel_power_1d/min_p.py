"""The null of the smallest p-value of several widths, where toys of one of them are dearer than those of the others.

T = -log min p, each p from the asymptotic null of its width. The asymptotic null is but a scale on which widths are
compared: null and data go through the same one, so the global p-value is right however wrong it is. That is counted
    from toys,

    P(T >= c) = P(T_others >= c) + P(T_first >= c, T_others < c),

the first term from all toys, which have been fitted at the other widths, and the second from those of them that have
been fitted at the first width as well. No toy counts in both terms, and both are unbiased. In each of them one more
toy is counted than there were, as (1 + k) / (1 + n), so that p is never too small on average.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64
from scipy.stats import norm

from experiments.kernel_power_1d.ensembles import AtWidth
from nplm.stats.combination import Combination
from nplm.stats.null import Kind

MIN_P = Combination("min-p")


def statistics(widths: Sequence[AtWidth], t: Sequence[Float64[np.ndarray, " n"]]) -> Float64[np.ndarray, " n"]:
    """T of n toys from their t at each width; NaN where one of the fits failed."""
    good = ~np.isnan(np.column_stack(t)).any(axis=1)
    found = np.full(len(good), np.nan)
    columns = [at.asymptotic.log_pvalues(values[good]) for at, values in zip(widths, t, strict=True)]
    found[good] = MIN_P(np.column_stack(columns))
    return found


@dataclass(frozen=True, eq=False)
class MinPNull:
    """The null of T; see the module.

    Arguments:
        others: T of the other widths for all toys, shape (N,); infinite where a fit failed: it exceeds any T.
        first: T of the first width for the first of these toys, shape (n,).
    """

    others: Float64[np.ndarray, " N"]
    first: Float64[np.ndarray, " n"]

    @classmethod
    def of(cls, widths: Sequence[AtWidth]) -> MinPNull:
        """The null of T of these widths, the first of which may have fewer toys."""
        first, others = widths[0], widths[1:]
        fewest = min(len(at.null) for at in others)
        found = statistics(others, [at.null[:fewest] for at in others]), statistics([first], [first.null[:fewest]])
        return cls(*(np.where(np.isnan(values), np.inf, values) for values in found))

    @property
    def failed(self) -> int:
        """How many toys have no T."""
        return int(np.isinf(self.others).sum() + np.isinf(self.first).sum())

    @property
    def kind(self) -> Kind:
        """Counted from toys."""
        return "empirical"

    @property
    def mean(self) -> float:
        """Of T of the toys that were fitted at all widths."""
        return float(np.maximum(self.others[: len(self.first)], self.first).mean())

    @property
    def sd(self) -> float:
        """As the mean."""
        return float(np.maximum(self.others[: len(self.first)], self.first).std(ddof=1))

    def counts(self, statistic: float) -> tuple[int, int]:
        """How many toys reach T at the other widths, and how many at the first width alone."""
        both = self.others[: len(self.first)]
        return int((self.others >= statistic).sum()), int(((self.first >= statistic) & (both < statistic)).sum())

    def pvalue(self, t: float) -> float:
        """P(T >= t)."""
        return float(self.pvalues(np.array([t]))[0])

    def z(self, t: float) -> float:
        """Z-score of the p-value."""
        return float(norm.isf(self.pvalue(t)))

    def pvalues(self, t: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """`pvalue` of each."""
        return np.add(*self._shares(t))

    def errors(self, t: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """Standard errors of the p-values: two binomial ones; that the two exclude each other makes them smaller."""
        sizes = len(self.others), len(self.first)
        return np.sqrt(sum(p * (1 - p) / (n + 1) for p, n in zip(self._shares(t), sizes, strict=True)))

    def interval(self, t: float) -> tuple[float, float]:
        """The p-value less and plus its standard error."""
        at = np.array([t])
        p, error = float(self.pvalues(at)[0]), float(self.errors(at)[0])
        return max(0.0, p - error), min(1.0, p + error)

    def threshold(self, p: float) -> float | None:
        """The least T whose p-value is at most p; None if these toys cannot show so small a p."""
        return self._least(self._p <= p)

    def threshold_interval(self, p: float) -> tuple[float, float]:
        """The T from which on p is within one standard error of the p-value, and up to which."""
        low, high = self._least(self._p - self._error <= p), self._least(self._p + self._error <= p)
        return -np.inf if low is None else low, np.inf if high is None else high

    def describe(self) -> str:
        """What the null stands on, in words."""
        return f"{len(self.others):,} toys at the other widths, {len(self.first):,} of them at the first width as well"

    @cached_property
    def _candidates(self) -> Float64[np.ndarray, " m"]:
        """Where the p-value falls: just above each toy."""
        return np.nextafter(np.unique(np.concatenate([self.others, self.first])), np.inf)

    @cached_property
    def _p(self) -> Float64[np.ndarray, " m"]:
        return self.pvalues(self._candidates)

    @cached_property
    def _error(self) -> Float64[np.ndarray, " m"]:
        return self.errors(self._candidates)

    def _least(self, reached: np.ndarray) -> float | None:
        # Of a sum of two estimates the second may rise a little, where the first falls by less.
        unreached = np.flatnonzero(~reached)
        first = unreached[-1] + 1 if len(unreached) else 0
        return float(self._candidates[first]) if first < len(reached) else None

    def _shares(self, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        both = self.others[: len(self.first)]
        alone = self.first > both
        upper, lower = np.sort(self.first[alone]), np.sort(both[alone])
        # first >= t > others: those with first >= t, less those with others >= t too.
        only = (len(upper) - np.searchsorted(upper, t)) - (len(lower) - np.searchsorted(lower, t))
        all_others = np.sort(self.others)
        exceeding = len(all_others) - np.searchsorted(all_others, t)
        return (1 + exceeding) / (1 + len(self.others)), (1 + only) / (1 + len(self.first))
