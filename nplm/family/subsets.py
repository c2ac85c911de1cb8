"""Subsets of the events of both samples that a family looks at by themselves too, such as the rarest by a score.

Which events are in a subset is a function of the events alone, fixed before the data were seen. So labels may be
exchanged within it as within the whole, and one set of samples without a difference is that of all members together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int
from scipy.optimize import brentq

from nplm.family.build import family_parts
from nplm.family.circular import with_angles
from nplm.family.member import Member, Moments, Part, shrinkage
from nplm.family.ranks import CELL, Cells, normal_scores
from nplm.family.settings import COUNT, INTERVALS, FamilySettings
from nplm.family.spread import Spread
from nplm.two_sample.pooled import Pool

# Degrees of freedom of a test in a subset, at most: this share of the events that the smaller sample is to have in it.
MOST_FREEDOM = 0.2
# With fewer events of the smaller sample a p-value is no smaller than what samples without a difference show.
FEW = 100


@dataclass(frozen=True, eq=False)
class Subset:
    """Events of two samples that are looked at by themselves too.

    Arguments:
        name: of them in words, such as "the rarest 1% by the score".
        in_a, in_b: which events of A and of B they are, shapes (n_A,) and (n_B,).
    """

    name: str
    in_a: Bool[np.ndarray, " n_a"]
    in_b: Bool[np.ndarray, " n_b"]

    def rows(self, pool: Pool) -> Int[np.ndarray, " k"]:
        """Their rows in a pool of both samples."""
        return np.flatnonzero(np.concatenate([self.in_a, self.in_b])[pool.order])


def subset_parts(
    subset: Subset,
    pool: Pool,
    spread: Spread,
    q: float,
    settings: FamilySettings,
    *,
    circular: tuple[bool, ...],
    seed: int,
) -> list[Part]:
    """The number of events in a subset, and the family's kernels and products of them.

    Coordinates, centres and widths are those of the events of the subset, of both samples together.

    Arguments:
        subset: the events.
        pool: of both samples.
        spread: what events add to the variance of a score.
        q: share of the masses that B has.
        settings: which members there are.
        circular: which features are angles.
        seed: of the centres of kernels of all features.

    Raises:
        ValueError: if the subset holds all events, or none.
    """
    rows = subset.rows(pool)
    expected = min(q, 1 - q) * float(spread.positive[rows].sum())
    if not 0 < len(rows) < len(pool):
        raise ValueError(f"{subset.name}: these are all events of both samples, or none; leave this subset out")
    found = [_count(subset, rows, pool, spread)]
    classes = tuple(kind for kind in settings.classes if kind != INTERVALS)
    raw = pool.rows[rows]
    features = np.flatnonzero(np.ptp(raw, axis=0) > 0)
    if not classes or not len(features):
        return found
    raw, masses = raw[:, features], pool.masses[rows]
    raw = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    circles = tuple(circular[j] for j in features)
    z = with_angles(normal_scores(raw, np.abs(masses)), circles)
    parts = family_parts(
        z,
        masses,
        Spread(spread.second[rows], spread.fourth[rows], spread.positive[rows]),
        replace(settings, classes=classes),
        circular=circles,
        fine=[Cells.of(x, CELL) for x in z.T],
        raw=raw,
        seed=seed,
    )
    for part in parts:
        named = (
            replace(member, features=tuple(int(features[j]) for j in member.features), subset=subset.name)
            for member in part.members
        )
        found.append(replace(part, members=tuple(named), inside=rows))
    return [found[0], *of_few(found[1:], expected)]


def of_few(parts: Sequence[Part], expected: float) -> list[Part]:
    """Parts of few events: no more degrees of freedom than a fifth of them, and of very few p is counted only.

    Arguments:
        parts: of the same events.
        expected: how many the smaller sample has among them without a difference.
    """
    found = []
    for part in parts:
        members = within_freedom(part.members, part.variance, MOST_FREEDOM * expected)
        if members:
            found.append(replace(part, members=members, few=expected < FEW))
    return found


def within_freedom(members: Sequence[Member], variance: Float64[np.ndarray, " r"], most: float) -> tuple[Member, ...]:
    """Members of a part whose c add up to no more than `most`: kernels with the penalty at which they do, if need be.

    Arguments:
        members: of one part.
        variance: mu of each of its modes.
        most: degrees of freedom.
    """
    if members[0].penalty is None:
        return tuple(member for member in members if member.shrinkage.sum() <= most)
    least = _penalty_at(variance, most)
    penalties = {max(member.penalty or 0.0, least): member for member in members}
    return tuple(
        replace(member, penalty=penalty, shrinkage=shrinkage(variance, penalty))
        for penalty, member in penalties.items()
    )


def _penalty_at(variance: Float64[np.ndarray, " r"], freedom: float) -> float:
    """The penalty at which the c of all modes add up to `freedom`; 0 if there are not as many modes."""
    if len(variance) <= freedom:
        return 0.0

    def excess(log_penalty: float) -> float:
        return float(shrinkage(variance, np.exp(log_penalty)).sum()) - freedom

    # c is at most 2 mu / penalty, and 1 - c at most (penalty / mu)^2.
    low = np.log(variance.min()) + 0.5 * np.log((len(variance) - freedom) / len(variance)) - 1e-9
    high = np.log(2 * variance.sum() / freedom) + 1e-9
    return float(np.exp(brentq(excess, low, high)))


def _count(subset: Subset, rows: Int[np.ndarray, " k"], pool: Pool, spread: Spread) -> Part:
    """The number of events of B in a subset, in units of its deviation: one function, constant inside and outside."""
    inside = np.zeros(len(pool), dtype=np.int16)
    inside[rows] = 1
    moments = Moments.of((pool.masses, spread.second, spread.fourth), inside, 2)
    psi = np.array([[0.0], [1.0]])
    phi = psi - moments.mean(psi)
    phi /= np.sqrt(moments.second @ phi**2)
    return Part(inside, phi, np.ones(1), (Member(COUNT, (), None, None, np.ones(1), subset=subset.name),))
