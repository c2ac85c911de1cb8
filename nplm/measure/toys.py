"""Toys of a fitted model: data, auxiliary measurements and the reference are drawn anew, and fitted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float64

from nplm.data.averaged_weights import averaged
from nplm.data.sample import Sample
from nplm.measure.likelihood import Events
from nplm.measure.model import ParametricModel
from nplm.measure.observed import Observed
from nplm.stats.intervals import clopper_pearson

_STREAM = 0x746F7973


@dataclass(frozen=True, eq=False)
class ToyFits:
    """Toys at one point, and how their fits scatter about it.

    Arguments:
        names: of the parameters of interest.
        truth: the point, shape (k,).
        fitted: theta of each toy, shape (n, k).
        q: twice the difference of L at the true value of each parameter and at the minimum, shape (n, k).
        failed: toys whose fit was not found; they count as exceeding every threshold.
    """

    names: tuple[str, ...]
    truth: Float64[np.ndarray, " k"]
    fitted: Float64[np.ndarray, "n k"]
    q: Float64[np.ndarray, "n k"]
    failed: int

    @property
    def count(self) -> int:
        """Number of toys, failed ones included."""
        return len(self.q) + self.failed

    def threshold(self, i: int, level: float) -> float:
        """The q that a share 1 - level of the toys exceeds, see `threshold_of`."""
        return threshold_of(np.concatenate([self.q[:, i], np.full(self.failed, np.inf)]), level)

    def coverage(self, i: int, threshold: float) -> tuple[float, float, float]:
        """The share of toys in which q at the truth is at most a threshold, with its 68% interval."""
        inside = int((self.q[:, i] <= threshold).sum())
        low, high = clopper_pearson(inside, self.count)
        return inside / self.count, low, high


@dataclass(frozen=True, eq=False)
class HeldToys:
    """Toys at one point, each fitted with everything free and with some parameters held.

    Arguments:
        fitted: theta^ and nu^ of each toy, shape (n, k); NaN where no minimum was found.
        q: twice the difference of L with parameters held, and at the minimum, for each way of holding, shape (n, h);
            infinite where one of both was not found, so that such toys count as exceeding every threshold.
    """

    fitted: Float64[np.ndarray, "n k"]
    q: Float64[np.ndarray, "n h"]


@dataclass(frozen=True, eq=False)
class ToyMaker:
    """Draws toys of a model at a point.

    Arguments:
        model: with its reference.
        reference: the events that the toys are drawn from.
        point: the truth.
        data_weights: weights of the data, which toys have as well; None for ones.
        starts: points beside the truth from which toys are fitted: the minima that the data have, if there are several.
    """

    model: ParametricModel
    reference: Sample
    point: Float64[np.ndarray, " k"]
    data_weights: Float64[np.ndarray, " m"] | None = None
    starts: tuple[Float64[np.ndarray, " k"], ...] = ()

    def at(self, point: Float64[np.ndarray, " k"]) -> ToyMaker:
        """The same of another truth."""
        other = replace(self, point=point)
        other.__dict__["_columns"] = self._columns
        return other

    @cached_property
    def _expected(self) -> Float64[np.ndarray, " n"]:
        """Events expected of each event of the reference, none of them negative."""
        n = len(self.reference)
        log_r, _ = self.model.scores(self.model.events, self.point)
        expected = self.reference.weights * np.exp(log_r.ravel()[:n])
        if (expected < 0).any():
            spread = self.reference.events.std(axis=0)
            expected = averaged(self.reference.events / np.where(spread > 0, spread, 1.0), expected)
        return np.asarray(expected)

    @cached_property
    def _columns(self) -> Float64[np.ndarray, "n q"]:
        return self.model.events.rows()[: len(self.reference)]

    def draw(self, seed: int, number: int) -> tuple[ParametricModel, Observed, np.ndarray, np.ndarray, np.ndarray]:
        """Toy `number`: the model with a reference drawn anew, and the data.

        Returns:
            Model and data; the weights of the reference; the rows of the reference that are the data's events, and
            their weights.
        """
        rng = np.random.default_rng([seed, number, _STREAM])
        weights = self.reference.weights
        used = np.flatnonzero(weights)
        times = np.zeros(len(weights))
        times[used] = rng.multinomial(len(used), np.full(len(used), 1 / len(used)))
        fresh = weights * times
        if self.model.normalized:
            fresh *= weights.sum() / fresh.sum()
        total = float(self._expected.sum())
        mean = 1.0 if self.data_weights is None else float(self.data_weights.mean())
        n = rng.poisson(total / mean)
        rows = rng.choice(len(weights), n, p=self._expected / total)
        v = np.ones(n) if self.data_weights is None else rng.choice(self.data_weights, n)
        nuisances, auxiliary = self.model.nuisances, self.model.auxiliary
        if nuisances is not None:
            auxiliary = nuisances.sample_auxiliary(self.point[self.model.of_interest :], rng)
        events = Events.of(self._columns[rows], v)
        data = Observed(events, auxiliary, n, self.data_weights is not None)
        return self.model.with_weights(fresh), data, fresh, rows, v


def threshold_of(q: Float64[np.ndarray, " n"], level: float) -> float:
    """The q that a share 1 - level of the toys exceeds: the smallest such order statistic."""
    ordered = np.sort(q)
    return float(ordered[min(int(np.ceil(level * (len(ordered) + 1))) - 1, len(ordered) - 1)])


def held_toys(
    maker: ToyMaker, held: Sequence[tuple[Sequence[int], Float64[np.ndarray, " c"]]], toys: int, seed: int
) -> HeldToys:
    """Draws toys and fits each: all parameters free, then some held at values in turn.

    Arguments:
        maker: draws toys of the truth.
        held: numbers of parameters and their values, for each way of holding.
        toys: how many.
        seed: of them; toy i of another truth has the same random numbers, so that thresholds of near points differ
            by less than their errors.
    """
    fitted, q = np.full((toys, len(maker.point)), np.nan), np.full((toys, len(held)), np.inf)
    for number in range(toys):
        model, data, *_ = maker.draw(seed, number)
        ends = [model.descend(data, start) for start in (maker.point, *maker.starts)]
        best = min((end for end in ends if end.converged), key=lambda end: end.value, default=None)
        if best is None:
            continue
        fitted[number] = best.point
        for column, (chosen, values) in enumerate(held):
            free = np.ones(len(maker.point), dtype=bool)
            free[list(chosen)] = False
            start = best.point.copy()
            start[list(chosen)] = values
            end = model.descend(data, start, free)
            if end.converged:
                q[number, column] = max(2 * (end.value - best.value), 0.0)
    return HeldToys(fitted, q)


def toy_fits(maker: ToyMaker, toys: int, seed: int) -> ToyFits:
    """Fits toys at a point: all parameters free, and each of interest held at the truth in turn."""
    truth, k = maker.point, maker.model.of_interest
    found = held_toys(maker, [([i], truth[[i]]) for i in range(k)], toys, seed)
    made = np.isfinite(found.q).all(axis=1)
    return ToyFits(maker.model.names[:k], truth[:k], found.fitted[made, :k], found.q[made], int((~made).sum()))
