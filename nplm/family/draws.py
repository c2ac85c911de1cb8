"""Samples of the null for a family: both samples are drawn anew, and their scores are sums over few events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np
from jaxtyping import Float64, Int
from scipy.sparse import csc_array, csr_array

from nplm.family.local_masses import Marks
from nplm.family.member import Part
from nplm.family.ranks import smallest
from nplm.family.spread import Spread, equal_masses
from nplm.two_sample.pooled import Pool

# Large samples are resampled in so many bags of events at most.
_MOST_BAGS = 4096
# Events that are drawn in all pairs together, beyond which samples are drawn in bags.
_MOST_DRAWN = 20_000_000
# Share of values that are not zero below which a matrix is sparse, and values of one that is filled up.
_SPARSE, _FILLED = 0.02, 4_000_000
# Events whose bags are summed at a time.
_AT_A_TIME = 1 << 20
_EVERY = slice(None)


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
    bag: Int[np.ndarray, " n"] | None = None
    signed: Float64[np.ndarray, " n"] | None = None
    multipliers: Float64[np.ndarray, "L bags"] | None = None

    @property
    def count(self) -> int:
        """Number of pairs, L."""
        return self.events.shape[0]

    def summed(self, cell: Int[np.ndarray, " n"], rows: int) -> Float64[np.ndarray, "L rows"]:
        """The measures of all pairs in cells."""
        found = self._drawn(cell, rows)
        if self.multipliers is None:
            return found
        return found + self._of_bags(self._bags(cell, rows).toarray())

    def scores(self, parts: Sequence[Part]) -> Iterator[Float64[np.ndarray, "L r"]]:
        """y of each pair in the modes of each part, which follow each other by the events that they are made of."""
        for _, some in groupby(parts, key=lambda part: id(part.inside)):
            alike = list(some)
            inside = alike[0].inside
            yield from (self if inside is None else self._within(inside))._scores(alike)

    def _within(self, rows: Int[np.ndarray, " k"]) -> Draws:
        """The measures at some events."""
        bag, signed = (None if each is None else each[rows] for each in (self.bag, self.signed))
        return Draws(self._by_event[:, rows].tocsr(), self.constant[rows], bag, signed, self.multipliers)

    def _scores(self, parts: Sequence[Part]) -> Iterator[Float64[np.ndarray, "L r"]]:
        """The same in parts of the same events; those on the same cells that follow each other share the sums."""
        cell, measure, bags = None, np.empty((0, 0)), csr_array((0, 0))
        for part in parts:
            if part.cell is None:
                yield self._of_events(part)
                continue
            if part.cell is not cell:
                cell = part.cell
                measure = self._drawn(cell, part.rows)
                if self.multipliers is not None:
                    bags = self._bags(cell, part.rows)
            phi = part.phi_of(slice(None))
            found = measure @ phi
            yield found if self.multipliers is None else found + self._of_bags(bags @ phi)

    def _of_events(self, part: Part) -> Float64[np.ndarray, "L r"]:
        """y of each pair in a part in which each event has a row of its own."""
        found = np.zeros((self.count, part.modes))
        of_bags = np.zeros((0 if self.multipliers is None else self.multipliers.shape[1], part.modes))
        blocks = part.blocks
        for rows in blocks:
            phi = part.phi_of(rows)
            if self.events.nnz:
                found += _product(self.events if len(blocks) == 1 else self._by_event[:, rows], phi)
            found -= self.constant[rows] @ phi
            if self.multipliers is not None:
                of_bags += self._bags(np.arange(len(phi)), len(phi), rows) @ phi
        return found if self.multipliers is None else found + self._of_bags(of_bags)

    @cached_property
    def _by_event(self) -> csc_array:
        return self.events.tocsc()

    def _drawn(self, cell: Int[np.ndarray, " n"], rows: int) -> Float64[np.ndarray, "L rows"]:
        """The measures of drawn events in cells, or one row for all pairs if none are drawn."""
        constant = np.bincount(cell, self.constant, rows)
        drawn = self.events
        if not drawn.nnz:
            return -constant[None]
        toy = np.repeat(np.arange(self.count), np.diff(drawn.indptr))
        place = toy * rows + cell[drawn.indices]
        return np.bincount(place, drawn.data, self.count * rows).reshape(self.count, rows) - constant

    def _bags(self, cell: Int[np.ndarray, " n"], rows: int, events: slice = _EVERY) -> csr_array:
        """What events of each bag add in each cell."""
        assert self.bag is not None
        assert self.signed is not None
        assert self.multipliers is not None
        bag, signed = self.bag[events], self.signed[events]
        shape = (self.multipliers.shape[1], rows)
        found = csr_array(shape)
        # Some events at a time, as sorting millions of them by their cells takes several copies.
        for begin in range(0, len(bag), _AT_A_TIME):
            some = slice(begin, begin + _AT_A_TIME)
            inside = bag[some] >= 0
            place = bag[some][inside], cell[some][inside]
            found = found + csr_array((signed[some][inside], place), shape=shape)
        return found

    def _of_bags(self, each: np.ndarray) -> Float64[np.ndarray, "L columns"]:
        """Sums over the bags, of values of each bag."""
        assert self.multipliers is not None
        return np.asarray(self.multipliers @ (each - each.mean(axis=0)))


def _product(events: csr_array | csc_array, phi: Float64[np.ndarray, "n r"]) -> Float64[np.ndarray, "L r"]:
    """events phi; rows that are not sparse are filled up, as a product of full matrices takes less time."""
    if events.nnz < _SPARSE * events.shape[0] * events.shape[1]:
        return np.asarray(events @ phi)
    rows = events.tocsr()
    count, columns = rows.shape
    step = max(1, _FILLED // columns)
    found = np.empty((count, phi.shape[1]))
    for i in range(0, count, step):
        stop = min(i + step, count)
        ends = rows.indptr[i : stop + 1]
        inside = slice(ends[0], ends[-1])
        # Not rows[i:stop], which copies value by value, and takes longer than the product.
        some = csr_array((rows.data[inside], rows.indices[inside], ends - ends[0]), shape=(stop - i, columns))
        found[i:stop] = some.toarray() @ phi
    return found


def observed(pool: Pool, q: float) -> Draws:
    """The pair of samples as they are: y = (1 - q) sum_B m phi - q sum_A m phi."""
    signed = pool.masses * np.where(pool.in_b, 1 - q, -q)
    return Draws(csr_array((1, len(pool))), -signed)


def null_draws(
    pool: Pool,
    spread: Spread,
    q: float,
    count: int,
    seed: int,
    subsets: Sequence[Int[np.ndarray, " _"]] = (),
    most: int | None = None,
) -> Draws:
    """Pairs of samples without a difference.

    Where (event, weight) pairs are exchangeable their labels are permuted: that is exact. Of large samples bags of
    events are drawn instead, whose scores have random signs. Where they are not exchangeable, each sample is drawn
    from both together as a Poisson process whose events have the masses of its own events nearby; a large one
    fluctuates as its bags of events do when they are counted a Poisson number of times (bootstrap). Events of small
    subsets are drawn one at a time all the same, as too few bags would hold one of them.

    Arguments:
        pool: of both samples.
        spread: of what events add to a score.
        q: share of the masses that B has.
        count: number of pairs.
        seed: of the draws.
        subsets: rows of the events that are looked at by themselves too.
        most: events that are drawn one by one in all pairs together; beyond they are drawn in bags.
    """
    most = _MOST_DRAWN if most is None else most
    rng = np.random.default_rng([seed, 0x6E756C6C])
    n, m = len(pool), pool.masses
    events, constant = csr_array((count, n)), np.zeros(n)
    alone = np.zeros(n, dtype=bool)
    for rows in subsets:
        alone[rows] |= len(rows) * count <= most
    bag, signed, bags = np.full(n, -1, dtype=np.int16), np.zeros(n), 0
    if pool.exchange.allowed:
        if min(int(pool.in_b.sum()), int((~pool.in_b).sum())) * count <= most:
            return Draws(*_relabelled(pool, q, count, rng))
        bag, bags = smallest(rng.permutation(n) % _MOST_BAGS), _MOST_BAGS
        signed = m * np.sqrt(q * (1 - q)) * rng.choice([-1.0, 1.0], n)
        multipliers = rng.standard_normal((count, bags))
        if alone.any():
            bag[alone] = -1
            events, constant = _relabelled_some(pool, q, np.flatnonzero(alone), count, rng)
        return Draws(events, constant, bag, signed, multipliers)
    assert spread.marks is not None, "labels that may not be exchanged have marks"
    for inside, own, other, sign, marks in zip(
        (pool.in_b, ~pool.in_b), (1 - q, q), (q, 1 - q), (1.0, -1.0), spread.marks, strict=True
    ):
        expected = other * spread.positive * marks.rate
        one_by_one = np.ones(n, dtype=bool) if expected.sum() * count <= most else alone
        if one_by_one.any():
            drawn = _poisson_process(np.where(one_by_one, expected, 0.0), marks, count, rng)
            events = csr_array(events + drawn * (sign * own))
            constant[one_by_one] += sign * own * other * spread.positive[one_by_one]
        if in_bags := int((inside & ~one_by_one).sum()):
            own_bags = min(_MOST_BAGS, in_bags)
            bag[inside & ~one_by_one] = bags + rng.permutation(in_bags) % own_bags
            signed[inside] = sign * own * m[inside]
            bags += own_bags
    if not bags:
        return Draws(events, constant)
    return Draws(events, constant, bag, signed, rng.poisson(1.0, (count, bags)) - 1.0)


def window_draws(
    spread: Spread, masses: Float64[np.ndarray, " n"], q: float, window: int, count: int, seed: int
) -> Draws:
    """Windows of so many events that are drawn from a reference, whose own fluctuation is drawn as well.

    The events of the window are drawn from those of the reference; in large windows bags of them fluctuate instead. The
    reference fluctuates as its bags of events do, with a random sign of each event.

    Arguments:
        spread: of what events of the reference, as those of both samples, add to a score.
        masses: of the reference, shape (n,).
        q: share of the masses that the window has.
        window: its events.
        count: number of windows.
        seed: of the draws.
    """
    rng = np.random.default_rng([seed, 0x77696E646F77])
    n = len(masses)
    events, constant = csr_array((count, n)), np.zeros(n)
    variance = spread.second
    if window * count <= _MOST_DRAWN:
        share = spread.positive / spread.positive.sum()
        rows = rng.choice(n, window * count, p=None if equal_masses(masses) else share)
        ends = np.arange(count + 1) * window
        events = csr_array((np.full(len(rows), 1 - q), rows, ends), shape=(count, n))
        constant = (1 - q) * window * share
        variance = (q * masses) ** 2
    bags = min(_MOST_BAGS, n)
    signed = np.sqrt(variance) * rng.choice([-1.0, 1.0], n)
    return Draws(events, constant, smallest(rng.permutation(n) % bags), signed, rng.standard_normal((count, bags)))


def _relabelled(pool: Pool, q: float, count: int, rng: np.random.Generator) -> tuple[csr_array, np.ndarray]:
    n = len(pool)
    # Of the smaller sample the events are listed, so that sums are over few.
    flip = pool.smaller_is_b
    own = int(pool.in_b.sum()) if flip else n - int(pool.in_b.sum())
    rows = np.concatenate([rng.choice(n, own, replace=False, shuffle=False) for _ in range(count)])
    ends = np.arange(count + 1) * own
    sign = 1.0 if flip else -1.0
    events = csr_array((sign * pool.masses[rows], rows, ends), shape=(count, n))
    # Listed as B: sum_B m - q sum m; listed as A: (1 - q) sum m - sum_A m.
    return events, (q if flip else q - 1) * pool.masses


def _relabelled_some(
    pool: Pool, q: float, rows: Int[np.ndarray, " k"], count: int, rng: np.random.Generator
) -> tuple[csr_array, np.ndarray]:
    """Labels of some events, each one of B with the share that B has, whatever the labels of those in bags."""
    sizes = rng.binomial(len(rows), pool.in_b.mean(), count)
    chosen = np.concatenate([rng.choice(rows, size, replace=False, shuffle=False) for size in sizes])
    ends = np.concatenate([[0], np.cumsum(sizes)])
    events = csr_array((pool.masses[chosen], chosen, ends), shape=(count, len(pool)))
    constant = np.zeros(len(pool))
    constant[rows] = q * pool.masses[rows]
    return events, constant


def _poisson_process(
    expected: Float64[np.ndarray, " n"], marks: Marks, count: int, rng: np.random.Generator
) -> csr_array:
    """L Poisson processes with these expected numbers of events at each event, as sums of masses."""
    total = float(expected.sum())
    sizes = rng.poisson(total, count)
    rows = rng.choice(len(expected), int(sizes.sum()), p=expected / total)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    found = csr_array((marks.draw(rows, rng), rows, ends), shape=(count, len(expected)))
    found.sum_duplicates()
    return found
