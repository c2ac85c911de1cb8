"""Cautions that belong beside the numbers of a comparison."""

from __future__ import annotations

import numpy as np

from nplm.data.sample import Sample
from nplm.two_sample.calibration import Calibrate
from nplm.two_sample.modes import Basis
from nplm.two_sample.pooled import Pool

# Share of the events that both samples have in common, and of distinct ones, that mean that they are not independent.
_SHARED, _DISTINCT = 0.01, 0.5
# With more degrees of freedom than this share of the events the normal distribution is rough.
_LARGEST_FREEDOM = 0.2


def notes_on(a: Sample, b: Sample, pool: Pool) -> list[str]:
    """What a reader must know of any test of two samples.

    Arguments:
        a, b: the samples.
        pool: of both.
    """
    notes = []
    shared = _shared(pool)
    if a.fingerprint() == b.fingerprint():
        notes.append(f"{a.name} and {b.name} hold the same events: the test says nothing about two independent samples")
    elif shared > _SHARED * min(len(a), len(b)):
        notes.append(
            f"{shared:,} events of the smaller sample are in the other too: the samples are not independent, and p is"
            " too large"
        )
    return notes


def notes_on_calibration(basis: Basis, calibrate: Calibrate) -> list[str]:
    """What a reader must know of a calibration by permutations or a normal distribution.

    Arguments:
        basis: prepared on both samples.
        calibrate: what calibrates the test.
    """
    pool, notes = basis.pool, []
    if calibrate == "asymptotic" and not pool.exchange.allowed:
        notes.append(
            f"labels may not be permuted, as {pool.exchange.reason}: p is read from the normal distribution of the"
            " scores"
        )
    freedom = max(float(test.shrinkage.sum()) for test in basis.tests)
    if calibrate != "permutation" and freedom > _LARGEST_FREEDOM * pool.total:
        notes.append(
            f"there are {freedom:.0f} degrees of freedom for {pool.total:.0f} effective events: the null is rough,"
            " and p tends to be too large; take a larger penalty"
        )
    return notes


def _shared(pool: Pool) -> int:
    """Number of places that hold events of both samples, unless features are discrete."""
    in_b, same = pool.in_b, np.ones(len(pool) - 1, dtype=bool)
    for x in pool.rows.T:
        same &= x[1:] == x[:-1]
    if (~same).sum() < _DISTINCT * len(pool):
        return 0
    return int(np.count_nonzero(same & (in_b[1:] != in_b[:-1])))
