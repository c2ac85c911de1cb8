"""A smooth function of t >= 0 whose values are dear, from values and derivatives at points that are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float64
from scipy.optimize import brentq

# Neighbouring points are at most so far apart, and closer where the function may bend within less.
_APART, _SHARE = 0.3, 0.15


@dataclass(frozen=True, eq=False)
class Curve:
    """Cubic polynomials between points, which have the function's values and derivatives at these.

    For log-likelihoods n log(b + u t), whose fourth derivative is 6 n / (t + b / u)^4, with points that are no further
    apart than 0.15 (t + b / u) the error is at most 6 n 0.15^4 / 384 = 8e-6 n.

    Arguments:
        function: gives values and derivatives at some t.
        scale: the smallest b / u.
    """

    function: Callable[[Float64[np.ndarray, " g"]], tuple[Float64[np.ndarray, " g"], Float64[np.ndarray, " g"]]]
    scale: float
    _known: dict[int, tuple[float, float]] = field(default_factory=dict, repr=False)

    def at(self, t: Float64[np.ndarray, " g"]) -> Float64[np.ndarray, " g"]:
        """Values at each t."""
        return self._value(t, 0)

    def top(self) -> float:
        """Where it is largest, if it is concave."""
        if self._slope(0.0) <= 0:
            return 0.0
        high = 1.0
        while self._slope(high) > 0:
            high *= 2
        return float(brentq(self._slope, 0.0, high, xtol=1e-9))

    def _slope(self, t: float) -> float:
        return float(self._value(np.array([t]), 1)[0])

    def _value(self, t: np.ndarray, order: int) -> np.ndarray:
        cell = np.floor(self._number(t)).astype(int)
        self._learn(np.unique(np.concatenate([cell, cell + 1])))
        left, right = self._place(cell), self._place(cell + 1)
        (v0, d0), (v1, d1) = (np.array([self._known[n] for n in ends.tolist()]).T for ends in (cell, cell + 1))
        h = right - left
        x = (t - left) / h
        if order == 0:
            ends = v0 + (v1 - v0) * x**2 * (3 - 2 * x)
            return ends + h * x * (1 - x) * (d0 * (1 - x) - d1 * x)
        return (v1 - v0) / h * 6 * x * (1 - x) + d0 * (1 - x) * (1 - 3 * x) + d1 * x * (3 * x - 2)

    def _learn(self, numbers: np.ndarray) -> None:
        new = np.array([n for n in numbers.tolist() if n not in self._known], dtype=int)
        if len(new):
            values, slopes = self.function(self._place(new))
            self._known.update(zip(new.tolist(), zip(values.tolist(), slopes.tolist(), strict=True), strict=True))

    @property
    def _bend(self) -> tuple[float, float]:
        """Up to which t points get further and further apart, and how many there are up to there."""
        until = max(_APART / _SHARE - self.scale, 0.0)
        return until, np.log1p(until / self.scale) / np.log1p(_SHARE) if until > 0 else 0.0

    def _number(self, t: np.ndarray) -> np.ndarray:
        until, _ = self._bend
        near = np.log1p(np.minimum(t, until) / self.scale) / np.log1p(_SHARE) if until > 0 else 0.0
        return near + np.maximum(t - until, 0.0) / _APART + 1e-12

    def _place(self, number: np.ndarray) -> np.ndarray:
        until, many = self._bend
        near = self.scale * np.expm1(np.minimum(number, many) * np.log1p(_SHARE)) if until > 0 else 0.0
        return near + np.maximum(number - many, 0.0) * _APART
