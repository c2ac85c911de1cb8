"""Normal scores: each feature as the normal quantile of its rank in the reference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.special import ndtri

from nplm.data.sample import Sample, require_varying

# Of a feature with more distinct values, so many at most become knots: quantiles at equal steps of the rank, quantiles
# at equal steps of the score, which follow the tails, and values that have this share of the weight, with both
# neighbours. A value whose share is a step of the rank or more is hit by such a step, and so always is a knot.
KNOTS = 4096
_RANKS, _SCORES, _HEAVY = 2048, 512, 1 / 512
# Knots of each feature that a result shows.
_SHOWN = 17


@dataclass(frozen=True, eq=False)
class NormalScores:
    """Each feature x goes to (z(x) - mean) / sd with z the normal quantile of the mid-rank of x in the reference.

    At a value v that reference events have, z(v) = Phi^-1(P(x < v) + P(x = v) / 2), where each event counts with |w|;
    between two such values z is linear, and beyond the outermost ones it is constant. Mean and sd are those of z over
    the reference, so that its coordinates have mean 0 and variance 1: a continuous feature has that without them, but
    not a flag, or a feature with a spike. So the coordinates of all features are of one size whatever their units, skew
    and tails, and a strictly increasing change of a feature leaves those of the reference's events as they are. Of more
    than 4096 distinct values so many quantiles are knots, and the rank of an event between two of them is right to
    1 / 1024.

    Arguments:
        values: the knots of each feature, strictly increasing.
        scores: their coordinates, increasing.
    """

    values: tuple[Float64[np.ndarray, " _"], ...]
    scores: tuple[Float64[np.ndarray, " _"], ...]

    @classmethod
    def fit(cls, reference: Sample) -> NormalScores:
        """The scores of a reference.

        Raises:
            ValueError: naming the feature, if one is constant.
        """
        require_varying(reference)
        used = reference.weights != 0
        weights = np.abs(reference.weights[used])
        knots = [_knots(column, weights) for column in reference.events[used].T]
        return cls(tuple(values for values, _ in knots), tuple(scores for _, scores in knots))

    def __call__(self, events: Float64[np.ndarray, "*n d"]) -> Float64[np.ndarray, "*n d"]:
        return self._interpolated(events, self.values, self.scores)

    @property
    def dimension(self) -> int:
        """Number of coordinates, which is that of the features."""
        return len(self.values)

    def columns(self, feature: int) -> list[int]:
        """The coordinates that a feature has: one, of its own number."""
        return [feature]

    def inverse(self, points: Float64[np.ndarray, "*n d"]) -> Float64[np.ndarray, "*n d"]:
        """The events in the range of the reference that have these coordinates."""
        return self._interpolated(points, self.scores, self.values)

    def without(self, feature: int) -> NormalScores:
        """The same map, but for one feature that is taken to zero, whatever its value."""
        scores = list(self.scores)
        scores[feature] = np.zeros_like(scores[feature])
        return NormalScores(self.values, tuple(scores))

    def to_dict(self) -> dict[str, Any]:
        """A few knots of each feature, as a result shows them: the map itself may have thousands."""
        shown = [np.unique(np.linspace(0, len(values) - 1, _SHOWN).round().astype(int)) for values in self.values]
        return {
            "kind": "normal-scores",
            "features": [
                {"knots": len(values), "values": values[rows], "scores": scores[rows]}
                for values, scores, rows in zip(self.values, self.scores, shown, strict=True)
            ],
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """All that the map is made of, for `nplm.data.coordinates.coordinates_in`."""
        return {
            "score_knots": np.array([len(values) for values in self.values], dtype=np.int64),
            "score_values": np.concatenate([np.zeros(0), *self.values]),
            "scores": np.concatenate([np.zeros(0), *self.scores]),
        }

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> NormalScores:
        """The scores that `arrays` came from."""
        ends = np.cumsum(arrays["score_knots"])[:-1]
        values, scores = (tuple(np.split(arrays[name], ends)) for name in ("score_values", "scores"))
        return cls(values, scores) if len(arrays["score_knots"]) else cls((), ())

    @staticmethod
    def _interpolated(
        points: Float64[np.ndarray, "*n d"], at: Sequence[np.ndarray], to: Sequence[np.ndarray]
    ) -> Float64[np.ndarray, "*n d"]:
        found = np.empty(points.shape)
        for j, (knots, images) in enumerate(zip(at, to, strict=True)):
            found[..., j] = np.interp(points[..., j], knots, images)
        return found


def _knots(
    x: Float64[np.ndarray, " n"], weights: Float64[np.ndarray, " n"]
) -> tuple[Float64[np.ndarray, " k"], Float64[np.ndarray, " k"]]:
    """The knots of a feature, and their scores."""
    values, of = np.unique(x, return_inverse=True)
    share = np.bincount(of, weights, len(values)) / weights.sum()
    below = np.cumsum(share) - share / 2
    # From above as well: 1 - p has no digits where p is almost 1.
    above = np.cumsum(share[::-1])[::-1] - share / 2
    z = np.where(below < above, ndtri(below), -ndtri(above))
    chosen = _chosen(share, below, z)
    knots, scores = values[chosen], z[chosen]
    mapped = np.interp(values, knots, scores)
    mean = share @ mapped
    return knots, (scores - mean) / np.sqrt(share @ (mapped - mean) ** 2)


def _chosen(
    share: Float64[np.ndarray, " n"], rank: Float64[np.ndarray, " n"], score: Float64[np.ndarray, " n"]
) -> Int64[np.ndarray, " k"] | Bool[np.ndarray, " n"]:
    """Which of the distinct values become knots: all of a few, and at most `KNOTS` of many."""
    count = len(share)
    if count <= KNOTS:
        return np.ones(count, dtype=bool)
    chosen = np.zeros(count, dtype=bool)
    chosen[np.searchsorted(np.cumsum(share), (np.arange(_RANKS) + 0.5) / _RANKS).clip(max=count - 1)] = True
    chosen[np.searchsorted(score, np.linspace(score[0], score[-1], _SCORES)).clip(max=count - 1)] = True
    heavy = np.flatnonzero(share >= _HEAVY)
    for step in (-1, 0, 1):
        chosen[(heavy + step).clip(0, count - 1)] = True
    return chosen
