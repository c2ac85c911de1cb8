"""P-values of counting regions, and the counts at which they fall below a value: counts are discrete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtri

from nplm.channels.counts import Uncertainty, log_probability
from nplm.channels.table import RegionTable

# Which p-value: of an excess, P(N >= n); of a deficit, P(N <= n); or the mid-p of an excess, P(N > n) + P(N = n) / 2.
Kind = Literal["excess", "deficit", "mid"]
Rows = Float64[np.ndarray, " m"]


@dataclass(frozen=True, eq=False)
class RegionPValues:
    """Exact p-values of each region, by their logarithms.

    Arguments:
        log_excess: log P(N >= n), shape (m,).
        log_deficit: log P(N <= n), shape (m,).
        log_equal: log P(N = n), shape (m,).
    """

    log_excess: Rows
    log_deficit: Rows
    log_equal: Rows

    @classmethod
    def of(cls, table: RegionTable, errors: Uncertainty = "gaussian") -> RegionPValues:
        """Those of a table, see `nplm.channels.counts.log_probability`.

        Raises:
            ValueError: if an expectation of zero cannot have such an error.
        """
        require_errors(table, errors)
        given = table.observed, table.expected, table.error, errors
        return cls(*(log_probability(part, *given) for part in ("at least", "at most", "equal")))

    @property
    def excess(self) -> Rows:
        """P(N >= n)."""
        return np.exp(self.log_excess)

    @property
    def deficit(self) -> Rows:
        """P(N <= n)."""
        return np.exp(self.log_deficit)

    @property
    def mid(self) -> Rows:
        """P(N > n) + P(N = n) / 2: uniform on average, whereas P(N >= n) is too large."""
        return np.clip(self.excess - np.exp(self.log_equal) / 2, 0.0, 1.0)


def require_errors(table: RegionTable, errors: Uncertainty) -> None:
    """Refuses an expectation of zero whose error has no log-normal and no gamma distribution.

    Raises:
        ValueError: naming the region.
    """
    nothing = np.flatnonzero((table.expected == 0) & (table.error > 0))
    if errors != "gaussian" and len(nothing):
        row = int(nothing[0])
        raise ValueError(
            f"{table.name}: region '{table.regions[row]}' of '{table.analyses[row]}' expects 0 +- {table.error[row]:g},"
            f" which no {errors} distribution has: take Gaussian errors, which are truncated at zero"
        )


def critical_counts(
    levels: Float64[np.ndarray, " k"], table: RegionTable, errors: Uncertainty, kind: Kind = "excess"
) -> Float64[np.ndarray, "k m"]:
    """The smallest count of each region whose p-value is at most a level, shape (k, m).

    For "deficit" it is the largest such count, and -1 where no count has so small a p-value.

    Arguments:
        levels: above 0; at 1 or more every count is at most at it.
        table: the regions.
        errors: how their expectations are uncertain.
        kind: which p-value.
    """
    shape = (len(levels), len(table))
    level = np.repeat(levels, len(table))
    expected, error = np.tile(table.expected, len(levels)), np.tile(table.error, len(levels))
    sign = -1.0 if kind == "deficit" else 1.0

    def reached(n: Rows, rows: np.ndarray) -> np.ndarray:
        return _p_value(np.maximum(n, 0.0), expected[rows], error[rows], errors, kind, n < 0) <= level[rows]

    # From where a normal distribution would have it, in steps that double until it lies between two counts.
    sd = np.sqrt(np.maximum(expected, 0.25) + error**2)
    tail = np.clip(level, 1e-16, 1 - 1e-9)
    inner = np.maximum(np.round(expected - sign * sd * ndtri(tail) + sign * 0.5), 0.0)
    rows = np.arange(len(level))
    good = reached(inner, rows)
    # `met` has so small a p-value, `short` has not yet: they close in on each other.
    met, short = np.where(good, inner, np.nan), np.where(good, np.nan, inner)
    step = 1.0
    while len(rows := np.flatnonzero(np.isnan(met) | np.isnan(short))):
        towards = np.where(np.isnan(met[rows]), short[rows] + sign * step, met[rows] - sign * step)
        towards = np.maximum(towards, -1.0)
        now = reached(towards, rows)
        met[rows], short[rows] = np.where(now, towards, met[rows]), np.where(now, short[rows], towards)
        step *= 2
    while len(rows := np.flatnonzero(np.abs(met - short) > 1)):
        middle = np.floor((met[rows] + short[rows]) / 2)
        now = reached(middle, rows)
        met[rows], short[rows] = np.where(now, middle, met[rows]), np.where(now, short[rows], middle)
    return np.maximum(met, -1.0 if kind == "deficit" else 0.0).reshape(shape)


def _p_value(
    n: Rows, expected: Rows, error: Rows, errors: Uncertainty, kind: Kind, below: np.ndarray
) -> Float64[np.ndarray, " m"]:
    """The p-value of counts; of those below zero it is that beyond all counts: 0 of a deficit, and above 1 else."""
    if kind == "deficit":
        found = np.exp(log_probability("at most", n, expected, error, errors))
        return np.where(below, 0.0, found)
    found = np.exp(log_probability("at least", n, expected, error, errors))
    if kind == "mid":
        found = (found + np.exp(log_probability("at least", n + 1, expected, error, errors))) / 2
    return np.where(below, 2.0, found)


def log_reached(
    critical: Float64[np.ndarray, "k m"], table: RegionTable, errors: Uncertainty, factor: float, kind: Kind = "excess"
) -> Float64[np.ndarray, "k m"]:
    """log of the probability that a count is as far as the critical one, if the errors are `factor` times as large.

    Arguments:
        critical: counts, as `critical_counts` gives them.
        table, errors, kind: see there.
        factor: true errors over those of the table.
    """
    n = critical.ravel()
    expected, error = np.tile(table.expected, len(critical)), factor * np.tile(table.error, len(critical))
    part: Literal["at most", "at least"] = "at most" if kind == "deficit" else "at least"
    found = log_probability(part, np.maximum(n, 0.0), expected, error, errors)
    # At a factor of zero, what expects nothing gives nothing.
    nothing = (expected == 0) & (error == 0) & (n > 0) & (kind != "deficit")
    return np.where((n < 0) | nothing, -np.inf, found).reshape(critical.shape)
