"""Boxes in feature space, and the search for the one where the fit sees most: patient peeling, then each face in turn.

Peeling as in J. H. Friedman and N. I. Fisher, Statistics and Computing 9 (1999) 123, on a likelihood instead of a mean.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.special import xlogy

# A peel takes at most this share of the |w| that is left: small steps find the way to what is hidden in a corner.
_PEEL = 0.05
# A box holds at least so many effective events of the reference, so that its expectation is known to a third.
LEAST_EVENTS = 10
# Faces are dropped that cost together at most the first share of what the box explains; up to the second, if that is no
# more than one unit of log-likelihood, which fluctuations give as well.
_SPARE, _SPARE_OF_FAINT, _FLUCTUATION = 0.05, 0.2, 1.0
# Edges of the intervals that are all tried before each face is moved by single events.
_COARSE = 60
_ROUNDS = 20
# The search needs no more events than these to place its faces: of more it takes some, evenly.
_MOST_EVENTS = 200_000


@dataclass(frozen=True, eq=False)
class Box:
    """low_j < x_j <= high_j in every feature; infinite where a feature is not bounded.

    Arguments:
        low, high: shape (d,).
    """

    low: Float64[np.ndarray, " d"]
    high: Float64[np.ndarray, " d"]

    @classmethod
    def everything(cls, dimension: int) -> Box:
        """All of feature space."""
        return cls(np.full(dimension, -np.inf), np.full(dimension, np.inf))

    def holds(self, events: Float64[np.ndarray, "n d"]) -> Bool[np.ndarray, " n"]:
        """Which events lie inside, shape (n,)."""
        return np.all((events > self.low) & (events <= self.high), axis=1)

    def with_interval(self, feature: int, low: float, high: float) -> Box:
        """The same box with other bounds of one feature."""
        lows, highs = self.low.copy(), self.high.copy()
        lows[feature], highs[feature] = low, high
        return Box(lows, highs)


def log_likelihood_gain(n: np.ndarray, b: np.ndarray) -> np.ndarray:
    """n log(n/b) - n + b: how much better n events are described by n than by b; elementwise, b > 0, n >= 0."""
    return np.asarray(xlogy(n, n / b) - n + b)


def find_box(
    events: Float64[np.ndarray, "n d"],
    expected: Float64[np.ndarray, " n"],
    fitted: Float64[np.ndarray, " n"],
    *,
    excess: bool,
) -> Box | None:
    """The box with the largest n log(n/b) - n + b, where b = sum of `expected` and n = sum of `fitted` in it.

    The search is greedy but complete in one feature at a time, and has no random numbers. The order of the events does
    not matter, and neither does splitting one in two. Faces that hardly matter are dropped. Of more than 200,000 events
    every second, third, ... in the order of their features places the faces.

    Arguments:
        events: of the reference.
        expected: w of each.
        fitted: w e^f of each.
        excess: look for n > b, else for n < b.

    Returns:
        The box; None if no box of enough events has n on the wanted side of b.
    """
    used = (expected != 0) | (fitted != 0)
    search = _Search.of(events[used], expected[used], fitted[used], 1.0 if excess else -1.0)
    start = search.peel()
    if start is None:
        return None
    return search.with_fewer_faces(search.polish(start))


@dataclass(frozen=True, eq=False)
class _Scored:
    box: Box
    gain: float


@dataclass(frozen=True, eq=False)
class _Search:
    """Events in one order, whatever order they came in, so that sums round alike.

    Arguments:
        events: shape (n, d).
        sums: fitted, expected, squared and absolute weight of each event, shape (4, n).
        orders: for each feature the events in increasing order, shape (d, n).
        sign: +1 for an excess, -1 for a deficit.
    """

    events: Float64[np.ndarray, "n d"]
    sums: Float64[np.ndarray, "4 n"]
    orders: Int64[np.ndarray, "d n"]
    sign: float

    @classmethod
    def of(cls, events: np.ndarray, expected: np.ndarray, fitted: np.ndarray, sign: float) -> _Search:
        canonical = np.lexsort((fitted, expected, *events.T[::-1]))
        canonical = canonical[:: -(-len(canonical) // _MOST_EVENTS)] if len(canonical) else canonical
        x, b, n = events[canonical], expected[canonical], fitted[canonical]
        orders = np.argsort(x, axis=0, kind="stable").T
        return cls(x, np.stack([n, b, b**2, np.abs(b)]), orders, sign)

    def gain(self, totals: Float64[np.ndarray, "4 ..."]) -> np.ndarray:
        """The gain of boxes with the given sums: negative if n is on the wrong side, -inf if too few events are in."""
        n, b, square = (np.asarray(sums) for sums in totals[:3])
        # A rounding error must not turn the last event of a box into none.
        allowed = (b > 0) & (n >= -1e-12 * np.abs(b)) & (b**2 >= LEAST_EVENTS * square * (1 - 1e-9)) & (square > 0)
        safe_n, safe_b = np.where(allowed, np.maximum(n, 0), 1.0), np.where(allowed, b, 1.0)
        value = log_likelihood_gain(safe_n, safe_b)
        return np.where(allowed, self.sign * np.where(safe_n >= safe_b, value, -value), -np.inf)

    def score(self, box: Box) -> _Scored:
        inside = box.holds(self.events)
        return _Scored(box, float(self.gain(self.sums[:, inside].sum(axis=1))))

    def peel(self) -> _Scored | None:
        """From all of space, takes away slab after slab, that without which most is left; the best on the way."""
        box = Box.everything(self.events.shape[1])
        best = self.score(box)
        orders = list(self.orders)
        while True:
            peels = [peel for j, order in enumerate(orders) for peel in self._peels(box, j, order)]
            if not peels:
                break
            box, totals = max(peels, key=lambda peel: self._promise(peel[1]))
            now = _Scored(box, float(self.gain(totals)))
            best = now if now.gain > best.gain else best
            inside = box.holds(self.events)
            orders = [order[inside[order]] for order in orders]
        return best if best.gain > 0 else None

    def _promise(self, totals: Float64[np.ndarray, " 4"]) -> tuple[float, float]:
        """The gain, and where negative weights prevail, so that there is none yet, how far n is on its way."""
        return float(self.gain(totals)), self.sign * float(totals[0] - totals[1])

    def _peels(
        self, box: Box, feature: int, order: Int64[np.ndarray, " m"]
    ) -> list[tuple[Box, Float64[np.ndarray, " 4"]]]:
        """The box without a slab at the lower, and at the upper end of a feature, with the sums of what is left."""
        x = self.events[order, feature]
        if len(x) == 0 or x[0] == x[-1]:
            return []
        running = np.cumsum(self.sums[:, order], axis=1)
        total = running[:, -1]
        share = _PEEL * total[3]
        # Events of equal value stay together, so a slab may be larger than its share, but never all.
        first = int(np.searchsorted(x, x[np.searchsorted(running[3], share)], side="right"))
        last = int(np.searchsorted(x, x[min(np.searchsorted(running[3], total[3] - share), len(x) - 1)], side="left"))
        found: list[tuple[Box, np.ndarray]] = []
        if 0 < first < len(x):
            lower = box.with_interval(feature, _between(x[first - 1], x[first]), box.high[feature])
            found.append((lower, total - running[:, first - 1]))
        if 0 < last < len(x):
            upper = box.with_interval(feature, box.low[feature], _between(x[last - 1], x[last]))
            found.append((upper, running[:, last - 1]))
        # A box of fewer events has no gain, and peeling on would go after single ones.
        return [(left, sums) for left, sums in found if sums[3] ** 2 >= LEAST_EVENTS * sums[2] * (1 - 1e-9)]

    def polish(self, start: _Scored) -> _Scored:
        """Gives every feature in turn its best interval, the others held, until none has a better one."""
        best = start
        for _ in range(_ROUNDS):
            before = best.gain
            for feature in range(self.events.shape[1]):
                found = self._best_interval(best.box, feature)
                best = found if found is not None and found.gain > best.gain * (1 + 1e-9) else best
            if best.gain <= before * (1 + 1e-6):
                break
        return best

    def _best_interval(self, box: Box, feature: int) -> _Scored | None:
        """All intervals between some edges, then each face moved to its best place, by turns."""
        free = box.with_interval(feature, -np.inf, np.inf)
        order = self.orders[feature]
        order = order[free.holds(self.events)[order]]
        x = self.events[order, feature]
        ends = np.append(np.flatnonzero(x[1:] > x[:-1]) + 1, len(x))
        running = np.concatenate([np.zeros((4, 1)), np.cumsum(self.sums[:, order], axis=1)[:, ends - 1]], axis=1)
        edges = running.shape[1]
        if edges < 3:
            return None
        some = np.unique(np.searchsorted(running[3], np.linspace(0, running[3, -1], _COARSE)).clip(0, edges - 1))
        some = np.union1d(some, [0, edges - 1])
        gains = self.gain(running[:, None, some] - running[:, some, None])
        gains[np.tril_indices(len(some))] = -np.inf
        first, last = (int(some[i]) for i in np.unravel_index(gains.argmax(), gains.shape))
        for _ in range(_ROUNDS):
            before = first, last
            last = first + 1 + int(self.gain(running[:, first + 1 :] - running[:, [first]]).argmax())
            first = int(self.gain(running[:, [last]] - running[:, :last]).argmax())
            if (first, last) == before:
                break
        low = -np.inf if first == 0 else _between(x[ends[first - 1] - 1], x[ends[first - 1]])
        high = np.inf if last == edges - 1 else _between(x[ends[last - 1] - 1], x[ends[last - 1]])
        gain = float(self.gain(running[:, last] - running[:, first]))
        return _Scored(box.with_interval(feature, low, high), gain) if np.isfinite(gain) else None

    def with_fewer_faces(self, found: _Scored) -> Box:
        """The box without the faces that hardly matter: the cheapest is dropped first."""
        box = found.box
        spare = max(_SPARE * found.gain, min(_SPARE_OF_FAINT * found.gain, _FLUCTUATION))
        while True:
            lows = [replace(box, low=_without(box.low, j, -np.inf)) for j in _bounded(box.low)]
            highs = [replace(box, high=_without(box.high, j, np.inf)) for j in _bounded(box.high)]
            options = [self.score(option) for option in (*lows, *highs)]
            best = max(options, key=lambda option: option.gain, default=None)
            if best is None or best.gain < found.gain - spare:
                return box
            box = best.box


def _bounded(bounds: Float64[np.ndarray, " d"]) -> list[int]:
    return [j for j, bound in enumerate(bounds) if np.isfinite(bound)]


def _without(bounds: Float64[np.ndarray, " d"], feature: int, infinity: float) -> Float64[np.ndarray, " d"]:
    free = bounds.copy()
    free[feature] = infinity
    return free


def _between(below: float, above: float) -> float:
    """A number with below <= number < above, halfway where the digits allow."""
    middle = below + (above - below) / 2
    return float(middle if middle < above else below)
