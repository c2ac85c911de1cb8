"""By which factor the errors of a table should be multiplied: the one under which its counts are most likely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.interpolate import CubicSpline

from nplm.channels.counts import Uncertainty, log_probability
from nplm.channels.table import RegionTable

# The factors that are looked at, and on which grid.
SMALLEST, LARGEST, _POINTS = 0.05, 4.0, 60
# Half a unit of log-likelihood: one standard deviation.
_ONE_SIGMA = 0.5
# Fewer analyses do not tell how much their regions share.
_FEWEST_ANALYSES = 10


@dataclass(frozen=True)
class ErrorFactor:
    """The factor f that makes the counts of some regions most likely, N ~ Poisson(b) with b of f times the error.

    Arguments:
        group: what the regions have in common: "all", or a value of a column.
        regions, analyses: how many there are.
        factor: the best one, from 0.05 to 4.
        low, high: where the log-likelihood is 0.5 lower, for regions that share nothing; at the ends of the range these
            are limits.
        spread: standard deviation of the factor if regions of one analysis may share anything, but analyses nothing
            (the scores of an analysis are added before they are squared); NaN for fewer than ten, or at an end.
        log_ratio: log-likelihood at the best factor less that at 1.
    """

    group: str
    regions: int
    analyses: int
    factor: float
    low: float
    high: float
    spread: float
    log_ratio: float

    @property
    def at_end(self) -> bool:
        """Whether the best factor is the smallest or the largest that is looked at."""
        return self.factor in (SMALLEST, LARGEST)


def error_factors(
    table: RegionTable, errors: Uncertainty = "gaussian", by: tuple[str, ...] = ()
) -> tuple[ErrorFactor, ...]:
    """The best factor of all regions, then of the regions that share a value of each of some columns.

    Arguments:
        table: the regions.
        errors: how their expectations are uncertain.
        by: columns of text, such as analysis or experiment.

    Raises:
        ValueError: if there is no such column.
    """
    groups: Mapping[tuple[str, str], np.ndarray] = {("", "all"): np.arange(len(table))}
    for column in by:
        labels = table.label_of(column)
        for value in dict.fromkeys(labels):
            groups[column, value] = np.flatnonzero([label == value for label in labels])  # type: ignore[index]
    grid = np.geomspace(SMALLEST, LARGEST, _POINTS)
    curves = _curves(table, errors, grid)
    of_one = _curves(table, errors, np.ones(1))[0]
    analyses = np.unique(table.analyses, return_inverse=True)[1]
    return tuple(
        _best(value, grid, curves[:, rows], of_one[rows], analyses[rows]) for (_, value), rows in groups.items()
    )


def _curves(table: RegionTable, errors: Uncertainty, grid: np.ndarray) -> Float64[np.ndarray, "k m"]:
    n, b = (np.tile(v, len(grid)) for v in (table.observed, table.expected))
    error = (grid[:, None] * table.error).ravel()
    return log_probability("equal", n, b, error, errors).reshape(len(grid), -1)


def _best(group: str, grid: np.ndarray, curves: np.ndarray, of_one: np.ndarray, analyses: np.ndarray) -> ErrorFactor:
    log_f = np.log(grid)
    spline = CubicSpline(log_f, curves, axis=0)
    fine = np.linspace(log_f[0], log_f[-1], 4001)
    total = CubicSpline(log_f, curves.sum(axis=1))(fine)
    top = int(total.argmax())
    inside = np.flatnonzero(total >= total[top] - _ONE_SIGMA)
    factor = float(np.exp(fine[top])) if 0 < top < len(fine) - 1 else float(grid[0] if top == 0 else grid[-1])
    spread, many = np.nan, len(np.unique(analyses))
    if many >= _FEWEST_ANALYSES and 0 < top < len(fine) - 1:
        scores = np.bincount(analyses, weights=spline(fine[top], 1))
        curvature = -float(spline(fine[top], 2).sum())
        spread = factor * float(np.sqrt((scores**2).sum())) / curvature
    return ErrorFactor(
        group=group,
        regions=curves.shape[1],
        analyses=many,
        factor=factor,
        low=float(np.exp(fine[inside[0]])),
        high=float(np.exp(fine[inside[-1]])),
        spread=spread,
        log_ratio=float(total[top] - of_one.sum()),
    )
