"""Tail probabilities of sums of squared normal variables, by integrals through the complex plane.

With K(s) = log E[exp(s t)], the cumulant generating function, and the real number c at the saddle of
exp(K(s) - s t) / s,

    P(T >= t) =  1 / (2 pi i) int exp(K(s) - s t) / s ds    through c > 0,
    P(T <  t) = -1 / (2 pi i) int exp(K(s) - s t) / s ds    through c < 0.

The integrand falls as fast as it can on either side of the real axis, so that neither probability is a difference of
larger numbers, however small it is. The straight line is bent into a hyperbola around the branch points, which all lie
on the real axis beyond c: where the straight line leaves a power of s to damp the integrand, exp(-s t) now does. The
trapezoidal rule then converges geometrically, and halving its step shows how far it has come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.optimize import brentq
from scipy.special import expit

# Weights that add up to less than this share of the largest weight cannot be seen in t.
_NEGLIGIBLE = 1e-16
# Relative error of a probability: where halving the step moves it by less, all digits are there, as the error of the
# halved step is about the square of that. Rounding may leave more where t has many terms, but never this much.
_CONVERGED, _TOLERATED = 1e-11, 1e-10
_FIRST_STEP, _LEAST_STEP, _REACH = 0.5, 0.01, 14.0
# The integrand may be cut where it is this small, compared with its largest value.
_CUT = 1e-19
# How far the integral may be from its expansion at the saddle: in all that was tried, it is 0.84 to 1.17 of it.
_LEAST_SHARE = 0.5
# The largest number of which exp can be taken, with room for a factor.
_LARGEST_EXPONENT = 700.0
# How far the hyperbola leans to the right: between a right angle and none, along the steepest descent.
_LEAST_LEAN, _MOST_LEAN = 0.25, 0.95


@dataclass(frozen=True, eq=False)
class SumOfSquares:
    """t = sum_k w_k (z_k + d_k)^2 in units in which the largest weight is 1/2, so that K is singular at s = 1.

    Arguments:
        unit: twice the largest weight: t in units of it is what the methods take.
        ratios: r, the distinct weights divided by the largest one, shape (m,).
        gaps: 1 - r, without rounding, shape (m,).
        counts: n, how many terms have that weight, shape (m,).
        squares: b, the sum of their d^2, shape (m,).
    """

    unit: float
    ratios: Float64[np.ndarray, " m"]
    gaps: Float64[np.ndarray, " m"]
    counts: Float64[np.ndarray, " m"]
    squares: Float64[np.ndarray, " m"]

    @classmethod
    def of(cls, weights: Float64[np.ndarray, " n"], shift: Float64[np.ndarray, " n"]) -> SumOfSquares:
        """Groups equal weights, and drops those that are too small to be seen."""
        order = np.argsort(weights)
        sizes = np.cumsum((weights * (1 + shift**2))[order])
        kept = order[sizes > _NEGLIGIBLE * weights.max()]
        distinct, which = np.unique(weights[kept], return_inverse=True)
        return cls(
            unit=2 * float(distinct[-1]),
            ratios=distinct / distinct[-1],
            gaps=(distinct[-1] - distinct) / distinct[-1],
            counts=np.bincount(which).astype(np.float64),
            squares=np.bincount(which, weights=shift[kept] ** 2),
        )

    def log_tail(self, x: float, *, upper: bool) -> float:
        """log P(T >= t), or log P(T < t), for t = unit x > 0.

        Raises:
            ArithmeticError: if the integral has not converged.
        """
        q, s = self._saddle(x, upper=upper)
        factors = self.gaps + self.ratios * q
        rho = self.ratios / factors
        pull = self.squares / factors
        # The derivatives of K(s) - s x - log s in units of the distance to the nearest singularity.
        near = min(q, abs(s))
        second = 0.5 * ((near * rho) ** 2 @ (self.counts + 2 * pull)) + (near / s) ** 2
        third = (near * rho) ** 3 @ (self.counts + 3 * pull) - 2 * (near / s) ** 3
        rise = near / np.sqrt(second)
        lean = rise * np.clip(third / (3 * second**1.5), _LEAST_LEAN, _MOST_LEAN)

        def integrand(v: Float64[np.ndarray, " nodes"]) -> Float64[np.ndarray, " nodes"]:
            # Relative to the saddle, s moves by z.
            along, across = lean * (np.cosh(v) - 1), rise * np.sinh(v)
            z = along + 1j * across
            X, Y = along[:, None] * rho, across[:, None] * rho
            # Twice log(1 - z rho), with its digits where z rho is small.
            size = X**2 + Y**2 - 2 * X
            logs = np.log1p(size) @ self.counts - 2j * (np.arctan2(Y, 1 - X) @ self.counts)
            exponent = -0.25 * logs - z * x
            if self.squares.any():
                exponent += 0.5 * (((X + 1j * Y) / (1 - X - 1j * Y)) @ pull)
            return (np.exp(exponent) / (1 + z / s) * (rise * np.cosh(v) - 1j * lean * np.sinh(v))).real

        integral = _integral(integrand)
        # A contour on the wrong side of a branch point would converge too, but not near what the saddle alone says.
        if not _LEAST_SHARE < integral / (rise * np.sqrt(np.pi / 2)) < 1 / _LEAST_SHARE:
            raise ArithmeticError(f"the tail probability at x = {x:.17g} is far from that of its saddle")
        return float(self._generator(q, s) - s * x - np.log(abs(s)) + np.log(integral / np.pi))

    def slope(self, q: float) -> float:
        """K' at s = 1 - q; at q = 1 it is the mean of x."""
        factors = self.gaps + self.ratios * q
        return float(0.5 * ((self.ratios / factors) @ (self.counts + self.squares / factors)))

    def _generator(self, q: float, s: float) -> float:
        """K(s), from whichever of s and q = 1 - s keeps the digits of 1 - r s."""
        factors = self.gaps + self.ratios * q
        logs = np.where(
            self.ratios * s < 0.5, np.log1p(-self.ratios * np.minimum(s, 0.5 / self.ratios)), np.log(factors)
        )
        return float(0.5 * (s * ((self.ratios / factors) @ self.squares) - self.counts @ logs))

    def _saddle(self, x: float, *, upper: bool) -> tuple[float, float]:
        """q = 1 - s and s where K'(s) = x + 1 / s; s lies in (0, 1) for the upper tail and is negative for the lower.

        Both are functions of one number, which keep their digits where they are small. Few digits of that number will
        do: the contour may pass beside the saddle.
        """

        def place(u: float) -> tuple[float, float]:
            inverse = np.exp(min(-u, _LARGEST_EXPONENT))
            return (float(expit(-u)), float(expit(u))) if upper else (float(1 + inverse), -float(inverse))

        def excess(u: float) -> float:
            q, s = place(u)
            return self.slope(q) - 1 / s - x

        low, high = -1.0, 1.0
        while excess(low) > 0:
            low *= 2
        while excess(high) < 0:
            high *= 2
        return place(float(brentq(excess, low, high, xtol=1e-4)))


def _integral(integrand: Callable[[np.ndarray], np.ndarray]) -> float:
    """The integral of an even function over the positive axis, by the trapezoidal rule with halved steps."""
    step = _FIRST_STEP
    nodes = np.arange(0, _REACH, step)
    values = integrand(nodes)
    seen = np.flatnonzero(np.abs(values) > _CUT * np.abs(values).max())
    if len(seen) == 0 or seen[-1] == len(nodes) - 1:
        raise ArithmeticError("the integrand of a tail probability does not fall off")
    cut = nodes[seen[-1]] + step
    total = step * (values.sum() - values[0] / 2)
    while step > _LEAST_STEP:
        values = integrand(np.arange(step / 2, cut, step))
        before, total = total, (total + step * values.sum()) / 2
        step /= 2
        if abs(total - before) <= _CONVERGED * abs(total):
            break
    if not abs(total - before) <= _TOLERATED * total:
        raise ArithmeticError(f"the integral of a tail probability moved from {before:.17g} to {total:.17g}")
    return float(total)
