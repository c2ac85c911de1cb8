"""The yields of two samples, compared apart from their shapes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from nplm.stats.yields import Rate, binomial_root, log_p_of_binomial, log_p_of_poisson, poisson_root
from nplm.two_sample.pooled import Pool

# Masses of events of equal weights are one to this.
_ROUNDING = 1e-9


def rate_of(pool: Pool, *, exact: bool) -> Rate | None:
    """The rate of a pool, or None if its yields are not compared.

    The masses of B are binomial given those of both samples; or Poisson, if A is to be taken as exact because its
    yield is known from elsewhere and not from the number of its events.
    """
    share = pool.expected_share
    if share is None:
        return None
    observed, mass = pool.total_b, pool.total
    expected = (mass - observed) * share / (1 - share)
    if exact:
        counted = log_p_of_poisson(observed, expected) if _are_events(pool.masses[pool.in_b]) else None
        return Rate(observed, expected, poisson_root(observed, expected), counted)
    counted = log_p_of_binomial(observed, mass, share) if _are_events(pool.masses) else None
    return Rate(observed, expected, binomial_root(observed, mass, share), counted)


def _are_events(masses: Float64[np.ndarray, " n"]) -> bool:
    return bool(np.all(np.abs(masses - 1) <= _ROUNDING))
