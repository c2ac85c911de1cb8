"""The largest excesses and deficits of a table, and how often chance gives one as large in some region."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import log1p

from nplm.channels.counts import Uncertainty
from nplm.channels.draws import draw_counts
from nplm.channels.pvalues import RegionPValues, critical_counts, log_reached
from nplm.channels.table import RegionTable


@dataclass(frozen=True)
class Extreme:
    """A region that stands out.

    Arguments:
        analysis, region: which.
        observed, expected, error: what it has.
        side: whether there are too many events, or too few.
        p_value: of the region by itself.
        global_p: that some of all regions has a p-value as small, on this side, exactly for independent regions.
        drawn_p: the same counted from tables with the covariances, (1 + k) / (1 + draws); NaN without covariances.
    """

    analysis: str
    region: str
    observed: float
    expected: float
    error: float
    side: Literal["excess", "deficit"]
    p_value: float
    global_p: float
    drawn_p: float

    @property
    def overall_p(self) -> float:
        """The global p-value: counted from draws if there are covariances, unless that is below what draws can show.

        Then it is that of independent regions; so it is the larger one of both.
        """
        return self.global_p if np.isnan(self.drawn_p) else max(self.global_p, self.drawn_p)


def on_their_side(found: Sequence[Extreme]) -> list[Extreme]:
    """Those that are an excess, or a deficit, at all: a small table has not as many of either as are listed."""
    return [each for each in found if each.p_value < 0.5]


def extremes(
    table: RegionTable,
    p_values: RegionPValues,
    errors: Uncertainty = "gaussian",
    *,
    side: Literal["excess", "deficit"] = "excess",
    most: int = 10,
    draws: int = 2000,
    seed: int = 1,
) -> tuple[Extreme, ...]:
    """The regions of smallest p-value, each with the probability that any region has one as small.

    With n_r the count at which region r falls to the p-value p of the extreme one, the global p-value is
    1 - prod_r [1 - P(N_r >= n_r)] over independent regions: counts are discrete, so that most regions cannot have p
    itself, and the trials factor is smaller than their number.

    Arguments:
        table: the regions.
        p_values: theirs.
        errors: how their expectations are uncertain.
        side: of which side.
        most: how many.
        draws: tables that are drawn, if there are covariances.
        seed: of the draws.
    """
    log_p = p_values.log_excess if side == "excess" else p_values.log_deficit
    order = np.argsort(log_p, kind="stable")[:most]
    # A level that rounding puts a little below the p-value of the region itself would miss its own count.
    # No largest count has a deficit of p = 1 at most, as all have.
    levels = np.clip(np.exp(log_p[order]) * (1 + 1e-9), 1e-300, 1 - 1e-9 if side == "deficit" else None)
    critical = critical_counts(levels, table, errors, side)
    reached = np.exp(log_reached(critical, table, errors, 1.0, side))
    of_any = -np.expm1(log1p(-reached).sum(axis=1))
    drawn = np.full(len(order), np.nan)
    if table.covariances:
        n = draw_counts(table, np.random.default_rng([seed, 7]), draws, errors)
        hits = [((n >= row) if side == "excess" else (n <= row)).any(axis=1).sum() for row in critical]
        drawn = (1 + np.array(hits)) / (1 + draws)
    return tuple(
        Extreme(
            analysis=table.analyses[row],
            region=table.regions[row],
            observed=float(table.observed[row]),
            expected=float(table.expected[row]),
            error=float(table.error[row]),
            side=side,
            p_value=float(np.exp(log_p[row])),
            global_p=float(of_any[i]),
            drawn_p=float(drawn[i]),
        )
        for i, row in enumerate(order.tolist())
    )
