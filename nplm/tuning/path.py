"""The same toys at several clips: t that never falls as the clip grows, and the clip at which its mean has a value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float64, Int64
from scipy.interpolate import PchipInterpolator

from nplm.stats.control_variates import Controls

# Climbs from given points at a clip: for toys (rows), and a point for each, the t reached and where.
Climb = Callable[
    [float, Int64[np.ndarray, " m"], Float64[np.ndarray, "m p"]],
    tuple[Float64[np.ndarray, " m"], Float64[np.ndarray, "m p"]],
]
# A fit that has risen by more than this since a neighbour was climbed from it is news to that neighbour; the climbs
# themselves end once they expect less.
_NEWS = 1e-3
_RESAMPLINGS = 1000
_SEED = 1
_GRID = 2000


@dataclass(frozen=True, eq=False)
class ClipPath:
    """The fits of n toys at m clips.

    Arguments:
        clips: increasing, shape (m,).
        t: the best t known of each toy, shape (n, m); never falls with the clip.
        searched: the t that the model's own search finds, shape (n, m).
        corrected: the largest fall of t that was left, and is mended in `t`.
        points: the parameters of the best fits, shape (n, m, P); None if they are not known.
        controls: cheap statistics of the toys whose means are known better; None for none.
    """

    clips: Float64[np.ndarray, " m"]
    t: Float64[np.ndarray, "n m"]
    searched: Float64[np.ndarray, "n m"]
    corrected: float = 0.0
    points: Float64[np.ndarray, "n m p"] | None = None
    controls: Controls | None = None

    def select(self, rows: Bool[np.ndarray, " n"]) -> ClipPath:
        """The path of some of the toys."""
        points = None if self.points is None else self.points[rows]
        controls = None if self.controls is None else self.controls.select(rows)
        return replace(self, t=self.t[rows], searched=self.searched[rows], points=points, controls=controls)

    def times(self, factor: float) -> ClipPath:
        """The path with all t multiplied by a factor."""
        return replace(self, t=factor * self.t, searched=factor * self.searched, corrected=factor * self.corrected)

    @property
    def mean(self) -> Float64[np.ndarray, " m"]:
        """Mean of t at each clip, shape (m,); of the toys as the controls weight them, if there are any."""
        return _mean(self.t, self.controls)

    @property
    def mean_error(self) -> Float64[np.ndarray, " m"]:
        """Standard error of the mean, shape (m,); common to neighbouring clips, as the toys are the same."""
        if self.controls is not None:
            return self.controls.error(self.t)
        return self.t.std(axis=0, ddof=1) / np.sqrt(len(self.t))

    def curve(self, clip: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, " k"]:
        """The mean of t between the clips, shape (k,): monotone cubic interpolation in log clip."""
        return np.asarray(_curve(self.clips, self.mean)(np.log(clip)))

    def clip_of(self, target: float) -> float | None:
        """The clip at which the mean of t is `target`; None if it is not reached between the outer clips."""
        return _root(self.clips, self.mean, target)

    def interval_of(self, target: float) -> tuple[float, float] | None:
        """68% interval of that clip from resampling the toys; an end beyond the outer clips is 0 or infinite."""
        rng = np.random.default_rng(_SEED)
        n = len(self.t)
        roots = []
        for _ in range(_RESAMPLINGS):
            rows, controls = (rng.integers(n, size=n), None) if not self.controls else self.controls.resampled(rng)
            mean = _mean(self.t[rows], controls)
            root = _root(self.clips, mean, target)
            roots.append((0.0 if mean[0] > target else np.inf) if root is None else root)
        low, high = np.quantile(roots, (0.16, 0.84), method="nearest")
        return float(low), float(high)


def follow_path(
    clips: Sequence[float],
    t: Float64[np.ndarray, "n m"],
    parameters: Float64[np.ndarray, "n m p"],
    climb: Climb,
    before: ClipPath | None = None,
) -> ClipPath:
    """Improves fits at several clips with each other, until no toy's t falls as the clip grows.

    The box of a clip lies inside that of every larger one, so the largest t can only grow. Where a search has missed
    the maximum, the fit at the next smaller clip, which is a point of the box, or the one at the next larger clip,
    clipped, leads to it. Every fit is tried from both of its neighbours, first upwards and then downwards; again only
    where the neighbour has risen since.

    Arguments:
        clips: increasing, m of them.
        t: what the search found, shape (n, m).
        parameters: where, shape (n, m, P).
        climb: climbs from given points; it must not end below the t that they have in the box.
        before: a path of the same toys through some of these clips, which is where to go on.
    """
    best, where = t.copy(), parameters.copy()
    news = np.ones(t.shape, dtype=bool)
    tried: set[tuple[float, float]] = set()
    if before is not None and before.points is not None:
        tried = {*pairwise(before.clips.tolist())}
        for column, clip in enumerate(clips):
            for there in np.flatnonzero(before.clips == clip):
                best[:, column], where[:, column] = before.t[:, there], before.points[:, there]
                news[:, column] = False
    last = len(clips) - 1

    def improve(column: int, source: int, rows: np.ndarray) -> None:
        if not len(rows):
            return
        reached, points = climb(clips[column], rows, where[rows, source])
        better = reached > best[rows, column]
        news[rows, column] |= reached > best[rows, column] + _NEWS
        best[rows[better], column] = reached[better]
        where[rows[better], column] = points[better]

    def untried(column: int, source: int) -> np.ndarray:
        low, high = sorted((clips[column], clips[source]))
        return np.flatnonzero(news[:, source] | ((low, high) not in tried))

    for column in range(1, last + 1):
        improve(column, column - 1, untried(column, column - 1))
    for column in range(last - 1, -1, -1):
        improve(column, column + 1, untried(column, column + 1))
    for column in range(1, last + 1):
        improve(column, column - 1, np.flatnonzero(best[:, column] < best[:, column - 1]))
    rising = np.maximum.accumulate(best, axis=1)
    # A point of the smaller box is one of the larger, so nothing but rounding can be left.
    return ClipPath(np.array(clips, dtype=np.float64), rising, t, float((rising - best).max()), where)


def _mean(t: Float64[np.ndarray, "n m"], controls: Controls | None) -> Float64[np.ndarray, " m"]:
    """Mean of each column; the weights are the same at all clips, and so the mean grows as every toy's t does."""
    return t.mean(axis=0) if controls is None else np.maximum.accumulate(controls.weights @ t)


def _curve(clips: np.ndarray, mean: np.ndarray) -> PchipInterpolator:
    return PchipInterpolator(np.log(clips), mean)


def _root(clips: np.ndarray, mean: np.ndarray, target: float) -> float | None:
    """Where the monotone interpolation crosses the target."""
    if not mean[0] <= target <= mean[-1]:
        return None
    grid = np.linspace(np.log(clips[0]), np.log(clips[-1]), _GRID)
    return float(np.exp(np.interp(target, _curve(clips, mean)(grid), grid)))
