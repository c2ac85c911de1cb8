"""P-values counted from toys."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64

from nplm.stats.intervals import clopper_pearson, quantile_ranks
from nplm.stats.null import ONE_SIGMA, Kind
from nplm.stats.significance import z_interval, z_score


@dataclass(frozen=True, eq=False)
class EmpiricalNull:
    """The null distribution of t as an ensemble of toys gives it.

    Arguments:
        t: the toys' test statistics, shape (n,); a toy whose fit failed has NaN and counts as exceeding any t.

    Example:
        >>> null = EmpiricalNull(np.array([1.0, 2.0, 3.0, np.nan]))
        >>> null.pvalue(2.5)  # 3 and the toy that failed
        0.6
        >>> null.pvalue(10.0)
        0.4
    """

    t: Float64[np.ndarray, " n"]

    def __post_init__(self) -> None:
        if len(self.t) == 0:
            raise ValueError("an empirical p-value needs at least one toy")

    @property
    def kind(self) -> Kind:
        """Counted from toys."""
        return "empirical"

    @cached_property
    def failed(self) -> int:
        """How many toys have no t."""
        return int(np.isnan(self.t).sum())

    def exceeding(self, t: float) -> int:
        """How many toys have at least this t; failed ones do."""
        return int(self._exceeding(np.array(t)))

    def pvalue(self, t: float) -> float:
        """p = (1 + #{t_toy >= t} + #failed) / (1 + n): never zero, and never too small on average."""
        return (1 + self.exceeding(t)) / (1 + len(self.t))

    def pvalues(self, t: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """`pvalue` of each t, shape (m,)."""
        return (1 + self._exceeding(t)) / (1 + len(self.t))

    @property
    def mean(self) -> float:
        """Mean of the toys' t; NaN without toys that have one."""
        return float(self._sorted.mean()) if len(self._sorted) else np.nan

    @property
    def sd(self) -> float:
        """Standard deviation of the toys' t; NaN with fewer than two that have one."""
        return float(self._sorted.std(ddof=1)) if len(self._sorted) > 1 else np.nan

    def interval(self, t: float, level: float = ONE_SIGMA) -> tuple[float, float]:
        """Clopper and Pearson's interval for P(t_toy >= t) from the counted toys."""
        return clopper_pearson(self.exceeding(t), len(self.t), level)

    def z(self, t: float) -> float:
        """Z-score of the p-value; where `is_limit`, the largest that the toys can show: a lower limit."""
        return z_score(self.pvalue(t))

    def z_interval(self, t: float, level: float = ONE_SIGMA) -> tuple[float, float]:
        """Interval of Z, lower end first; if no toy exceeds, the upper end is infinite and the lower one a limit."""
        return z_interval(self.interval(t, level))

    def is_limit(self, t: float) -> bool:
        """Whether no toy exceeds t, so that p is the least and Z the largest that the toys can show."""
        return self.exceeding(t) == 0

    @property
    def smallest_p(self) -> float:
        """The least p-value these toys can show: (1 + #failed) / (1 + n)."""
        return (1 + self.failed) / (1 + len(self.t))

    def threshold(self, p: float) -> float | None:
        """The least t with a p-value of at most p, just above one of the toys; None if p is below `smallest_p`."""
        toys = len(self.t)
        allowed = int(p * (1 + toys))
        while (1 + allowed) / (1 + toys) > p:
            allowed -= 1
        if allowed < self.failed:
            return None
        rank = len(self._sorted) - 1 - (allowed - self.failed)
        return float(np.nextafter(self._sorted[rank], np.inf)) if rank >= 0 else -np.inf

    def threshold_interval(self, p: float) -> tuple[float, float]:
        """68% interval, from order statistics, of the t that the null exceeds with probability p; failed toys do."""
        toys = len(self.t)
        ordered = np.concatenate([[-np.inf], self._sorted, np.full(self.failed + 1, np.inf)])
        low, high = quantile_ranks(toys, 1 - p)
        return float(ordered[low]), float(ordered[high])

    def describe(self) -> str:
        """What the null stands on, for screen and report."""
        failed = f", {self.failed:,} failed fits counted as exceeding" if self.failed else ""
        return f"{len(self.t):,} toys{failed}"

    @cached_property
    def _sorted(self) -> Float64[np.ndarray, " m"]:
        return np.sort(self.t[~np.isnan(self.t)])

    def _exceeding(self, t: np.ndarray) -> np.ndarray:
        return np.asarray(len(self._sorted) - np.searchsorted(self._sorted, t, side="left") + self.failed)
