"""Fake tables: counts drawn as if nothing but the background were there, with what regions share."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from nplm.channels.counts import Uncertainty, expectation_at
from nplm.channels.table import RegionTable


def draw_expectations(
    table: RegionTable, rng: np.random.Generator, draws: int, errors: Uncertainty = "gaussian", factor: float = 1.0
) -> Float64[np.ndarray, "draws m"]:
    """True expectations of the background, shape (draws, m).

    Each region's follows its own distribution exactly; where there is a covariance, normal variables z with its
    correlations are drawn, and each expectation is the quantile at Phi(z) of its distribution (a Gaussian copula, which
    for Gaussian errors away from zero is the multivariate normal distribution itself).

    Arguments:
        table: the regions.
        rng: where the randomness comes from.
        draws: how many tables.
        errors: how expectations are uncertain.
        factor: what the errors are multiplied with.
    """
    z = rng.standard_normal((draws, len(table)))
    for covariance in table.covariances.values():
        z[:, covariance.rows] = z[:, covariance.rows] @ np.linalg.cholesky(covariance.correlation).T
    return expectation_at(z, table.expected, factor * table.error, errors)


def draw_counts(
    table: RegionTable,
    rng: np.random.Generator,
    draws: int,
    errors: Uncertainty = "gaussian",
    factor: float = 1.0,
    signal: Float64[np.ndarray, " m"] | None = None,
) -> Float64[np.ndarray, "draws m"]:
    """Counts of so many tables, shape (draws, m): Poisson with the expectations of `draw_expectations`.

    Arguments:
        table, rng, draws, errors, factor: see there.
        signal: a yield that is added to each expectation, shape (m,).
    """
    expectations = draw_expectations(table, rng, draws, errors, factor)
    return rng.poisson(expectations if signal is None else expectations + signal).astype(np.float64)
