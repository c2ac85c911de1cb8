"""By how much the scores of two samples fluctuate without a difference: the null variance that each event adds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nplm.averaged_weights import averaged
from nplm.two_sample.pool import Pool


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
