"""A smooth function of one variable, tabulated once so that many values of it cost little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.polynomial import chebyshev

_DEGREE = 16
# The last coefficients of a panel are that small, in the function's units or, where it is large, as a share of it.
_ABSOLUTE, _RELATIVE = 1e-11, 1e-14
_MOST_PANELS = 1000
# As many halvings as a float64 has digits, and those of a range that is wide compared with its lower end.
_BISECTIONS = 64

_NODES = np.cos(np.pi * (np.arange(_DEGREE + 1) + 0.5) / (_DEGREE + 1))
_FROM_VALUES = np.linalg.inv(chebyshev.chebvander(_NODES, _DEGREE))


@dataclass(frozen=True, eq=False)
class LogTable:
    """Chebyshev polynomials on panels, which are halved until the function is smooth on each.

    It is made for logarithms of probabilities: an absolute error of 1e-11 is a relative one of the probability.

    Arguments:
        edges: of the panels, increasing, shape (panels + 1,).
        coefficients: of the Chebyshev polynomials, shape (panels, degree + 1).
    """

    edges: Float64[np.ndarray, " edges"]
    coefficients: Float64[np.ndarray, "panels terms"]

    @classmethod
    def of(cls, function: Callable[[float], float], low: float, high: float) -> LogTable:
        """Tabulates the function from low to high.

        Raises:
            ArithmeticError: if it is not smooth.
        """
        edges, found = [low], []
        waiting = [(low, high)]
        while waiting:
            a, b = waiting.pop()
            values = np.array([function(float(x)) for x in (a + b) / 2 + (b - a) / 2 * _NODES])
            coefficients = _FROM_VALUES @ values
            if np.abs(coefficients[-3:]).max() <= _ABSOLUTE + _RELATIVE * np.abs(values).max():
                edges.append(b)
                found.append(coefficients)
            elif len(found) + len(waiting) < _MOST_PANELS:
                # The lower half is the next to be looked at, so that panels are found from left to right.
                waiting += [((a + b) / 2, b), (a, (a + b) / 2)]
            else:
                raise ArithmeticError(f"a function is too rough near {a:.6g} to be tabulated")
        return cls(np.array(edges), np.array(found))

    def __call__(self, x: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """The function at x within the table's range, shape (m,)."""
        panel = np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, len(self.coefficients) - 1)
        low, high = self.edges[panel], self.edges[panel + 1]
        # A range of one point has one panel without a width.
        local = (2 * x - low - high) / np.maximum(high - low, np.finfo(np.float64).tiny)
        return np.asarray(chebyshev.chebval(local, self.coefficients[panel].T, tensor=False))

    def inverse(self, y: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """The x with function(x) = y of a monotonic function, by bisection; y beyond its range gives an end of x."""
        ends = self(self.edges[[0, -1]])
        sign = np.sign(ends[1] - ends[0])
        low, high = (np.full(y.shape, end) for end in self.edges[[0, -1]])
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            above = sign * (self(middle) - y) > 0
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        return (low + high) / 2
