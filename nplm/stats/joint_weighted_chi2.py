"""The joint null distribution of several statistics that are quadratic in the same normal variables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64
from scipy.linalg import eigh, solve_triangular

from nplm._util.blas import blas_threads
from nplm.stats.saddle import saddle
from nplm.stats.weighted_chi2 import WeightedChi2Null

# Normal vectors that are drawn at a time.
_BLOCK = 16_384
# Directions with less than this share of the largest variance are rounding.
_CUT = 1e-12


@dataclass(frozen=True, eq=False)
class JointNull:
    """t_m = |A_m z|^2 for m = 1 ... K, with one vector z of n independent standard normal variables.

    Each t_m follows a weighted chi2 with the eigenvalues of A_m A_m^T as weights, and two of them have the covariance
    2 |A_m A_l^T|^2, the sum of squares of its elements.

    Arguments:
        root: the rows of A_1, then those of A_2, and so on, shape (rows, n).
        sizes: number of rows of each.
    """

    root: Float64[np.ndarray, "rows n"]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, covariance: Float64[np.ndarray, "rows rows"], sizes: Sequence[int]) -> JointNull:
        """The joint distribution of |y_m|^2, the vectors y_1 ... y_K stacked being normal with this covariance."""
        with blas_threads(len(covariance)):
            values, vectors = eigh(covariance)
        kept = values > _CUT * values[-1]
        return cls(np.ascontiguousarray(vectors[:, kept] * np.sqrt(values[kept])), tuple(sizes))

    @cached_property
    def marginals(self) -> tuple[WeightedChi2Null, ...]:
        """The distribution of each t_m alone."""
        grams = (part @ part.T if len(part) < part.shape[1] else part.T @ part for part in self._parts)
        with blas_threads(max(self.sizes)):
            return tuple(WeightedChi2Null(np.clip(np.linalg.eigvalsh(gram)[::-1], 0, None)) for gram in grams)

    @property
    def covariance(self) -> Float64[np.ndarray, "k k"]:
        """Cov(t_m, t_l) = 2 |A_m A_l^T|^2, shape (K, K)."""
        squares = (self.root @ self.root.T) ** 2
        at = self._starts
        return 2 * np.add.reduceat(np.add.reduceat(squares, at, axis=0), at, axis=1)

    def draw(self, draws: int, seed: int) -> Float64[np.ndarray, "draws k"]:
        """t_1 ... t_K of so many independent draws of z, shape (draws, K)."""
        rng = np.random.default_rng(seed)
        return self._statistics(rng.standard_normal((size, self.root.shape[1])) for size in _blocks(draws))

    def tail(
        self,
        exceeds: Callable[[Float64[np.ndarray, "draws k"]], Bool[np.ndarray, " draws"]],
        alone: Float64[np.ndarray, " k"] | None,
        together: Float64[np.ndarray, " k"],
        draws: int,
        seed: int,
    ) -> tuple[float, float, float]:
        """log P(exceeds(t_1 ... t_K)) by importance sampling, for probabilities that plain draws do not reach.

        z is drawn from normal distributions of larger variance: under the distribution proportional to exp(sum_m
        theta_m t_m) times the null, the ratio to the null is exp(sum_m theta_m t_m - k(theta)), with k(theta) = -1/2
        log det(1 - 2 sum_m theta_m A_m^T A_m), and so a function of t alone. The draws come in equal parts from the
        null, from the distributions under which one t_m has the mean `alone`, and from that under which all have about
        the mean `together`; a draw counts with the ratio of the null to the mean of all these (Hesterberg,
        Technometrics 37 (1995) 185).

        Arguments:
            exceeds: whether each row lies in the region.
            alone: where the region begins for each of the statistics while the others are as expected; None if one
                statistic alone does not lead there.
            together: where it begins if all are large.
            draws: how many in all.
            seed: of the draws.

        Returns:
            The natural logarithm of the probability, its relative standard deviation, and the largest share that a
            single draw has in it; -inf and two NaN if no draw exceeds.
        """
        tilts = np.vstack([np.zeros(len(together)), self._ridge(together)])
        if alone is not None:
            tilts = np.vstack([tilts, np.diag(self._saddles(alone))])
        rng = np.random.default_rng(seed)
        parts, logs = [], []
        for theta in tilts:
            widening, log_norm = self._tilted(theta)
            logs.append(log_norm)
            blocks = _blocks(-(-draws // len(tilts)))
            parts.append(self._statistics(widening(rng.standard_normal((size, self.root.shape[1]))) for size in blocks))
        values = np.concatenate(parts)
        exponents = values @ tilts.T - np.array(logs)
        largest = exponents.max(axis=1)
        log_mean = largest + np.log(np.exp(exponents - largest[:, None]).mean(axis=1))
        inside = exceeds(values)
        if not inside.any():
            return -np.inf, np.nan, np.nan
        unit = (-log_mean[inside]).max()
        counted = np.where(inside, np.exp(np.minimum(-log_mean - unit, 0.0)), 0.0)
        mean = float(counted.mean())
        error = float(counted.std(ddof=1) / (mean * np.sqrt(len(counted))))
        return float(np.log(mean) + unit), error, float(counted.max() / counted.sum())

    def _saddles(self, t: np.ndarray) -> np.ndarray:
        """For each of the statistics the theta under which it has the mean t by itself."""
        return np.array([saddle(null.weights, value) for null, value in zip(self.marginals, t, strict=True)])

    def _ridge(self, t: np.ndarray) -> np.ndarray:
        """A multiple of the single theta at t, under which sum_m theta_m t_m has the mean that it has at t."""
        theta = self._saddles(t)
        if not theta.any():
            return theta
        rooted = self.root * np.sqrt(np.repeat(theta, self.sizes))[:, None]
        gram = rooted @ rooted.T if len(rooted) < rooted.shape[1] else rooted.T @ rooted
        with blas_threads(len(gram)):
            values = np.linalg.eigvalsh(gram).clip(0)
        return theta * saddle(values, float(theta @ t))

    @property
    def _starts(self) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(self.sizes)[:-1]])

    @property
    def _parts(self) -> list[np.ndarray]:
        return np.split(self.root, self._starts[1:])

    def _statistics(self, blocks: Iterator[np.ndarray]) -> Float64[np.ndarray, "draws k"]:
        at = self._starts
        with blas_threads(len(self.root)):
            return np.concatenate([np.add.reduceat((z @ self.root.T) ** 2, at, axis=1) for z in blocks])

    def _tilted(self, theta: np.ndarray) -> tuple[Callable[[np.ndarray], np.ndarray], float]:
        """What makes standard normal vectors those of the tilted distribution, and k(theta)."""
        if not theta.any():
            return lambda z: z, 0.0
        weighted = self.root * np.repeat(theta, self.sizes)[:, None]
        precision = np.eye(self.root.shape[1]) - 2 * self.root.T @ weighted
        factor = np.linalg.cholesky(precision)
        log_norm = -float(np.log(np.diag(factor)).sum())
        return lambda z: solve_triangular(factor.T, z.T, lower=False).T, log_norm


def _blocks(draws: int) -> Iterator[int]:
    return (min(_BLOCK, draws - start) for start in range(0, draws, _BLOCK))
