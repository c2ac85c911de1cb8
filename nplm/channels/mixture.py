"""Poisson probabilities whose mean is uncertain: integrals of a normal density times a Poisson probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64
from scipy.special import gammainc, gammaincc, gammaln, log_ndtr, roots_legendre, xlogy

# P(N = n), P(N >= n), or P(N <= n) of a Poisson variable.
Part = Literal["equal", "at least", "at most"]
Rows = Float64[np.ndarray, " m"]

# All integrands are narrower than the normal density at their maximum, so that nothing is left beyond so many widths.
_REACH = 9.0
# Nodes of each panel, and widths of the narrower factor that a panel spans at most; on the logarithmic scale half.
_NODES, _SPAN = 32, 10.0
# The maximum is known to so many widths.
_CLOSE, _MOST_STEPS = 0.3, 60
_TINY = 1e-300
# A mean that is smaller than that is as good as zero, and its square is still a number.
_LEAST_MEAN = 1e-100


@dataclass(frozen=True)
class Scale:
    """On which scale the mean b is normal: b = u on the line u >= 0, or b = exp(u).

    Arguments:
        logarithmic: whether it is the latter.
    """

    logarithmic: bool

    def mean(self, u: np.ndarray) -> np.ndarray:
        """b."""
        return np.exp(u) if self.logarithmic else u

    def slopes(self, b: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives by u, of those by b."""
        return (b * first, b * b * second + b * first) if self.logarithmic else (first, second)


def log_mixture(part: Part, n: Rows, centre: Rows, width: Rows, scale: Scale) -> Rows:
    """log of int Normal(u; centre, width^2) K(n; b(u)) du / int Normal, over all u that are allowed, shape (m,).

    K is one of three Poisson probabilities. The integrand is log-concave, with at least the curvature of the normal
    density; it is summed by Gauss and Legendre's rule in panels around its maximum, as narrow as the narrower of both
    factors asks for. The relative error is some 1e-12.

    Arguments:
        part: which of the probabilities.
        n: counts.
        centre, width: of the normal density of u; the width is positive.
        scale: what u is.
    """
    found = np.empty(len(n))
    mode = _maximum(part, n, centre, width, scale)
    narrow = np.sqrt(np.maximum(n, 1.0))
    narrow = np.minimum(width, 1 / narrow if scale.logarithmic else narrow)
    panels = np.ceil(2 * _REACH * width / ((_SPAN / 2 if scale.logarithmic else _SPAN) * narrow))
    panels = 2 ** np.ceil(np.log2(np.maximum(panels, 2))).astype(np.int64)
    low = mode - _REACH * width if scale.logarithmic else np.maximum(mode - _REACH * width, 0.0)
    high = mode + _REACH * width
    nodes, weights = roots_legendre(_NODES)
    for many in np.unique(panels):
        rows = np.flatnonzero(panels == many)
        # Blocks, so that not all nodes of a large table are held at once.
        for block in np.array_split(rows, max(1, len(rows) * int(many) * _NODES // 2_000_000)):
            size = (high[block] - low[block]) / many
            places = (np.arange(many)[:, None] + (nodes + 1) / 2).ravel()
            u = low[block, None] + size[:, None] * places
            log_f = _log_kernel(part, n[block, None], scale.mean(u))
            log_f -= ((u - centre[block, None]) / width[block, None]) ** 2 / 2
            largest = log_f.max(axis=1)
            total = np.exp(log_f - largest[:, None]) @ np.tile(weights / 2, many) * size
            found[block] = largest + np.log(total)
    norm = np.log(width * np.sqrt(2 * np.pi))
    return found - (norm if scale.logarithmic else norm + log_ndtr(centre / width))


def _log_kernel(part: Part, n: np.ndarray, b: np.ndarray) -> np.ndarray:
    if part == "equal":
        return xlogy(n, b) - b - gammaln(n + 1)
    tail = gammaincc(n + 1, b) if part == "at most" else gammainc(n, b)
    lost = tail < _TINY
    found = np.log(np.where(lost, 1.0, tail))
    if lost.any():
        n, b = np.broadcast_to(n, lost.shape)[lost], b[lost]
        # Where the tail has no digits left it is its largest term over 1 - the ratio of the next one to it.
        log_term = xlogy(n, np.maximum(b, _TINY)) - b - gammaln(n + 1)
        ratio = n / np.maximum(b, _TINY) if part == "at most" else b / (n + 1)
        found[lost] = log_term - np.log1p(-np.minimum(ratio, 0.99))
    return found


def _slopes(part: Part, n: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivative of log K by b > 0."""
    if part == "equal":
        return n / b - 1, -n / b / b
    if part == "at most":
        ratio = np.exp(xlogy(n, b) - b - gammaln(n + 1) - _log_kernel(part, n, b))
        return -ratio, -ratio * (n / b - 1 + ratio)
    ratio = np.exp(xlogy(n - 1, b) - b - gammaln(n) - _log_kernel(part, n, b))
    return ratio, ratio * ((n - 1) / b - 1 - ratio)


def _maximum(part: Part, n: Rows, centre: Rows, width: Rows, scale: Scale) -> Rows:
    """Where the integrand is largest, within a third of the width."""
    low, high = _bracket(part, n, centre, width, scale)
    # From above: where the mean is tiny, a step of Newton's would only double it.
    u = high.copy()
    rows = np.arange(len(n))
    for _ in range(_MOST_STEPS):
        here, unit = u[rows], width[rows]
        b = np.maximum(scale.mean(here), _LEAST_MEAN)
        first, second = scale.slopes(b, *_slopes(part, n[rows], b))
        slope = first - (here - centre[rows]) / unit**2
        low[rows], high[rows] = np.where(slope > 0, here, low[rows]), np.where(slope > 0, high[rows], here)
        # The curvature is at least 1 / width^2, so that the slope bounds the distance from the maximum.
        near = (np.abs(slope) * unit <= _CLOSE) | (high[rows] - low[rows] <= _CLOSE * unit)
        step = here - slope / (second - 1 / unit**2)
        inside = (step > low[rows]) & (step < high[rows])
        u[rows] = np.where(near, here, np.where(inside, step, (low[rows] + high[rows]) / 2))
        rows = rows[~near]
        if not len(rows):
            break
    return u


def _bracket(part: Part, n: Rows, centre: Rows, width: Rows, scale: Scale) -> tuple[Rows, Rows]:
    """Values of u between which the maximum lies: the slope of log K lies between -1 and n / b."""
    b = scale.mean(centre)
    if scale.logarithmic:
        # Far above n nothing more is gained.
        most = np.log(n + 8 * np.sqrt(n) + 20)
        down, up = centre - width**2 * b, np.minimum(centre + width**2 * n, np.maximum(centre, most))
    else:
        down = np.maximum(centre - width**2, 0.0)
        up = (centre + np.sqrt(centre**2 + 4 * n * width**2)) / 2
    if part == "at least":
        return centre.copy(), up
    return down, centre.copy() if part == "at most" else np.maximum(up, centre)
