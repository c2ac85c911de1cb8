"""How fast the other features change with the resonant one: the degree of the polynomials that the background needs.

A degree is enough if the next three polynomials say no more, and the test takes out one more than is enough: what the
three of them just fail to show is mostly in the first. What a signal adds to them is not counted: the window that
leads is a nuisance here, or else a strong signal would be called a trend.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nplm.hunt.scores import Scores
from nplm.hunt.sums import BEYOND, LARGEST_DEGREE, Sums

# Degrees that are tried; one is enough if each of the next three polynomials has p above LEVEL / 3.
FIRST_DEGREE, LEVEL = 2, 0.05
# A window is taken out where its p-value times the number of all windows and kernels is less than this share of those
# of the polynomials: a signal is seen best by its window, and a trend that is not described by the polynomials.
AHEAD = 1e-5


@dataclass(frozen=True)
class Trend:
    """The trend that the background has.

    Arguments:
        degree: of the polynomials that are enough, or are given.
        p_values: of the next three, each by itself.
        chosen: whether the degree was chosen here, or given.
    """

    degree: int
    p_values: tuple[float, ...]
    chosen: bool = True

    @property
    def enough(self) -> bool:
        """Whether the next polynomials say no more."""
        return min(self.p_values) > LEVEL / len(self.p_values)

    @property
    def taken_out(self) -> int:
        """The degree of the polynomials that the test takes out: one more where they were chosen and are enough."""
        return self.degree + (self.chosen and self.enough)


def find_trend(sums: Sums, degree: int | None = None) -> Trend:
    """The smallest degree from 2 to 7 that is enough, 7 if none is; or how a given one does."""
    trend = _trend(sums, FIRST_DEGREE if degree is None else degree, chosen=degree is None)
    while degree is None and not trend.enough and trend.degree < LARGEST_DEGREE:
        trend = _trend(sums, trend.degree + 1, chosen=True)
    return trend


def _trend(sums: Sums, degree: int, *, chosen: bool) -> Trend:
    windows = Scores.of(sums, degree, sums.windows)
    local = windows.cumulants.log_p(windows.t)
    leading, _ = np.unravel_index(int(local.argmin()), local.shape)
    log_p = _log_p_beyond(sums, degree)
    if local.min() + np.log(local.size / AHEAD) < log_p.min():
        log_p = _log_p_beyond(sums, degree, without=[int(sums.windows[leading])])
    return Trend(degree, tuple(float(x) for x in np.exp(log_p)), chosen)


def _log_p_beyond(sums: Sums, degree: int, without: Sequence[int] = ()) -> Float64[np.ndarray, " k"]:
    """log p of each of the next polynomials: the smallest of all kernels, times the number of their widths.

    Penalties of one width have almost the same p. A slow change is seen best by wide kernels, so that no sum over all
    of them would do.
    """
    beyond = np.arange(degree + 1, degree + 1 + BEYOND)
    scores = Scores.of(sums, degree, beyond, without=without)
    smallest = scores.cumulants.log_p(scores.t).min(axis=1)
    return np.minimum(0.0, smallest + np.log(len(sums.basis.kernels)))
