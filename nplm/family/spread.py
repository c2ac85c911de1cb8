"""By how much the scores of two samples fluctuate without a difference: the null variance that each event adds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from nplm.two_sample.pool import Pool

# Masses of signed samples are averaged over cells of at least so many events.
_AVERAGED = 8


@dataclass(frozen=True, eq=False)
class Spread:
    """Second and fourth moments of what each event adds to a score y = (1 - q) sum_B m phi - q sum_A m phi.

    q is the share of the masses that B is expected to have. Where (event, weight) pairs are exchangeable the label of
    an event is all that fluctuates: it adds (1 - q) m phi with probability q, and -q m phi otherwise. Where they are
    not, a sample of equal weights is a Poisson process, whose intensity under the null is that of both samples
    together, q |m| for B; of a sample whose weights vary the squares of its own masses count.

    Arguments:
        second: sum of these is the variance of y for phi = 1, shape (n,).
        fourth: shape (n,).
        positive: masses without negative ones: averaged over neighbours where some are negative, shape (n,).
    """

    second: Float64[np.ndarray, " n"]
    fourth: Float64[np.ndarray, " n"]
    positive: Float64[np.ndarray, " n"]

    @classmethod
    def of(cls, pool: Pool, z: Float64[np.ndarray, "n d"], q: float) -> Spread:
        """The moments for a pool whose events have the normal scores z."""
        m, in_b = pool.masses, pool.in_b
        positive = np.empty(len(m))
        for rows in (np.flatnonzero(in_b), np.flatnonzero(~in_b)):
            positive[rows] = averaged(z[rows], m[rows])
        if pool.exchange.allowed:
            return cls(m**2 * q * (1 - q), m**4 * q * (1 - q) * (q**3 + (1 - q) ** 3), positive)
        second, fourth = np.zeros(len(m)), np.zeros(len(m))
        for inside, own, other in ((in_b, 1 - q, q), (~in_b, q, 1 - q)):
            if equal_masses(m[inside]):
                unit = float(m[inside][0])
                second += own**2 * other * unit * positive
                fourth += own**4 * other * unit**3 * positive
            else:
                second += np.where(inside, own**2 * m**2, 0.0)
                fourth += np.where(inside, own**4 * m**4, 0.0)
        return cls(second, fourth, positive)


def equal_masses(masses: Float64[np.ndarray, " n"]) -> bool:
    """Whether all events count the same."""
    return bool(np.ptp(masses) <= 1e-12 * abs(masses[0]))


def averaged(z: Float64[np.ndarray, "n d"], masses: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Masses averaged over neighbouring events until none is negative; as they are where none is.

    Events are halved at the median of one feature after the other, as long as both halves hold enough events and
    positive sums; the events of a cell then share its sum. That keeps the expectation of any function which is smooth
    on the scale of the cells.
    """
    if (masses >= 0).all():
        return masses
    shared = np.empty(len(masses))
    waiting = [(np.arange(len(masses)), 0)]
    while waiting:
        rows, depth = waiting.pop()
        halves = _halves(z, masses, rows, depth)
        if halves is None:
            shared[rows] = masses[rows].mean()
        else:
            waiting += [(half, depth + 1) for half in halves]
    return shared


def _halves(z: np.ndarray, masses: np.ndarray, rows: np.ndarray, depth: int) -> tuple[np.ndarray, np.ndarray] | None:
    if len(rows) < 2 * _AVERAGED:
        return None
    for step in range(z.shape[1]):
        x = z[rows, (depth + step) % z.shape[1]]
        low: Bool[np.ndarray, " m"] = x <= np.median(x)
        first, second = rows[low], rows[~low]
        enough = min(len(first), len(second)) >= _AVERAGED
        if enough and masses[first].sum() > 0 and masses[second].sum() > 0:
            return first, second
    return None
