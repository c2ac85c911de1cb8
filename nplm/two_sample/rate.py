"""The yields of two samples, compared apart from their shapes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from nplm.data.sample import Sample
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
    if exact:
        expected = (mass - observed) * share / (1 - share)
        counted = log_p_of_poisson(observed, expected) if _are_events(pool.masses[pool.in_b]) else None
        return Rate(observed, expected, poisson_root(observed, expected), counted)
    return _binomial_rate(observed, mass, share, _are_events(pool.masses))


def rate_of_samples(a: Sample, b: Sample, expected_ratio: float) -> Rate:
    """The binomial rate of two samples that are not looked at otherwise: B may have no events, or features be constant.

    Arguments:
        a: its yield is positive.
        b: a yield that is not positive counts as none.
        expected_ratio: yield of B / yield of A that is expected.
    """
    unit_a = a.total_weight / float(a.weights @ a.weights)
    unit_b = b.total_weight / float(b.weights @ b.weights) if b.total_weight > 0 else 1.0
    share = expected_ratio * unit_b / (unit_a + expected_ratio * unit_b)
    observed = max(b.total_weight, 0.0) * unit_b
    events = _are_events(np.concatenate([unit_a * a.weights, unit_b * b.weights]))
    return _binomial_rate(observed, observed + a.effective_size, share, events)


def _binomial_rate(observed: float, mass: float, share: float, events: bool) -> Rate:
    expected = (mass - observed) * share / (1 - share)
    counted = log_p_of_binomial(observed, mass, share) if events else None
    return Rate(observed, expected, binomial_root(observed, mass, share), counted)


def _are_events(masses: Float64[np.ndarray, " n"]) -> bool:
    return bool(np.all(np.abs(masses - 1) <= _ROUNDING))
