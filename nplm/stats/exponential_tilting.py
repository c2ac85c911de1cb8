"""Where the toys of a rare-event calibration are drawn: a ladder of null toys that are tilted more and more.

To second order t = sum_i c_i u_i^2 under the null, with u a standard normal vector. Null toys whose density is
multiplied by exp(theta t) are, in that order, toys of a random signal f = b . phi with b_i ~ Normal(0, v_i),

    v_i = 2 theta c_i / (1 - 2 theta c_i),

and they centre t at K'(theta), with K the cumulant generating function of t. The theta with K'(theta) at the threshold
makes the p-value known best. Lower rungs, down to the null itself, are what the highest one is checked with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.optimize import brentq

# Modes are tilted whose v_i would be at least this much, at most so many of them: where others had to be tilted too,
# few toys are effective, and the p-value is refused.
_LEAST_TILT, _MOST_TILTED = 0.02, 256
# Neighbouring rungs may be apart by so many standard deviations of t.
_APART = 2.0
# Share of the toys on the highest rung; the others share the rest equally.
_TOP_SHARE = 0.6
# How close theta may come to where the tilted distribution ceases to exist.
_LARGEST = 1 - 1e-9


@dataclass(frozen=True, eq=False)
class Rungs:
    """Tilts of the leading modes, rung by rung.

    Arguments:
        theta: increasing from 0, the null, shape (rungs,).
        variances: v_i of each rung and tilted mode; zero on the first rung, shape (rungs, m).
        shares: of the toys on each rung, shape (rungs,).
    """

    theta: Float64[np.ndarray, " rungs"]
    variances: Float64[np.ndarray, "rungs m"]
    shares: Float64[np.ndarray, " rungs"]

    @classmethod
    def to(cls, threshold: float, weights: Float64[np.ndarray, " r"]) -> Rungs:
        """The rungs for a p-value at a threshold.

        Arguments:
            threshold: t; at or below the mean of t nothing needs to be tilted, and all toys are null toys.
            weights: c_i, in decreasing order.
        """
        distribution = _TiltedDistribution(weights, len(weights))
        top = distribution.theta(threshold)
        if top == 0:
            return cls(np.zeros(1), np.zeros((1, 0)), np.ones(1))
        tilted = min(int((_variances(top, weights) >= _LEAST_TILT).sum()), _MOST_TILTED)
        distribution = _TiltedDistribution(weights, max(1, tilted))
        theta = [distribution.theta(threshold)]
        while distribution.apart(0.0, theta[-1]) > _APART:
            theta.append(distribution.below(theta[-1]))
        theta = [0.0, *reversed(theta)]
        rest = (1 - _TOP_SHARE) / (len(theta) - 1)
        variances = np.stack([_variances(x, weights[: distribution.tilted]) for x in theta])
        return cls(np.array(theta), variances, np.array([rest] * (len(theta) - 1) + [_TOP_SHARE]))

    @property
    def modes(self) -> int:
        """How many modes are tilted."""
        return self.variances.shape[1]


@dataclass(frozen=True, eq=False)
class _TiltedDistribution:
    """t = sum_i c_i u_i^2 with the leading modes tilted."""

    weights: np.ndarray
    tilted: int

    def terms(self, theta: float) -> np.ndarray:
        """c_i / (1 - 2 theta c_i), or c_i where a mode is not tilted: the mean of each term of t."""
        terms = self.weights.copy()
        terms[: self.tilted] /= 1 - 2 * theta * terms[: self.tilted]
        return terms

    def theta(self, mean: float) -> float:
        """Where t has this mean; 0 if that is its mean without a tilt, or less."""
        if self.weights.sum() >= mean:
            return 0.0
        end = _LARGEST / (2 * self.weights[0])
        return float(brentq(lambda x: self.terms(x).sum() - mean, 0.0, end))

    def apart(self, low: float, high: float) -> float:
        """Distance of the means of t in mean standard deviations."""
        a, b = self.terms(low), self.terms(high)
        sd = (np.sqrt(2 * a @ a) + np.sqrt(2 * b @ b)) / 2
        return float((b.sum() - a.sum()) / sd)

    def below(self, theta: float) -> float:
        """The next rung below."""
        return float(brentq(lambda x: self.apart(x, theta) - _APART, 0.0, theta))


def _variances(theta: float, weights: np.ndarray) -> Float64[np.ndarray, " m"]:
    return 2 * theta * weights / (1 - 2 * theta * weights)
