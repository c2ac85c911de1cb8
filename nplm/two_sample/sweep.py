"""How many events it takes to tell two samples apart: Z of subsamples against their size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike
from scipy.special import ndtri_exp

from nplm._util.blas import blas_threads
from nplm._util.json_values import json_value
from nplm._util.whole_numbers import require_whole
from nplm.data.sample import Sample
from nplm.hypotest.saved import SavedResult
from nplm.two_sample.calibration import COMBINATION
from nplm.two_sample.scores import Scores
from nplm.two_sample.sweep_text import sweep_text
from nplm.two_sample.test import DRAWS, TwoSampleTest

SCHEMA = "nplm-two-sample-sweep/1"
REPEATS = 40
# Below this median no size is extrapolated: what grows might be a fluctuation.
_LEAST_Z = 1.5
_STREAM = 0x7377656570


@dataclass(frozen=True)
class Crossing:
    """The size at which the median Z reaches a level.

    Arguments:
        level: the Z.
        events: of each sample; None if nothing tells.
        kind: "interpolated" between sizes, "extrapolated" with Z proportional to the root of the size, "below" the
            smallest size, or "unknown" where the samples hardly differ.
    """

    level: float
    events: float | None
    kind: Literal["interpolated", "extrapolated", "below", "unknown"]


@dataclass(frozen=True, eq=False)
class TwoSampleSweep(SavedResult):
    """The answer of `n_sweep`.

    Arguments:
        sizes: events of each sample, increasing, shape (s,).
        z: of each subsample, shape (s, repeats).
        crossings: where the median reaches 3 and 5.
        sample_names: of A and B.
        available: events that there are.
        notes: cautions.
    """

    sizes: tuple[int, ...]
    z: Float64[np.ndarray, "s repeats"]
    crossings: tuple[Crossing, ...]
    sample_names: tuple[str, str]
    available: tuple[int, int]
    notes: tuple[str, ...]

    @property
    def median(self) -> Float64[np.ndarray, " s"]:
        """Median Z at each size."""
        return np.asarray(np.median(self.z, axis=1))

    @property
    def band(self) -> Float64[np.ndarray, "2 s"]:
        """16% and 84% quantiles of Z at each size, shape (2, s)."""
        return np.asarray(np.quantile(self.z, [0.16, 0.84], axis=1))

    def to_dict(self) -> dict[str, Any]:
        """The sweep as JSON values; numbers that are not finite become None."""
        low, high = self.band
        plain: dict[str, Any] = json_value(
            {
                "schema": SCHEMA,
                "samples": self.sample_names,
                "available": self.available,
                "repeats": self.z.shape[1],
                "sizes": [
                    {"events": size, "median_z": z, "low_z": a, "high_z": b}
                    for size, z, a, b in zip(self.sizes, self.median, low, high, strict=True)
                ],
                "crossings": [{"z": c.level, "events": c.events, "kind": c.kind} for c in self.crossings],
                "notes": self.notes,
            }
        )
        return plain

    def __repr__(self) -> str:
        return sweep_text(self)


@blas_threads()
def n_sweep(
    a: Sample | ArrayLike,
    b: Sample | ArrayLike,
    sizes: Sequence[int],
    *,
    repeats: int = REPEATS,
    levels: Sequence[float] = (3.0, 5.0),
    draws: int = DRAWS,
    seed: int = 1,
    **settings: Any,
) -> TwoSampleSweep:
    """How many events until two samples are told apart: Z of subsamples of both, by the number of their events.

    Modes and distribution are prepared once, on all events; a subsample is drawn without repetition, and its Z is read
    from the asymptotic null of the scores, where counting would end at some three sigma.

    Arguments:
        a, b: the samples.
        sizes: events that are drawn of each sample.
        repeats: subsamples of each size.
        levels: of Z to be reached by the median.
        draws: from the normal distribution.
        seed: of the subsamples.
        settings: as of `TwoSampleTest`, of which only shapes are compared here.

    Raises:
        ValueError: if a size or the number of repeats makes no sense; or for bad input or settings.
    """
    if settings.get("expected_ratio") is not None:
        raise ValueError("a sweep over sizes compares shapes only, as subsamples have the yields that it gives them")
    test = TwoSampleTest(a, b, seed=seed, **{"expected_ratio": None, **settings})
    least = min(len(test.a), len(test.b))
    chosen = tuple(sorted({require_whole(size, "events of a subsample") for size in sizes}))
    if not chosen or chosen[0] < 2 or chosen[-1] > least:
        raise ValueError(f"the sizes of a sweep must lie between 2 and {least:,}, the events of the smaller sample")
    if require_whole(repeats, "subsamples") < 1:
        raise ValueError(f"the number of subsamples must be 1 or more, not {repeats}")
    t = np.stack([_subsampled(test, size, repeats, seed) for size in chosen])
    z = _z_scores(test, t.reshape(-1, t.shape[-1]), draws).reshape(len(chosen), repeats)
    notes = []
    if chosen[-1] > least / 2:
        notes.append("subsamples of more than half of a sample share most of their events: their band is too narrow")
    median = np.median(z, axis=1)
    crossings = tuple(_crossing(chosen, median, level) for level in levels)
    return TwoSampleSweep(chosen, z, crossings, (test.a.name, test.b.name), (len(test.a), len(test.b)), tuple(notes))


def _subsampled(test: TwoSampleTest, size: int, repeats: int, seed: int) -> Float64[np.ndarray, "repeats k"]:
    """t of one step of subsamples of this size, in the modes of all events."""
    pool, basis = test.pool, test.basis
    rng = np.random.default_rng([seed, size, _STREAM])
    rows = [np.flatnonzero(~pool.in_b), np.flatnonzero(pool.in_b)]
    features, w = np.concatenate([phi for _, phi in basis.blocks()]), pool.masses
    scores = []
    for _ in range(repeats):
        means, masses = [], []
        for own in rows:
            drawn = rng.choice(own, size, replace=False)
            total = float(w[drawn].sum())
            means.append(w[drawn] @ features[drawn] / total if total > 0 else np.full(basis.count, np.nan))
            masses.append(total**2 / float(w[drawn] @ w[drawn]))
        unit = masses[0] * masses[1] / (masses[0] + masses[1])
        scores.append(np.sqrt(unit) * (means[1] - means[0]))
    t = Scores(np.array(scores), None).statistics(basis)
    if not np.isfinite(t).all():
        raise ValueError(f"subsamples of {size:,} events have no positive yield: take larger ones")
    return t


def _z_scores(test: TwoSampleTest, t: Float64[np.ndarray, "m k"], draws: int) -> Float64[np.ndarray, " m"]:
    """Z of all tests together for each row: counted from draws of the null, and beyond them by Bonferroni's bound.

    The bound takes as many tests as the draws show to be independent where they run out, not all of them.
    """
    # The modes were not made of the subsamples, which leaves t of those of equal size the variance of normal scores.
    counted = np.sort(COMBINATION(test.asymptotic_null.quick_log_pvalues(test.asymptotic_null.draw(draws, test.seed))))
    statistics = COMBINATION(test.asymptotic_null.quick_log_pvalues(t))
    exceeding = draws - np.searchsorted(counted, statistics)
    log_p = np.log((1 + exceeding) / (1 + draws))
    # Where one in 200 exceeds, p of all tests together over that of one.
    end = max(1, draws // 200)
    log_factor = np.log((1 + end) / (1 + draws)) + counted[-end]
    far = exceeding < end
    if far.any():
        exact = [
            null.log_pvalues(column)
            for null, column in zip(test.asymptotic_null.joint.marginals, t[far].T, strict=True)
        ]
        log_p[far] = np.minimum(np.min(exact, axis=0) + log_factor, np.log((1 + end) / (1 + draws)))
    return np.asarray(-ndtri_exp(np.minimum(log_p, -1e-16)))


def _crossing(sizes: tuple[int, ...], median: Float64[np.ndarray, " s"], level: float) -> Crossing:
    """Where the median crosses: linear in the root of the size between neighbours, or Z proportional to it beyond."""
    root = np.sqrt(sizes)
    above = median >= level
    if above[0]:
        return Crossing(level, None, "below")
    if above.any():
        j = int(np.argmax(above))
        share = (level - median[j - 1]) / (median[j] - median[j - 1])
        return Crossing(level, float((root[j - 1] + share * (root[j] - root[j - 1])) ** 2), "interpolated")
    if median[-1] < _LEAST_Z:
        return Crossing(level, None, "unknown")
    return Crossing(level, float(sizes[-1] * (level / median[-1]) ** 2), "extrapolated")
