"""The histogram of p-values over regions, and what is expected of it exactly: counts are discrete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nplm.channels.counts import Uncertainty
from nplm.channels.draws import draw_counts
from nplm.channels.pvalues import Kind, critical_counts, log_reached
from nplm.channels.table import RegionTable


@dataclass(frozen=True)
class Expectation:
    """What the histogram would be if the true errors were a factor times those of the table.

    Arguments:
        factor: true errors over those of the table: 1 if these are right, 1/1.3 if they are 30% too large.
        counts: expected number of regions in each bin, shape (bins,).
        p_value: how often tables drawn so have a histogram at least as far from this expectation as the observed one.
    """

    factor: float
    counts: tuple[float, ...]
    p_value: float


@dataclass(frozen=True)
class PHistogram:
    """How many regions have their p-value in each bin.

    Arguments:
        kind: which p-value, see `nplm.channels.pvalues.Kind`.
        edges: of the bins, which hold their upper edge, from 0 to 1.
        observed: regions in each bin.
        expected: what is expected for several factors of the errors.
        draws: tables that were drawn for each factor.
    """

    kind: Kind
    edges: tuple[float, ...]
    observed: tuple[int, ...]
    expected: tuple[Expectation, ...]
    draws: int


def p_histogram(
    table: RegionTable,
    errors: Uncertainty = "gaussian",
    *,
    kind: Kind = "excess",
    bins: int = 20,
    factors: Sequence[float] = (1.0, 1 / 1.3, 0.5, 1.3),
    draws: int = 1000,
    seed: int = 1,
) -> PHistogram:
    """The histogram of p-values, with its exact expectation for several sizes of the true errors.

    The p-value of a region falls into the bins up to u where its count is at least n_u, the smallest one with
    p(n_u) <= u under the errors of the table; so sum_r P(N_r >= n_ru) regions are expected there, with probabilities
    under the true errors. No count is taken for a continuous variable. Tables are drawn to say how far an observed
    histogram may be from that, as regions share covariances.

    Arguments:
        table: the regions.
        errors: how their expectations are uncertain.
        kind: "excess", "deficit" or "mid".
        bins: their number, of equal width.
        factors: true errors over those of the table, one after the other.
        draws: tables that are drawn for each.
        seed: of the draws.
    """
    edges = np.linspace(0, 1, bins + 1)
    critical = critical_counts(edges[1:-1], table, errors, kind)

    def counted(n: Float64[np.ndarray, "draws m"]) -> Float64[np.ndarray, "draws bins"]:
        below = [(n <= row if kind == "deficit" else n >= row).sum(axis=1) for row in critical]
        return np.diff(np.column_stack([np.zeros(len(n)), *below, np.full(len(n), n.shape[1])]), axis=1)

    observed = counted(table.observed[None])[0]
    expectations = []
    for number, factor in enumerate(factors):
        reached = np.exp(log_reached(critical, table, errors, factor, kind))
        share = np.diff(np.vstack([np.zeros(len(table)), reached, np.ones(len(table))]), axis=0)
        expected = share.sum(axis=1)
        scale = np.maximum((share * (1 - share)).sum(axis=1), 1e-12)
        drawn = counted(draw_counts(table, np.random.default_rng([seed, number]), draws, errors, factor))
        distance = ((np.vstack([observed, drawn]) - expected) ** 2 / scale).sum(axis=1)
        p = float((distance >= distance[0] - 1e-9).sum() / (1 + draws))
        expectations.append(Expectation(float(factor), tuple(expected.tolist()), p))
    return PHistogram(kind, tuple(edges.tolist()), tuple(int(v) for v in observed), tuple(expectations), draws)
