"""The asymptotic null of a test of two samples: the normal distribution of its scores, from the weights of both."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64
from scipy.linalg import eigh

from nplm.stats.chi2_tail import chi2_log_sf
from nplm.stats.joint_weighted_chi2 import JointNull
from nplm.two_sample.modes import Basis

_BLOCK = 16_384
# t that all labellings share cannot be standardized.
_LEAST_SPREAD = 1e-3


@dataclass(frozen=True, eq=False)
class ScoreNull:
    """Normal scores with mean zero, and the distribution of the statistics that they make.

    Arguments:
        covariance: of the scores g over sqrt(N pi_A pi_B) and, if yields are compared, of theirs, shape (r', r').
        filters: c of each test, shape (r', K).
        diagonal: by how much the variance of each t differs from that of normal scores, as events are so many only,
            shape (K,); see `spread`.
    """

    covariance: Float64[np.ndarray, "r r"]
    filters: Float64[np.ndarray, "r k"]
    diagonal: Float64[np.ndarray, " k"]

    @classmethod
    def of(cls, basis: Basis) -> ScoreNull:
        """The distribution of the scores of two samples from one distribution, to second order.

        With u = <phi>_B - <phi>_A and g = N pi_A pi_B u, Cov g = V = pi_B^2 sum_A m^2 phi phi^T + pi_A^2 sum_B m^2 phi
        phi^T for phi with mean zero: the mean over a sample has the covariance sum w^2 phi phi^T / (sum w)^2, whether
        its number of events is fixed or not. The mean zero is that of the pool, as both samples have the same under the
        null; so V gets N / (N - 1), as any covariance does. Where (event, weight) pairs are exchangeable both sums are
        the same shares of that over the pool, and V / (N pi_A pi_B) is the covariance of g over all permutations: N /
        (N - 1) times 1 within a width. Yields fluctuate as those of Poisson processes do, Var N_B = sum_B m^2 = N_B.
        """
        pool, n, share = basis.pool, basis.count, basis.pool.share
        squares = pool.masses**2
        exchangeable = pool.exchange.allowed
        moments = [np.zeros((n + 1, n + 1)) for _ in range(2)]  # of A and of B
        leverage = np.zeros((2, len(basis.tests)))  # sums of h and of h^2
        # The square of the signed mass of an event, or its mean over labels if it might be one of either sample.
        known = np.where(pool.in_b, 1 - share, share) ** 2
        expected_square = squares * (share * (1 - share) if exchangeable else known) / pool.unit
        for rows, phi in basis.blocks():
            extended = np.column_stack([phi, np.ones(len(phi))])
            for moment, inside in zip(moments, (~pool.in_b[rows], pool.in_b[rows]), strict=True):
                # Symmetric by construction, and half of the work.
                root = extended[inside] * np.abs(pool.masses[rows][inside, None])
                moment += root.T @ root
            h = phi**2 @ basis.filters * expected_square[rows, None]
            leverage += h.sum(axis=0), (h**2).sum(axis=0)
        if exchangeable:
            both = moments[0] + moments[1]
            moments = [(1 - share) * both, share * both]
        expected = pool.expected_share
        factors = [np.full(n + 1, share), np.full(n + 1, 1 - share)]
        units = np.full(n + 1, pool.unit)
        if expected is not None:
            factors[0][n], factors[1][n] = expected, 1 - expected
            units[n] = pool.total * expected * (1 - expected)
        covariance = sum(np.outer(factor, factor) * moment for factor, moment in zip(factors, moments, strict=True))
        covariance = covariance / np.sqrt(np.outer(units, units))
        covariance[:n, :n] *= pool.total / max(pool.total - 1, 1)
        # The variance of the yields is that of the expected ones, N q (1 - q), whatever was observed.
        covariance[n, n] = 1
        filters = np.pad(basis.filters, ((0, 1), (0, 1)))
        filters[n, -1] = 1
        kurtosis = (1 / (share * (1 - share)) - 6) if exchangeable else -2.0
        diagonal = kurtosis * leverage[1] - (2 + kurtosis) * leverage[0] ** 2 / np.count_nonzero(squares)
        if expected is None:
            return cls(covariance[:n, :n], basis.filters, diagonal)
        return cls(covariance, filters, np.append(diagonal, 0.0))

    @cached_property
    def root(self) -> Float64[np.ndarray, "r r"]:
        """The symmetric root of the covariance, which rounding does not turn as it turns eigenvectors."""
        values, vectors = eigh((self.covariance + self.covariance.T) / 2)
        return np.asarray((vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T)

    @cached_property
    def joint(self) -> JointNull:
        """The distribution of the statistics of all tests together."""
        parts = []
        for c in self.filters.T:
            used = c > 0
            parts.append(np.sqrt(c[used])[:, None] * self.root[used])
        return JointNull(np.concatenate(parts), tuple(len(part) for part in parts))

    def draw(self, draws: int, seed: int) -> Float64[np.ndarray, "draws k"]:
        """The statistics of so many independent draws, shape (draws, K)."""
        rng = np.random.default_rng([seed, 0])
        parts = []
        for start in range(0, draws, _BLOCK):
            z = rng.standard_normal((min(_BLOCK, draws - start), self.root.shape[1]))
            parts.append((z @ self.root.T) ** 2 @ self.filters)
        return np.concatenate(parts)

    @property
    def spread(self) -> Float64[np.ndarray, " k"]:
        """Variance of each t with as many events as there are, over that with normal scores, shape (K,).

        t = sum_ij K_ij a_i a_j with the signed masses a of events, m pi_A of B and -m pi_B of A, and normal scores have
        the variance 2 sum_ij (E a_i^2) K_ij^2 (E a_j^2). Given where the events lie, and their weights, the diagonal
        adds kappa sum_i h_i^2 - (2 + kappa) (sum_i h_i)^2 / n, with h_i = K_ii E a_i^2 the leverage of an event and
        kappa the excess kurtosis of a. If labels are exchangeable, that is 1 / (pi_A pi_B) - 6, and the second term is
        what the fixed sum of a^2 takes away; if weights tell the samples apart, all a^2 are known, and kappa = -2, as
        for samples of equal size. t then fluctuates less than a sum of chi2 variables, the more so the more modes there
        are for so many events; for samples of very different size it fluctuates more.
        """
        return np.maximum(1 + self.diagonal / self.cumulants[1], _LEAST_SPREAD)

    def standard(self, t: Float64[np.ndarray, "*L k"]) -> Float64[np.ndarray, "*L k"]:
        """Statistics on the scale of normal scores: their distances from the mean over the root of `spread`."""
        mean = self.cumulants[0]
        return mean + (t - mean) / np.sqrt(self.spread)

    @cached_property
    def cumulants(self) -> Float64[np.ndarray, "three k"]:
        """Mean, variance and third cumulant of each statistic: 2^(j-1) (j-1)! tr (C V)^j for j = 1, 2, 3."""
        found = []
        for c in self.filters.T:
            used = c > 0
            rooted = np.sqrt(c[used])
            a = rooted[:, None] * self.covariance[np.ix_(used, used)] * rooted
            square = a @ a
            found.append((np.trace(a), 2 * np.trace(square), 8 * np.sum(square * a)))
        return np.array(found).T

    def quick_log_pvalues(self, t: Float64[np.ndarray, "L k"]) -> Float64[np.ndarray, "L k"]:
        """log P(T >= t) of statistics of normal scores, from a chi2 with the same three cumulants, shape (L, K).

        It puts tests of many and few degrees of freedom on one scale before they are combined; what the combination
        means is counted, so that the approximation costs no validity. Source: P. Hall, Ann. Probab. 11 (1983) 1028.
        """
        mean, variance, third = self.cumulants
        freedom = 8 * variance**3 / third**2
        return chi2_log_sf(freedom + (t - mean) * np.sqrt(2 * freedom / variance), freedom)
