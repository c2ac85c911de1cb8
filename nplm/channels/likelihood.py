"""Likelihoods of counting regions with a signal, maximal over what their backgrounds may be."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64
from scipy.special import xlogy

from nplm.channels.table import Covariance

_STEPS, _HALVINGS, _CLOSE = 60, 40, 1e-7


def log_likelihood(observed: np.ndarray, expected: np.ndarray, error: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """max over b >= 0 of n log(b + s) - b - s - (b - b0)^2 / (2 error^2), of regions by themselves; arrays broadcast.

    With m = b0 + s the mean lambda = b + s solves lambda^2 + (error^2 - m) lambda - n error^2 = 0, and is at least s.

    Arguments:
        observed: n.
        expected, error: b0 and its standard deviation; where that is 0, b = b0.
        signal: s >= 0.
    """
    mean, variance = expected + signal, error**2
    half = (mean - variance) / 2
    root = np.sqrt(half**2 + observed * variance)
    # Of two ways to write the solution, the one whose terms have the same sign.
    small = np.divide(observed * variance, root - half, out=np.zeros_like(root + half), where=half < 0)
    found = np.where(half >= 0, half + root, small)
    found = np.maximum(np.where(variance > 0, found, mean), signal)
    pull = np.divide(found - mean, error, out=np.zeros_like(found), where=np.broadcast_to(error > 0, found.shape))
    return xlogy(observed, found) - found - pull**2 / 2


@runtime_checkable
class TogetherRegions(Protocol):
    """Regions of an analysis that enter together, with a likelihood of the yields that a signal adds to them."""

    @property
    def information(self) -> Float64[np.ndarray, "k k"]:
        """Expected information on the yields: s^T information s is that on mu of a signal mu s."""

    @property
    def slope(self) -> Float64[np.ndarray, " k"]:
        """d log L / d s where there is no signal, or about that."""

    def along(self, signal: Float64[np.ndarray, " k"], mu: Float64[np.ndarray, " g"]) -> Float64[np.ndarray, " g"]:
        """log L of a signal times each mu >= 0, up to a constant."""


@dataclass(frozen=True, eq=False)
class JointRegions:
    """Regions whose expectations are normal together: the simplified likelihood.

    Arguments:
        observed, expected: counts and expectations, shape (k,).
        covariance: of the expectations, shape (k, k).
    """

    observed: Float64[np.ndarray, " k"]
    expected: Float64[np.ndarray, " k"]
    covariance: Float64[np.ndarray, "k k"]

    @classmethod
    def of(
        cls, observed: Float64[np.ndarray, " m"], expected: Float64[np.ndarray, " m"], covariance: Covariance
    ) -> JointRegions:
        """Those of a covariance in a table with these counts and expectations."""
        return cls(observed[covariance.rows], expected[covariance.rows], covariance.matrix)

    @cached_property
    def precision(self) -> Float64[np.ndarray, "k k"]:
        """The inverse of the covariance."""
        error = np.sqrt(np.diag(self.covariance))
        return np.linalg.inv(self.covariance / np.outer(error, error)) / np.outer(error, error)

    @cached_property
    def information(self) -> Float64[np.ndarray, "k k"]:
        """(V + diag b)^-1, that of counts which are normal."""
        return np.linalg.inv(self.covariance + np.diag(self.expected))

    @property
    def slope(self) -> Float64[np.ndarray, " k"]:
        """(V + diag b)^-1 (n - b), that of counts which are normal."""
        return self.information @ (self.observed - self.expected)

    def along(self, signal: Float64[np.ndarray, " k"], mu: Float64[np.ndarray, " g"]) -> Float64[np.ndarray, " g"]:
        """`log_likelihood` of a signal times each mu."""
        return self.log_likelihood(mu[:, None] * signal)

    def log_likelihood(self, signal: Float64[np.ndarray, "g k"]) -> Float64[np.ndarray, " g"]:
        """max over b >= 0 of sum_i [n_i log(b_i + s_i) - b_i - s_i] - (b - b0)^T V^-1 (b - b0) / 2 of each signal.

        It is concave, and found by Newton's method; a background at zero that would be negative stays there.
        """
        s = np.atleast_2d(signal)
        unit, eye = np.sqrt(np.diag(self.covariance)), np.eye(len(self.observed))
        # Where counts were normal with the variances of the expectation, this would be the maximum already.
        b = self.expected + (self.observed - self.expected - s) @ self._gain
        b = np.maximum(b, 0.1 * np.maximum(self.expected, unit))
        value = self._value(b, s)
        rows = np.arange(len(s))
        for _ in range(_STEPS):
            at, mean = b[rows], b[rows] + s[rows]
            ratio = np.divide(self.observed, mean, out=np.zeros_like(mean), where=mean > 0)
            gradient = ratio - 1 - (at - self.expected) @ self.precision
            steep = np.divide(ratio, mean, out=np.zeros_like(mean), where=mean > 0)
            hessian = self.precision + steep[:, :, None] * eye
            own = np.diagonal(hessian, axis1=1, axis2=2)
            # What is at zero, or nearly, and wants to be below moves by itself (D. P. Bertsekas, SIAM J. Control Optim.
            # 20 (1982) 221).
            wish = np.abs(at - np.maximum(at + gradient / own, 0.0)).max(axis=1, keepdims=True)
            bound = (at <= np.minimum(0.01 * unit, wish)) & (gradient < 0)
            if bound.any():
                hessian = np.where(bound[:, :, None] | bound[:, None, :], own[:, :, None] * eye, hessian)
            step = np.linalg.solve(hessian, gradient[:, :, None])[:, :, 0]
            moved = np.maximum(at + step, 0.0)
            better = self._value(moved, s[rows])
            least = value[rows] - 1e-13 * np.abs(value[rows])
            worse = np.flatnonzero(~(better >= least))
            size = 1.0
            for _ in range(_HALVINGS):
                if not len(worse):
                    break
                size /= 2
                trial = np.maximum(at[worse] + size * step[worse], 0.0)
                moved[worse], better[worse] = trial, self._value(trial, s[rows[worse]])
                worse = worse[~(better[worse] >= least[worse])]
            moved[worse], better[worse] = at[worse], value[rows[worse]]
            b[rows], value[rows] = moved, better
            # Newton's steps get quadratically smaller: what the next one would bring is not seen.
            rows = rows[(np.abs(moved - at) > _CLOSE * (unit + at)).any(axis=1)]
            if not len(rows):
                break
        return value

    @cached_property
    def _gain(self) -> Float64[np.ndarray, "k k"]:
        variances = np.diag(np.maximum(self.expected, 0.25))
        return np.linalg.solve(self.covariance + variances, self.covariance)

    def _value(self, b: np.ndarray, s: np.ndarray) -> np.ndarray:
        mean, off = b + s, b - self.expected
        return (xlogy(self.observed, mean) - mean).sum(axis=1) - ((off @ self.precision) * off).sum(axis=1) / 2
