"""Likelihoods of one coupling, scanned: of the exact density, of what was learned, and of histograms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

# 95% of one degree of freedom.
_CROSSING = 3.841458820694124


@dataclass(frozen=True)
class Scan:
    """log L(theta) = sum_D log r(x; theta) - N(theta) at points theta, N(theta) exact or by morphing.

    Arguments:
        name: what r is.
        theta: points, shape (p,).
        expected: N(theta), shape (p,).
        coefficients: of r at events, shape (n, 2): r = 1 + c_1 theta + c_2 theta^2.
        seconds: CPU seconds to learn it.
        per_event: log of what r is multiplied by besides, shape (p,).
    """

    name: str
    theta: Float64[np.ndarray, " p"]
    expected: Float64[np.ndarray, " p"]
    coefficients: Callable[[Float64[np.ndarray, "n d"]], Float64[np.ndarray, "n 2"]]
    seconds: float = 0.0
    per_event: Float64[np.ndarray, " p"] | float = 0.0

    def log_likelihood(
        self, events: Float64[np.ndarray, "n d"], weights: Float64[np.ndarray, " n"] | None = None
    ) -> Float64[np.ndarray, " p"]:
        """log L of data, or of what is expected."""
        c = self.coefficients(events)
        log_r = np.log(np.maximum(1 + c[:, :1] * self.theta + c[:, 1:] * self.theta**2, 1e-12))
        w = np.ones(len(events)) if weights is None else weights
        return w @ log_r + w.sum() * self.per_event - self.expected

    def interval(self, log_likelihood: Float64[np.ndarray, " p"]) -> tuple[float, float, float]:
        """theta^ and the ends of its 95% interval, by Wilks; NaN where it does not end within the scan."""
        q = 2 * (log_likelihood.max() - log_likelihood)
        best = int(np.argmin(q))
        ends = []
        for part in (slice(best, None, -1), slice(best, None)):
            values, theta = q[part], self.theta[part]
            above = np.flatnonzero(values > _CROSSING)
            if not len(above):
                ends.append(np.nan)
                continue
            j = int(above[0])
            share = (_CROSSING - values[j - 1]) / (values[j] - values[j - 1])
            ends.append(float(theta[j - 1] + share * (theta[j] - theta[j - 1])))
        return float(self.theta[best]), ends[0], ends[1]
