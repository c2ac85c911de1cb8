"""What a smooth background makes of one window: events weighted as the window does, and as the trend expects."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from scipy.linalg import solve

from nplm.data.sample import Sample
from nplm.hunt.result import HuntResult
from nplm.hunt.trend import polynomials

# Events that count less than this in a window are not shown in it.
_LEAST_SEEN = 1e-3


def window_and_expectation(result: HuntResult, sample: Sample, window: int) -> tuple[Sample, Sample]:
    """The events of a window, and what a smooth background has in it, as samples of all features.

    Events count g(m) times their weight in the window, and P(m)^T (P^T V P)^-1 P^T V g times it in the expectation,
    with P the polynomials of the trend: the part of g that the test cannot see. So for any function b of the other
    features the difference of its sums over both is the score of b in this window. Far from the window the expectation
    has negative weights, as the trend is taken from there as well.

    Arguments:
        result: of the hunt.
        sample: the events that were looked at.
        window: its number.

    Raises:
        ValueError: if the sample has another number of events, or other features.
    """
    require_hunted(result, sample)
    m, v = sample[result.resonance], sample.weights
    g = result.windows.only(np.array([window]))(m)[:, 0]
    p = polynomials(m, v, result.trend.taken_out)
    weighted = v[:, None] * p
    smooth = p @ solve(p.T @ weighted, weighted.T @ g)
    seen = np.flatnonzero(g > _LEAST_SEEN)
    inside = Sample(sample.events[seen], v[seen] * g[seen], sample.features, "in the window")
    return inside, _weighted(sample, v * smooth, "smooth background")


def require_hunted(result: HuntResult, sample: Sample) -> None:
    """Refuses another sample than that of the hunt.

    Raises:
        ValueError: if it has another number of events, or other features.
    """
    if len(sample) != result.events or {*sample.features} != {result.resonance, *result.features}:
        raise ValueError(
            f"the result is about {result.events} events of {result.resonance}, {', '.join(result.features)}, not"
            f" {len(sample)} of {', '.join(sample.features)}: give the sample that was looked at"
        )


def _weighted(sample: Sample, weights: Float64[np.ndarray, " n"], name: str) -> Sample:
    return Sample(sample.events, weights, sample.features, name)
