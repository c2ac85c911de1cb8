"""The statistics of two samples from the scores of the pool's modes, for many labellings at once.

With the share pi_B = N_B / N of the masses in B, and f the log-ratio of the densities of B and A, the weighted
cross-entropy of the labels, less that of labels without meaning, is

    L[f] = sum_A,B m log(pi_A + pi_B e^f) - sum_B m f,    t = -2 L[f^],    f^ = argmin(L + penalty).

t is the log-likelihood ratio of two finite samples whose total masses are given; the penalty is no part of it. It does
not change if A and B are exchanged, with f to -f. For N_A much larger than N_B, L tends to N_B <e^f - 1>_A - sum_B m f,
and t to NPLM's t with the shape of A as reference. One Newton step from f = 0, as LogisticFalkon takes it, needs only
the scores g = sum_B m phi of the labelling: b_i = g_i / (N pi_A pi_B (1 + p_i)) in modes with sum m^2 phi phi^T = N,
and t of the expansion there is

    t = sum_i c_i g_i^2 / (N pi_A pi_B),    c_i = 1 - (p_i / (1 + p_i))^2.

Where weights vary, the second derivative has sum m phi phi^T in place of sum m^2 phi phi^T. Both have the same
expectation if weights do not depend on the event, but the first need not be positive: the step is Fisher's scoring.

If yields are compared too, their own likelihood ratio is that of N_A and N_B against N (1 - q) and N q, where q is the
share that is expected: (N_B - N q)^2 / (N q (1 - q)) for one step. The sum of both is the likelihood ratio in which the
constant of f is held at the expected ratio under the null instead of fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import xlogy

from nplm.two_sample.modes import Basis
from nplm.two_sample.pooled import Pool

RATE = "yield"


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of L labellings, in units of their standard deviation where weights are equal.

    Arguments:
        modes: g / sqrt(N pi_A pi_B) of each, shape (L, r).
        rate: (N_B - N q) / sqrt(N q (1 - q)) of each, shape (L,); None if yields are not compared.
    """

    modes: Float64[np.ndarray, "L r"]
    rate: Float64[np.ndarray, " L"] | None

    @classmethod
    def of(
        cls,
        basis: Basis,
        modes: Float64[np.ndarray, "L r"],
        total_b: Float64[np.ndarray, " L"],
        total: Float64[np.ndarray, " L"],
    ) -> Scores:
        """Those of labellings with these g, N_B and N."""
        unit = total_b * (total - total_b) / total
        q = basis.pool.expected_share
        rate = None if q is None else (total_b - total * q) / np.sqrt(total * q * (1 - q))
        return cls(modes / np.sqrt(unit)[:, None], rate)

    @classmethod
    def observed(cls, basis: Basis) -> Scores:
        """Those of the labels as they are."""
        pool = basis.pool
        g = np.zeros(basis.count)
        signed = pool.masses * pool.in_b
        for rows, phi in basis.blocks():
            g += signed[rows] @ phi
        return cls.of(basis, g[None], np.array([pool.total_b]), np.array([pool.total]))

    def statistics(self, basis: Basis) -> Float64[np.ndarray, "L k"]:
        """t of one step in each test and, if yields are compared, in that of the yields, shape (L, K)."""
        t = self.modes**2 @ basis.filters
        return t if self.rate is None else np.column_stack([t, self.rate**2])


def rate_deviance(pool: Pool, total_b: Float64[np.ndarray, " L"]) -> Float64[np.ndarray, " L"]:
    """2 [N_B log(N_B / (N q)) + N_A log(N_A / (N (1 - q)))], which the squared rate of `Scores` expands, shape (L,)."""
    q, total = pool.expected_share, pool.total
    assert q is not None, "yields are not compared"
    return np.asarray(2 * (xlogy(total_b, total_b / (total * q)) + xlogy(a := total - total_b, a / (total * (1 - q)))))


def test_names(basis: Basis) -> tuple[str, ...]:
    """The names of the tests, in the order of their statistics."""
    rate = () if basis.pool.expected_share is None else (RATE,)
    return (*(test.name for test in basis.tests), *rate)
