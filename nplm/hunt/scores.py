"""t of each window and kernel, with a trend of a given degree as nuisance, and the distribution of each alone.

A background whose other features change smoothly with m has E[phi(y) | m] = sum_k a_k P_k(m), with a_k unknown. Windows
without their part along the polynomials, G' = G - P (P^T V P)^-1 P^T V G, make scores

    U_j = sum_i v_i G'_ij phi(y_i)

that do not depend on a_k, and t_jk = sum_r c_kr U_jr^2 is tau - Delta to second order, with a nuisance P_k phi_r for
each polynomial and mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64, Int64
from scipy.linalg import solve

from nplm._util.blas import blas_threads
from nplm.hunt.cumulants import Cumulants
from nplm.hunt.sums import Sums
from nplm.stats.weighted_chi2 import WeightedChi2Null

# What is left of a column that the trend has all of is rounding.
_ROUNDING = 1e-12
# The estimated variance of t is no smaller than this share of that of many events.
_LEAST_SPREAD = 0.3


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of windows, or of polynomials beyond the trend, with columns of norm one: sum v^2 G'^2 = 1.

    Arguments:
        u: shape (J, r).
        correlations: Gamma = sum v^2 G' G'^T, shape (J, J).
        norm: of G' before, shape (J,).
        kept: the share of the squared norm of G that G' has, shape (J,).
        covariance: S = sum v^2 e e^T / sum v^2 of the modes without their trend e, shape (r, r).
        variances: sum v^2 G'_j^2 e_r^2, shape (J, r).
        fourth: sum v^4 G'_j^4, shape (J,).
        of_events: variance over the events of k_ii = sum_r c_kr phi_r^2, shape (K,).
        own: 2 sum_i p_i^2 k_ii^2 with p = v^2 / sum v^2, shape (K,).
        filters: c, shape (r, K).
    """

    u: Float64[np.ndarray, "J r"]
    correlations: Float64[np.ndarray, "J J"]
    norm: Float64[np.ndarray, " J"]
    kept: Float64[np.ndarray, " J"]
    covariance: Float64[np.ndarray, "r r"]
    variances: Float64[np.ndarray, "J r"]
    fourth: Float64[np.ndarray, " J"]
    of_events: Float64[np.ndarray, " K"]
    own: Float64[np.ndarray, " K"]
    filters: Float64[np.ndarray, "r K"]

    @classmethod
    @blas_threads()
    def of(
        cls,
        sums: Sums,
        degree: int,
        columns: Int64[np.ndarray, " J"],
        without: Sequence[int] = (),
    ) -> Scores:
        """The scores of some columns of T.

        Arguments:
            sums: of the events.
            degree: of the trend in m.
            columns: of T.
            without: further columns of T whose part is taken out, as that of the trend is.
        """
        trend = slice(0, degree + 1)
        out = np.array([*range(degree + 1), *without])
        along = solve(sums.first[np.ix_(out, out)], sums.first[np.ix_(out, columns)])
        u = sums.linear[columns] - along.T @ sums.linear[out]
        cross = along.T @ sums.second[np.ix_(out, columns)]
        own = sums.second[np.ix_(columns, columns)]
        correlations = own - cross - cross.T + along.T @ sums.second[np.ix_(out, out)] @ along
        squares = np.maximum(np.diag(correlations), _ROUNDING * np.diag(own))
        norm = np.sqrt(squares)
        of_modes = solve(sums.first[trend, trend], sums.linear[trend])
        # What a trend with as many parameters takes from the variance is given back.
        enlarged = sums.size / (sums.size - degree - 1)
        products, cells = sums.products, sums.cells
        crossed = of_modes.T @ products.with_trend[trend]
        covariance = products.of_modes - crossed - crossed.T + of_modes.T @ products.of_trend[trend, trend] @ of_modes
        profile = ((cells.functions[:, columns] - cells.functions[:, out] @ along) / norm) ** 2
        mean = cells.functions[:, trend] @ of_modes
        in_cells = cells.phi_squared - 2 * mean * cells.phi + mean**2 * cells.squares[:, None]
        return cls(
            u / norm[:, None],
            correlations / np.outer(norm, norm),
            norm,
            squares / np.diag(own),
            covariance * (enlarged / products.total),
            profile.T @ in_cells * enlarged,
            cells.fourth @ profile**2,
            products.of_events,
            products.own,
            sums.basis.filters,
        )

    @cached_property
    def t(self) -> Float64[np.ndarray, "J K"]:
        """t = sum_r c_r U_r^2."""
        return self.u**2 @ self.filters

    @cached_property
    @blas_threads()
    def cumulants(self) -> Cumulants:
        """Of each t where nothing is localized in m, with the covariance of the modes that its window has.

        The variances are those in the window, and the correlations those of all events. With w_i = v_i G'_i,
        t = sum_il w_i w_l k_il is a sum over pairs, Var t = sum_(i != l) 2 w_i^2 w_l^2 E k_il^2 + sum_i w_i^4 Var k_ii,
        and E k_il^2 is the mean over pairs of different events, while 2 tr (C S)^2 has each with itself as well.
        """
        c = self.filters.T
        usual = np.maximum(np.diag(self.covariance), 1e-300)
        mean = np.maximum(self.variances, 0.0) @ self.filters
        in_window = self.variances / usual
        square = self.covariance**2
        variance = np.stack([2 * (((a := in_window * each) @ square) * a).sum(axis=1) for each in c], axis=1)
        alike = np.array([2 * each @ square @ each for each in c])
        third = np.array([8 * (null.weights**3).sum() for null in self.nulls])
        of_pairs = (alike - self.own) / alike
        spread = of_pairs + self.fourth[:, None] * (self.of_events / alike - of_pairs)
        # The skewness is that of all events: only the leading t is given its own weighted chi2.
        return Cumulants(mean, variance, third * (variance / alike) ** 1.5, np.maximum(spread, _LEAST_SPREAD))

    def null(self, j: int, k: int) -> WeightedChi2Null:
        """The weighted chi2 of one t."""
        return WeightedChi2Null(_eigenvalues(self._form(j, k)))

    @cached_property
    @blas_threads()
    def nulls(self) -> tuple[WeightedChi2Null, ...]:
        """That of the t of each kernel, in a window in which modes vary as in all of the events."""
        return tuple(WeightedChi2Null(_eigenvalues(self._correlated(c))) for c in self.filters.T)

    def log_p(self, j: int, k: int) -> float:
        """log p of one t by its weighted chi2, about whose mean it is spread as `Cumulants` says."""
        mean, spread = self.cumulants.mean[j, k], self.cumulants.spread[j, k]
        return self.null(j, k).log_pvalue(float(mean + (self.t[j, k] - mean) / np.sqrt(spread)))

    def _correlated(self, c: Float64[np.ndarray, " r"]) -> Float64[np.ndarray, "q q"]:
        """C^1/2 S C^1/2 in the modes with c > 0."""
        used = c > 0
        rooted = np.sqrt(c[used])
        return rooted[:, None] * self.covariance[np.ix_(used, used)] * rooted

    def _form(self, j: int, k: int) -> Float64[np.ndarray, "q q"]:
        """The same with the variances of a window."""
        used = self.filters[:, k] > 0
        usual = np.maximum(np.diag(self.covariance)[used], 1e-300)
        ratio = np.sqrt(np.maximum(self.variances[j, used], 0.0) / usual)
        return ratio[:, None] * self._correlated(self.filters[:, k]) * ratio


def _eigenvalues(form: Float64[np.ndarray, "q q"]) -> Float64[np.ndarray, " q"]:
    return np.maximum(np.linalg.eigvalsh(form), 0.0)
