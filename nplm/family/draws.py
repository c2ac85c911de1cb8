"""Samples of the null for a family: both samples are drawn anew, and their scores are sums over few events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.sparse import csr_array

from nplm.family.part import Part
from nplm.family.spread import Spread, equal_masses
from nplm.two_sample.pool import Pool

# Samples whose masses vary are resampled in so many bags of events at most.
_MOST_BAGS = 4096


@dataclass(frozen=True, eq=False)
class Draws:
    """L pairs of samples as signed measures on the pooled events: a sum over drawn events, and one over bags.

    y of a pair is sum_e a_e phi_e - c, with a the drawn events in `events` and the bags' share of all events.

    Arguments:
        events: what drawn events add, L rows of n columns.
        constant: what is subtracted of every pair, for each event, shape (n,).
        bag: number of the bag of each event, shape (n,); -1 outside; None without bags.
        signed: what an event of a bag adds, shape (n,); None without bags.
        multipliers: of the bags, mean zero and variance one, shape (L, bags); None without bags.
    """

    events: csr_array
    constant: Float64[np.ndarray, " n"]
    bag: Int64[np.ndarray, " n"] | None = None
    signed: Float64[np.ndarray, " n"] | None = None
    multipliers: Float64[np.ndarray, "L bags"] | None = None

    @property
    def count(self) -> int:
        """Number of pairs, L."""
        return self.events.shape[0]

    def summed(self, cell: Int64[np.ndarray, " n"], rows: int) -> Float64[np.ndarray, "L rows"]:
        """The measures of all pairs in cells."""
        drawn = self.events
        toy = np.repeat(np.arange(self.count), np.diff(drawn.indptr))
        place = toy * rows + cell[drawn.indices]
        found = np.bincount(place, drawn.data, self.count * rows).reshape(self.count, rows)
        found -= np.bincount(cell, self.constant, rows)
        if self.bag is None or self.signed is None or self.multipliers is None:
            return found
        bags = self.multipliers.shape[1]
        inside = self.bag >= 0
        place = self.bag[inside] * rows + cell[inside]
        each = np.bincount(place, self.signed[inside], bags * rows).reshape(bags, rows)
        return found + self.multipliers @ (each - each.mean(axis=0))

    def scores(self, part: Part) -> Float64[np.ndarray, "L r"]:
        """y of each pair in the modes of a part."""
        if part.cell is not None:
            return np.asarray(self.summed(part.cell, len(part.phi)) @ part.phi)
        found = self.events @ part.phi - self.constant @ part.phi
        if self.bag is None or self.signed is None or self.multipliers is None:
            return np.asarray(found)
        inside = np.flatnonzero(self.bag >= 0)
        order = inside[np.argsort(self.bag[inside], kind="stable")]
        starts = np.searchsorted(self.bag[order], np.arange(self.multipliers.shape[1]))
        each = np.add.reduceat(self.signed[order, None] * part.phi[order], starts, axis=0)
        return np.asarray(found + self.multipliers @ (each - each.mean(axis=0)))


def observed(pool: Pool, q: float) -> Draws:
    """The pair of samples as they are: y = (1 - q) sum_B m phi - q sum_A m phi."""
    signed = pool.masses * np.where(pool.in_b, 1 - q, -q)
    return Draws(csr_array(signed[None]), np.zeros(len(pool)))


def null_draws(pool: Pool, spread: Spread, q: float, count: int, seed: int) -> Draws:
    """Pairs of samples without a difference.

    Where (event, weight) pairs are exchangeable the labels are drawn anew: a permutation of them if shapes are
    compared, independent ones of probability q for B if yields are too; that is exact. Where they are not, a sample of
    equal weights is drawn from both samples together as a Poisson process, and one whose weights vary fluctuates as its
    bags of events do when they are counted a Poisson number of times (bootstrap), about what both expect together.

    Arguments:
        pool: of both samples.
        spread: of what events add to a score.
        q: share of the masses that B is expected to have.
        count: number of pairs.
        seed: of the draws.
    """
    rng = np.random.default_rng([seed, 0x6E756C6C])
    if pool.exchange.allowed:
        return _relabelled(pool, q, count, rng)
    n, m = len(pool), pool.masses
    events, constant = csr_array((count, n)), np.zeros(n)
    bag, signed, bags = np.full(n, -1), np.zeros(n), 0
    for inside, own, other, sign in ((pool.in_b, 1 - q, q, 1.0), (~pool.in_b, q, 1 - q, -1.0)):
        if equal_masses(m[inside]):
            unit = float(m[inside][0])
            expected = other * spread.positive / unit
            drawn = _poisson_process(expected, count, rng)
            events = csr_array(events + drawn * (sign * own * unit))
            constant += sign * own * unit * expected
        else:
            own_bags = min(_MOST_BAGS, int(inside.sum()))
            bag[inside] = bags + rng.permutation(int(inside.sum())) % own_bags
            signed[inside] = sign * own * m[inside]
            bags += own_bags
    if not bags:
        return Draws(events, constant)
    multipliers = rng.poisson(1.0, (count, bags)) - 1.0
    return Draws(events, constant, bag, signed, multipliers)


def _relabelled(pool: Pool, q: float, count: int, rng: np.random.Generator) -> Draws:
    n = len(pool)
    fixed = pool.expected_share is None
    # Of the smaller sample the events are listed, so that sums are over few.
    flip = pool.smaller_is_b
    own = int(pool.in_b.sum()) if flip else n - int(pool.in_b.sum())
    sizes = np.full(count, own) if fixed else rng.binomial(n, q if flip else 1 - q, count)
    rows = np.concatenate([rng.choice(n, size, replace=False, shuffle=False) for size in sizes.tolist()])
    ends = np.concatenate([[0], np.cumsum(sizes)])
    sign = 1.0 if flip else -1.0
    events = csr_array((sign * pool.masses[rows], rows, ends), shape=(count, n))
    # Listed as B: sum_B m - q sum m; listed as A: (1 - q) sum m - sum_A m.
    return Draws(events, (q if flip else q - 1) * pool.masses)


def _poisson_process(expected: Float64[np.ndarray, " n"], count: int, rng: np.random.Generator) -> csr_array:
    """L Poisson processes with these expectations at the events, as counts."""
    total = float(expected.sum())
    sizes = rng.poisson(total, count)
    rows = rng.choice(len(expected), int(sizes.sum()), p=expected / total)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    found = csr_array((np.ones(len(rows)), rows, ends), shape=(count, len(expected)))
    found.sum_duplicates()
    return found
