"""By how much the scores of two samples fluctuate without a difference: the null variance that each event adds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nplm.data.averaged_weights import averaged
from nplm.family.kd_tree import leaves
from nplm.family.local_masses import Marks
from nplm.two_sample.pooled import Pool

# Events of both samples in a leaf, whose masses stand for each other.
IN_LEAF = 64


@dataclass(frozen=True, eq=False)
class Spread:
    """Second and fourth moments of what each event adds to a score y = (1 - q) sum_B m phi - q sum_A m phi.

    q is the share of the masses that B has. Where (event, weight) pairs are exchangeable the label of
    an event is all that fluctuates: it adds (1 - q) m phi with probability q, and -q m phi otherwise. Where they are
    not, each sample is a Poisson process whose intensity under the null is that of both samples together, q |m| for the
    mass of B, and whose events have the masses that those of the sample have nearby.

    Arguments:
        second: sum of these is the variance of y for phi = 1, shape (n,).
        fourth: shape (n,).
        positive: masses without negative ones: averaged over neighbours where some are negative, shape (n,).
        marks: masses of the events of B and of A; None where labels are all that fluctuates.
    """

    second: Float64[np.ndarray, " n"]
    fourth: Float64[np.ndarray, " n"]
    positive: Float64[np.ndarray, " n"]
    marks: tuple[Marks, Marks] | None = None

    @classmethod
    def of(cls, pool: Pool, z: Float64[np.ndarray, "n d"], q: float) -> Spread:
        """The moments for a pool whose events have the normal scores z."""
        m, in_b = pool.masses, pool.in_b
        if pool.exchange.allowed and equal_masses(m):
            one = m[0]
            moments = one**2 * q * (1 - q), one**4 * q * (1 - q) * (q**3 + (1 - q) ** 3)
            second, fourth = (np.broadcast_to(np.asarray(each), m.shape) for each in moments)
            return cls(second, fourth, m)
        positive = np.empty(len(m))
        for rows in (np.flatnonzero(in_b), np.flatnonzero(~in_b)):
            positive[rows] = averaged(z[rows], m[rows])
        if pool.exchange.allowed:
            return cls(m**2 * q * (1 - q), m**4 * q * (1 - q) * (q**3 + (1 - q) ** 3), positive)
        leaf = leaves(z, max(int(np.log2(len(m) / IN_LEAF)), 0))
        b, a = (Marks.of(m[inside], leaf[inside], leaf) for inside in (in_b, ~in_b))
        second = q * (1 - q) * positive * ((1 - q) * b.unit + q * a.unit)
        fourth = q * (1 - q) * positive * ((1 - q) ** 3 * b.cube + q**3 * a.cube)
        return cls(second, fourth, positive, (b, a))


def equal_masses(masses: Float64[np.ndarray, " n"]) -> bool:
    """Whether all events count the same."""
    return bool(np.ptp(masses) <= 1e-12 * abs(masses[0]))
