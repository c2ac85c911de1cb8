"""Control variates: statistics of toys whose means are known better than the few toys that were fitted in full say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Shaped


@dataclass(frozen=True, eq=False)
class Controls:
    """k statistics of n toys, and their means over many more toys.

    Where t of a toy that is costly goes along with a statistic that is cheap, an ensemble whose cheap statistic is
    large by chance has a large mean of t too. Weights w_i that give the cheap statistics of the n toys the means that
    they are known to have take this out (the regression estimator: W. G. Cochran, Sampling Techniques, chapter 7):
    sum_i w_i t_i has the variance of what the controls do not explain, whatever t is.

    Arguments:
        values: of the toys, shape (n, k).
        expected: their means, shape (k,).
        toys: how many toys these means are from, the n toys among them.
    """

    values: Float64[np.ndarray, "n k"]
    expected: Float64[np.ndarray, " k"]
    toys: int

    def select(self, rows: Shaped[np.ndarray, " m"]) -> Controls:
        """The controls of some of the toys."""
        return replace(self, values=self.values[rows])

    def resampled(self, rng: np.random.Generator) -> tuple[np.ndarray, Controls]:
        """Rows drawn with replacement, and their controls, with means as uncertain as the expected ones are."""
        n, k = self.values.shape
        rows = rng.integers(n, size=(n,))
        expected = self.expected + self._root @ rng.standard_normal(k)
        return rows, Controls(self.values[rows], expected, self.toys)

    @cached_property
    def _root(self) -> Float64[np.ndarray, "k k"]:
        """Of the covariance of the expected means."""
        value, vector = np.linalg.eigh(np.atleast_2d(np.cov(self.values.T)) / self.toys)
        return vector * np.sqrt(np.clip(value, 0, None))

    @property
    def weights(self) -> Float64[np.ndarray, " n"]:
        """w_i with sum_i w_i = 1 and sum_i w_i values_i = expected, as equal as can be, shape (n,)."""
        n = len(self.values)
        centered = self.values - self.values.mean(axis=0)
        gap = self.expected - self.values.mean(axis=0)
        return 1 / n + centered @ np.linalg.pinv(centered.T @ centered, hermitian=True) @ gap

    def error(self, t: Float64[np.ndarray, "n m"]) -> Float64[np.ndarray, " m"]:
        """Standard error of sum_i w_i t_i, shape (m,): what is not explained over n toys, the rest over all."""
        n, k = self.values.shape
        design = np.column_stack([np.ones(n), self.values])
        rest = t - design @ np.linalg.lstsq(design, t, rcond=None)[0]
        unexplained = np.sum(rest**2, axis=0) / max(1, n - 1 - k)
        explained = np.clip(t.var(axis=0, ddof=1) - unexplained, 0, None)
        return np.sqrt(unexplained / n + explained / self.toys)
