"""Fits of single windows: the kernel model's minimum in a few passes over a reference that is held in its modes."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Float64

from nplm.data.sample import Sample
from nplm.likelihood.fits import Fits
from nplm.models.kernel.fit import CONVERGED
from nplm.models.linear import PreparedLinear

# phi of the reference is held if it fills at most so many bytes.
_MOST_BYTES = 1 << 30
# Rows whose phi stays in the cache between its two products.
_ROWS = 1024
# Anderson's acceleration: points that are remembered, and passes at most.
_MEMORY, _PASSES = 6, 20
# The passes end at this share of what `PreparedKernel.certified` allows to be left of t.
_SHARE = 0.2
# Newton steps, and halvings of each, at most: far from the reference t is huge long before it is the maximum.
_NEWTON_STEPS, _HALVINGS = 30, 10
_NEWTON_TOLERANCE = 1e-9
# Rows that are one product of the Hessian.
_HESSIAN_ROWS = 8192


@dataclass(frozen=True, eq=False)
class HeldReference:
    """phi of all reference events, in float32, with the weights.

    In modes the Hessian of the loss is 1 + p at f = 0 and close to it for a window that agrees with the reference, so
    b <- b - (1 + p)^-1 grad F(b), accelerated (D. G. Anderson, J. ACM 12 (1965) 547), needs some five passes where
    Newton's method with conjugate gradients needs twenty. phi is rounded to 6e-8, in each event in its own direction;
    all sums are float64, and t moves by less than 1e-5.

    Arguments:
        prepared: the kernel model with its reference.
        phi: shape (n, r).
        weights: of the reference, shape (n,).
    """

    prepared: PreparedLinear
    phi: Float32[np.ndarray, "n r"]
    weights: Float64[np.ndarray, " n"]

    @classmethod
    def of(cls, prepared: PreparedLinear, reference: Sample) -> HeldReference | None:
        """None where the passes would not pay or not end: in one dimension, with signed weights, without memory."""
        count = prepared.modes.count
        if prepared.line is not None or prepared.solver != "ml" or prepared.signed:
            return None
        if 4 * count * len(reference) > _MOST_BYTES:
            return None
        phi = np.empty((len(reference), count), dtype=np.float32)
        for begin in range(0, len(reference), 16 * _ROWS):
            rows = slice(begin, begin + 16 * _ROWS)
            phi[rows] = prepared.features(reference.events[rows])
        return cls(prepared, phi, reference.weights)

    def fit_sums(self, sums: Float64[np.ndarray, " r"], scale: float = 1.0) -> Fits:
        """The fit of a window with these sums over the modes; by Newton's method if the passes do not arrive.

        They do not for a window that is far from the reference; and if Newton's few steps do not arrive either, t is a
        lower bound, as the loss is convex.

        Arguments:
            sums: s = sum_D v phi, shape (r,).
            scale: that t is multiplied with afterwards, and so is what may be left of it.
        """
        prepared = self.prepared
        penalty = prepared.modes.penalty
        metric = 1 + penalty
        b = (sums - prepared.expected) / metric
        enough = _SHARE * CONVERGED / scale * float(np.sqrt(2 * np.sum(prepared.modes.shrinkage**2)))
        points: list[np.ndarray] = []
        steps: list[np.ndarray] = []
        first = np.inf
        for _ in range(_PASSES):
            value, gradient = self._pass(b)
            step = (sums - gradient - penalty * b) / metric
            decrement = float(np.sum(metric * step**2))
            if 2 * np.sqrt(np.sum(penalty * b**2) * decrement) + decrement < enough:
                t = -2 * (value - float(b @ sums))
                return prepared.certified(np.array([t]), b[None], (gradient - sums)[None])
            first = min(first, decrement)
            if not decrement < 100 * first:
                break
            points.append(b)
            steps.append(step)
            b = b + step
            if len(points) > 1:
                b = b - _extrapolation(points[-_MEMORY:], steps[-_MEMORY:], np.sqrt(metric))
        return self.by_newton(sums)

    def by_newton(self, sums: Float64[np.ndarray, " r"]) -> Fits:
        """The same by Newton's method from f = 0, with the whole Hessian, and steps halved until the loss falls.

        Sums of float32 products would say no more of a t of thousands than that a last step is lost in rounding.
        """
        prepared = self.prepared
        penalty = prepared.modes.penalty
        b = np.zeros(len(sums))
        value, gradient = self._pass(b, np.float64)
        for _ in range(_NEWTON_STEPS):
            slope = gradient - sums + penalty * b
            step = np.linalg.solve(self._hessian(b) + np.diag(penalty), -slope)
            promise = -float(slope @ step)
            if promise < _NEWTON_TOLERANCE:
                break
            now = value - float(b @ sums) + float(penalty @ b**2) / 2
            for share in 0.5 ** np.arange(_HALVINGS):
                trial = b + share * step
                there = self._pass(trial, np.float64)
                if there[0] - float(trial @ sums) + float(penalty @ trial**2) / 2 < now - 1e-4 * share * promise:
                    b, (value, gradient) = trial, there
                    break
            else:  # rounding, or a step into overflow: this is as far as it goes
                break
        t = -2 * (value - float(b @ sums))
        return prepared.certified(np.array([t]), b[None], (gradient - sums)[None])

    def _hessian(self, b: Float64[np.ndarray, " r"]) -> Float64[np.ndarray, "r r"]:
        """sum_R w e^f phi phi^T; of float32 products, as it only steers the steps."""
        total = np.zeros((len(b), len(b)))
        rounded = b.astype(np.float32)
        for begin in range(0, len(self.weights), _HESSIAN_ROWS):
            rows = slice(begin, begin + _HESSIAN_ROWS)
            total += np.asarray(_second_moment(self.phi[rows], self.weights[rows].astype(np.float32), rounded))
        return total

    def _pass(
        self, b: Float64[np.ndarray, " r"], precision: type[np.floating] = np.float32
    ) -> tuple[float, Float64[np.ndarray, " r"]]:
        """sum_R w (e^f - 1) and sum_R w e^f phi, of products in a precision."""
        value, sums = 0.0, np.zeros(len(b))
        rounded = b.astype(precision)
        with np.errstate(over="ignore", invalid="ignore"):
            for begin in range(0, len(self.weights), _ROWS):
                rows = slice(begin, begin + _ROWS)
                phi, w = self.phi[rows].astype(precision, copy=False), self.weights[rows]
                excess = np.expm1((phi @ rounded).astype(np.float64))
                value += float(w @ excess)
                sums += (w * (1 + excess)).astype(precision) @ phi
        return value, sums


@jax.jit
def _second_moment(phi: Float[Array, "m r"], w: Float[Array, " m"], b: Float[Array, " r"]) -> Float[Array, "r r"]:
    # By XLA, whose threads do not wait for each other in turns, as those of BLAS do where cores are shared.
    return (phi * (w * jnp.exp(phi @ b))[:, None]).T @ phi


def _extrapolation(points: list[np.ndarray], steps: list[np.ndarray], root: np.ndarray) -> np.ndarray:
    """What to take from the plain step: the steps' changes fitted to the last of them, by least squares."""
    changes = np.array([steps[-1] - step for step in steps[:-1]]).T
    moves = np.array([points[-1] - point for point in points[:-1]]).T
    shares = np.linalg.lstsq(root[:, None] * changes, root * steps[-1], rcond=None)[0]
    return (moves + changes) @ shares
