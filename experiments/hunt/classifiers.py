"""Classifiers with the interface of scikit-learn that take milliseconds and need nothing but NumPy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.linalg import solve
from scipy.spatial.distance import cdist

# Of the mean square of a term.
_RIDGE = 1e-3


class Linear(ABC):
    """Least squares of the labels, both with the same total weight, on terms of x; clipped to (0, 1)."""

    def fit(self, x: Any, y: Any, sample_weight: Any = None) -> Linear:
        """The coefficients, with a small ridge."""
        x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
        weights = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        weights = weights * np.where(y == 1, 0.5 / weights[y == 1].sum(), 0.5 / weights[y == 0].sum())
        self.prepare(x)
        q = self.terms(x)
        weighted = weights[:, None] * q
        gram = weighted.T @ q
        self._a = solve(gram + _RIDGE * float(np.diag(gram).mean()) * np.eye(len(gram)), weighted.T @ y, assume_a="pos")
        return self

    def predict_proba(self, x: Any) -> Float64[np.ndarray, "n 2"]:
        """Both probabilities."""
        p = np.clip(self.terms(np.asarray(x, dtype=np.float64)) @ self._a, 0.001, 0.999)
        return np.column_stack([1 - p, p])

    @abstractmethod
    def terms(self, x: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """Of each event."""

    def prepare(self, x: Float64[np.ndarray, "n d"]) -> None:  # noqa: B027
        """What terms need of the events."""


class Quadratic(Linear):
    """Squares and products of features."""

    def terms(self, x: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """1, x, x x^T."""
        i, j = np.triu_indices(x.shape[1])
        return np.column_stack([np.ones(len(x)), x, x[:, i] * x[:, j]])


class Kernels(Linear):
    """Gaussian kernels about events.

    Arguments:
        width: of the kernels.
        centres: how many.
    """

    def __init__(self, width: float = 0.6, centres: int = 250) -> None:
        self.width, self.centres = width, centres

    def prepare(self, x: Float64[np.ndarray, "n d"]) -> None:
        """Centres at random events."""
        chosen = np.random.default_rng(1).choice(len(x), min(self.centres, len(x)), replace=False)
        self._at = x[chosen]

    def terms(self, x: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """1 and kernels."""
        return np.column_stack([np.ones(len(x)), np.exp(-cdist(x, self._at, "sqeuclidean") / (2 * self.width**2))])


class Mixed(Kernels):
    """Squares, products and kernels: what is wide and what is narrow."""

    def terms(self, x: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """1, x, x x^T and kernels."""
        return np.column_stack([Quadratic().terms(x), super().terms(x)[:, 1:]])
