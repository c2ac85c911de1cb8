"""Newton's method for one smooth problem within bounds, with coordinates that may be held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

Expand = Callable[[Float64[np.ndarray, " k"]], tuple[float, Float64[np.ndarray, " k"], Float64[np.ndarray, "k k"]]]

# A step is taken if it lowers the objective by this share of what its slope promised; damping once it is refused.
_ACCEPTED, _FIRST, _GROWTH, _DECAY, _SMALLEST, _LARGEST = 1e-4, 1e-3, 10.0, 0.1, 1e-6, 1e12
# Curvature below this share of the largest, once coordinates are scaled, is none.
_FLAT = 1e-13


@dataclass(frozen=True, eq=False)
class BoundedMinimum:
    """Where a minimization ended.

    Arguments:
        point: shape (k,).
        value, gradient, hessian: of the objective there.
        converged: whether the Newton decrement over the coordinates that may move is below the tolerance, and the
            curvature in them is positive.
        steps: how many were tried.
    """

    point: Float64[np.ndarray, " k"]
    value: float
    gradient: Float64[np.ndarray, " k"]
    hessian: Float64[np.ndarray, "k k"]
    converged: bool
    steps: int


def bounded_newton(
    expand: Expand,
    start: Float64[np.ndarray, " k"],
    low: Float64[np.ndarray, " k"],
    high: Float64[np.ndarray, " k"],
    free: Bool[np.ndarray, " k"],
    tolerance: float = 1e-9,
    steps: int = 200,
) -> BoundedMinimum:
    """Minimizes within a box by projected Newton steps with Levenberg damping.

    A coordinate at a bound whose gradient points outwards stays there, so the point is one that satisfies the
    Karush-Kuhn-Tucker conditions (D. P. Bertsekas, SIAM J. Control Optim. 20 (1982) 221). Points where the objective is
    not finite are stepped back from.

    Arguments:
        expand: value, gradient and Hessian at a point.
        start: where to begin; the objective must be finite there.
        low, high: bounds, infinite for none.
        free: which coordinates may move.
        tolerance: of the Newton decrement g^T H^-1 g.
        steps: at most so many trials.
    """
    x = np.where(free, np.clip(start, low, high), start)
    value, gradient, hessian = expand(x)
    damping, converged, tried = 0.0, False, 0
    if not np.isfinite(value):
        return BoundedMinimum(x, value, gradient, hessian, False, 0)
    while tried < steps:
        at_bound = ((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0))
        moves = np.flatnonzero(free & ~at_bound)
        if not len(moves):
            converged = True
            break
        g, h = gradient[moves], hessian[np.ix_(moves, moves)]
        scale = np.sqrt(np.maximum(np.abs(np.diag(h)), 1e-300))
        scale = np.maximum(scale, 1e-9 * scale.max())
        sizes, vectors = np.linalg.eigh(h / np.outer(scale, scale))
        along = vectors.T @ (g / scale)
        flat = max(_FLAT * float(np.abs(sizes).max()), 1e-300)
        positive = bool(sizes[0] > flat)
        if positive and damping == 0.0 and float(along @ (along / sizes)) < tolerance:
            converged = True
            break
        # Directions of negative curvature are walked down as if they were curved up as much.
        step = -(vectors @ (along / (np.maximum(np.abs(sizes), flat) * (1 + damping)))) / scale
        trial = x.copy()
        trial[moves] = np.clip(x[moves] + step, low[moves], high[moves])
        promised = float(g @ (trial[moves] - x[moves]))
        there = expand(trial)
        tried += 1
        noise = tolerance + 1e-13 * (1 + abs(value)) if -promised < 1e-6 * (1 + abs(value)) else 0.0
        if np.isfinite(there[0]) and promised <= 0 and there[0] <= value + _ACCEPTED * promised + noise:
            x, (value, gradient, hessian) = trial, there
            damping = 0.0 if damping * _DECAY < _SMALLEST else damping * _DECAY
            continue
        damping = max(_FIRST, damping * _GROWTH)
        if damping > _LARGEST:
            # No step leads down any more: what is left is rounding, or there is a kink.
            converged = positive and float(along @ (along / sizes)) < 1e3 * tolerance
            break
    return BoundedMinimum(x, value, gradient, hessian, converged, tried)
