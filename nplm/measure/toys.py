"""Toys of a fitted model: data, auxiliary measurements and the reference are drawn anew, and fitted."""

from __future__ import annotations

from dataclasses import dataclass
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
        """The q that a share 1 - level of the toys exceeds: the smallest such order statistic."""
        ordered = np.sort(np.concatenate([self.q[:, i], np.full(self.failed, np.inf)]))
        return float(ordered[min(int(np.ceil(level * (len(ordered) + 1))) - 1, len(ordered) - 1)])

    def coverage(self, i: int, threshold: float) -> tuple[float, float, float]:
        """The share of toys in which q at the truth is at most a threshold, with its 68% interval."""
        inside = int((self.q[:, i] <= threshold).sum())
        low, high = clopper_pearson(inside, self.count)
        return inside / self.count, low, high


@dataclass(frozen=True, eq=False)
class ToyMaker:
    """Draws toys of a model at a point.

    Arguments:
        model: with its reference.
        reference: the events that the toys are drawn from.
        point: the truth.
        data_weights: weights of the data, which toys have as well; None for ones.
    """

    model: ParametricModel
    reference: Sample
    point: Float64[np.ndarray, " k"]
    data_weights: Float64[np.ndarray, " m"] | None = None

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


def toy_fits(maker: ToyMaker, toys: int, seed: int) -> ToyFits:
    """Fits toys at a point: all parameters free, and each of interest held at the truth in turn."""
    truth, k = maker.point, maker.model.of_interest
    fitted, q, failed = [], [], 0
    for number in range(toys):
        model, data, *_ = maker.draw(seed, number)
        best = model.descend(data, truth)
        held = []
        for i in range(k):
            free = np.ones(len(truth), dtype=bool)
            free[i] = False
            held.append(model.descend(data, np.where(free, best.point, truth), free))
        if not (best.converged and all(each.converged for each in held)):
            failed += 1
            continue
        fitted.append(best.point[:k])
        q.append([2 * (each.value - best.value) for each in held])
    names = maker.model.names[:k]
    return ToyFits(names, truth[:k], np.array(fitted).reshape(-1, k), np.array(q).reshape(-1, k), failed)
