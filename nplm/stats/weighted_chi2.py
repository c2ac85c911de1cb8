"""The null distribution of a sum of squared normal variables with weights, which needs no toys."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64
from scipy.optimize import brentq
from scipy.special import log_ndtr, ndtri_exp

from nplm.stats.chebyshev_table import LogTable
from nplm.stats.contour_integral import SumOfSquares
from nplm.stats.null import Kind

# For more values than this a table is quicker than one integral each.
_TABULATE = 300
# A t that is this small in units of the largest weight is zero.
_SMALLEST_T = 1e-200
# Beyond these the third powers of weights leave the range of a float64.
_SMALLEST_WEIGHT, _LARGEST_WEIGHT = 1e-100, 1e100


@dataclass(frozen=True, eq=False)
class WeightedChi2Null:
    """t distributed as sum_k w_k (z_k + d_k)^2, with z_k independent standard normal variables.

    Any quadratic form of normal variables follows such a distribution: t of a penalized model whose parameters are many
    and small, to second order. Equal weights w and no shifts make it w chi2(n). Shifts d_k make it the distribution of
    t in the presence of a signal, for the expected power.

    Tail probabilities are contour integrals through a saddle (S. O. Rice, SIAM J. Sci. Stat. Comput. 1 (1980) 438),
    with a relative error of some 1e-14 in the bulk, growing as |log p| times the rounding of t: 2e-13 at p = 1e-300.
    They are carried as logarithms and do not saturate.

    Arguments:
        weights: w_k >= 0, shape (n,); those that cannot be seen in t, zero or 1e-16 of the largest, are of no effect.
        shift: d_k, shape (n,); None for none.

    Raises:
        ValueError: if a weight is negative or not finite, none is positive, or the largest is not between 1e-100 and
            1e100; or if the shifts do not fit.
    """

    weights: Float64[np.ndarray, " n"]
    shift: Float64[np.ndarray, " n"] | None = None

    def __post_init__(self) -> None:
        weights, shift = self.weights, self.shift
        if weights.ndim != 1 or not np.isfinite(weights).all():
            raise ValueError(f"the weights of a weighted chi2 must be a list of finite numbers, not {weights}")
        if (weights < 0).any():
            raise ValueError(
                f"a weight of a weighted chi2 is {weights.min():.3g}, and t is a sum of squares with positive weights:"
                " set eigenvalues to zero that are negative within rounding, and look for a mistake behind larger ones"
            )
        if not (weights > 0).any():
            raise ValueError("a weighted chi2 needs a positive weight: without one t is always zero")
        if not _SMALLEST_WEIGHT < weights.max() < _LARGEST_WEIGHT:
            raise ValueError(f"the largest weight of a weighted chi2 is {weights.max():.3g}: take t in other units")
        if shift is not None and (shift.shape != weights.shape or not np.isfinite(shift).all()):
            raise ValueError(
                f"the shifts of a weighted chi2 must be {len(weights)} finite numbers, one a weight, not {shift}"
            )

    @property
    def kind(self) -> Kind:
        """An asymptotic null that nothing was fitted to."""
        return "analytic"

    @property
    def name(self) -> str:
        """weighted chi2(6.08 +- 3.32): the mean and the standard deviation of t"""
        return f"weighted chi2({self.mean:.4g} +- {self.sd:.3g})"

    @property
    def mean(self) -> float:
        """sum_k w_k (1 + d_k^2)."""
        return float(self.weights @ (1 + self._shift**2))

    @property
    def derived(self) -> bool:
        """It follows from the modes of the reference."""
        return True

    @property
    def sd(self) -> float:
        """sqrt(2 sum_k w_k^2 (1 + 2 d_k^2))."""
        return float(np.sqrt(2 * self.weights**2 @ (1 + 2 * self._shift**2)))

    @property
    def skewness(self) -> float:
        """8 sum_k w_k^3 (1 + 3 d_k^2) / sd^3."""
        return float(8 * self.weights**3 @ (1 + 3 * self._shift**2)) / self.sd**3

    def pvalue(self, t: float) -> float:
        """P(T >= t)."""
        return float(np.exp(self.log_pvalue(t)))

    def log_pvalue(self, t: float) -> float:
        """log P(T >= t), natural; finite for any finite t."""
        return self._log_tails(t)[0]

    def z(self, t: float) -> float:
        """Z with P(Normal >= Z) = P(T >= t), from the logarithm of the smaller tail; finite for finite t > 0."""
        return float(_z_scores(*(np.array(log_tail) for log_tail in self._log_tails(t))))

    def pvalues(self, t: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """P(T >= t) of each t, shape (m,); of more than 300 from a table, with a relative error of 1e-10."""
        return np.exp(self._many_log_tails(t)[0])

    def log_pvalues(self, t: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """log P(T >= t) of each t, shape (m,), as `pvalues`."""
        return self._many_log_tails(t)[0]

    def z_scores(self, t: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """`z` of each t, shape (m,), as `pvalues`."""
        return _z_scores(*self._many_log_tails(t))

    def interval(self, t: float) -> tuple[float, float]:
        """The p-value twice: an asymptotic null has no counting error."""
        return self.pvalue(t), self.pvalue(t)

    def threshold(self, p: float) -> float:
        """The t with P(T >= t) = p.

        Raises:
            ValueError: if p is not a probability.
        """
        if not 0 <= p <= 1:
            raise ValueError(f"a p-value lies between 0 and 1, not at {p}")
        with np.errstate(divide="ignore"):
            return self._quantile(float(np.log(p)), float(np.log1p(-p)))

    def threshold_of_z(self, z: float) -> float:
        """The t with this Z-score, however far out: P(T >= t) = P(Normal >= Z)."""
        return self._quantile(float(log_ndtr(-z)), float(log_ndtr(z)))

    def thresholds(self, p: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """`threshold` of each p between 0 and 1, both excluded, shape (m,), from a table: quick for many."""
        t = np.empty(p.shape)
        upper = p <= np.exp(self._log_tails(self.mean)[0])
        if upper.any():
            t[upper] = LogTable.of(self._log_upper, self.mean, self.threshold(p[upper].min())).inverse(np.log(p[upper]))
        if not upper.all():
            least = np.log(self.threshold(p[~upper].max()))
            table = LogTable.of(self._log_lower_of_log, least, np.log(self.mean))
            t[~upper] = np.exp(table.inverse(np.log1p(-p[~upper])))
        return t

    def threshold_interval(self, p: float) -> tuple[float, float]:
        """The threshold twice."""
        return self.threshold(p), self.threshold(p)

    def describe(self) -> str:
        """What the null stands on, for screen and report."""
        shifted = ", shifted by a signal" if self._shift.any() else ""
        return (
            f"weighted sum of {np.count_nonzero(self.weights):,} chi2 variables with mean {self.mean:.4g} and standard"
            f" deviation {self.sd:.4g}{shifted}"
        )

    def __str__(self) -> str:
        return self.name

    @cached_property
    def _shift(self) -> Float64[np.ndarray, " n"]:
        return np.zeros(len(self.weights)) if self.shift is None else self.shift

    @cached_property
    def _form(self) -> SumOfSquares:
        return SumOfSquares.of(self.weights, self._shift)

    def _log_upper(self, t: float) -> float:
        return self._form.log_tail(t / self._form.unit, upper=True)

    def _log_lower_of_log(self, log_t: float) -> float:
        # P(T < t) is a power of t near zero.
        return self._form.log_tail(float(np.exp(log_t)) / self._form.unit, upper=False)

    def _log_tails(self, t: float) -> tuple[float, float]:
        """log P(T >= t) and log P(T < t): the tail that t lies in by its integral, and the other as the rest."""
        if np.isnan(t):
            return np.nan, np.nan
        if t <= _SMALLEST_T * self._form.unit:
            return 0.0, -np.inf
        if t == np.inf:
            return -np.inf, 0.0
        if t > self.mean:
            log_p = self._log_upper(t)
            return log_p, float(_log_rest(log_p))
        log_q = self._log_lower_of_log(float(np.log(t)))
        return float(_log_rest(log_q)), log_q

    def _many_log_tails(self, t: Float64[np.ndarray, " m"]) -> tuple[np.ndarray, np.ndarray]:
        if len(t) <= _TABULATE:
            log_p, log_q = np.array([self._log_tails(float(value)) for value in t]).reshape(-1, 2).T
            return log_p, log_q
        beyond = np.isnan(t) | (t <= _SMALLEST_T * self._form.unit) | (t == np.inf)
        upper = ~beyond & (t > self.mean)
        lower = ~beyond & ~upper
        log_p, log_q = np.empty(t.shape), np.empty(t.shape)
        if upper.any():
            log_p[upper] = LogTable.of(self._log_upper, t[upper].min(), t[upper].max())(t[upper])
            log_q[upper] = _log_rest(log_p[upper])
        if lower.any():
            log_t = np.log(t[lower])
            log_q[lower] = LogTable.of(self._log_lower_of_log, log_t.min(), log_t.max())(log_t)
            log_p[lower] = _log_rest(log_q[lower])
        for index in np.flatnonzero(beyond):
            log_p[index], log_q[index] = self._log_tails(float(t[index]))
        return log_p, log_q

    def _quantile(self, log_p: float, log_q: float) -> float:
        """The t with these logarithms of P(T >= t) and P(T < t)."""
        if log_p == -np.inf:
            return np.inf
        least = float(np.log(_SMALLEST_T * self._form.unit))
        if log_q <= self._log_lower_of_log(least):
            return 0.0
        # The tail that holds t is found as `_log_tails` chooses it; log t is what is sought, from the mean outwards.
        middle = float(np.log(self.mean))
        upper = log_p <= self._log_tails(self.mean)[0]

        def excess(log_t: float) -> float:
            return self._log_upper(float(np.exp(log_t))) - log_p if upper else log_q - self._log_lower_of_log(log_t)

        step = 0.5 if upper else -0.5
        while excess(end := max(middle + step, least)) * step > 0:
            step *= 2
        return float(np.exp(brentq(excess, middle, end, xtol=1e-15, rtol=1e-15)))


@dataclass(frozen=True)
class FittedWeightedChi2Null:
    """t distributed as a scale times a weighted chi2, the scale fitted to toys by their mean, see `fit_weighted_chi2`.

    Arguments:
        null: the weighted chi2.
        scale: mean of the toys' t / mean of the weighted chi2.
        error: standard deviation of the scale.
        toys: number of toys that the fit used.
        failed: number of toys without t, left out.
    """

    null: WeightedChi2Null
    scale: float
    error: float
    toys: int
    failed: int = 0

    @property
    def kind(self) -> Kind:
        """A weighted chi2 whose scale was fitted."""
        return "analytic fitted"

    @property
    def name(self) -> str:
        """1.02 x weighted chi2(6.08 +- 3.32)"""
        return f"{self.scale:.3g} x {self.null.name}"

    @property
    def mean(self) -> float:
        """Mean of t."""
        return self.scale * self.null.mean

    @property
    def derived(self) -> bool:
        """No: its scale is that of toys."""
        return False

    @property
    def sd(self) -> float:
        """Standard deviation of t."""
        return self.scale * self.null.sd

    def pvalue(self, t: float) -> float:
        """P(scale T >= t)."""
        return self.null.pvalue(t / self.scale)

    def pvalues(self, t: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """P(scale T >= t) of each t, shape (m,)."""
        return self.null.pvalues(t / self.scale)

    def log_pvalue(self, t: float) -> float:
        """log P(scale T >= t)."""
        return self.null.log_pvalue(t / self.scale)

    def z(self, t: float) -> float:
        """Z-score of the p-value."""
        return self.null.z(t / self.scale)

    def z_scores(self, t: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """`z` of each t, shape (m,)."""
        return self.null.z_scores(t / self.scale)

    def interval(self, t: float) -> tuple[float, float]:
        """The p-values at scale - error and scale + error: the larger the scale, the larger the p-value."""
        low, high = self._within_error
        return self.null.pvalue(t / low), self.null.pvalue(t / high)

    def threshold(self, p: float) -> float:
        """The t with P(scale T >= t) = p."""
        return self.scale * self.null.threshold(p)

    def threshold_of_z(self, z: float) -> float:
        """The t with this Z-score."""
        return self.scale * self.null.threshold_of_z(z)

    def thresholds(self, p: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """`threshold` of each p, shape (m,)."""
        return self.scale * self.null.thresholds(p)

    def threshold_interval(self, p: float) -> tuple[float, float]:
        """The thresholds at scale - error and scale + error."""
        low, high = self._within_error
        threshold = self.null.threshold(p)
        return low * threshold, high * threshold

    def describe(self) -> str:
        """What the null stands on, for screen and report."""
        left_out = f" ({self.failed:,} failed left out)" if self.failed else ""
        return (
            f"{self.null.describe()}, times {self.scale:.4f} +- {self.error:.4f}, fitted to {self.toys:,}"
            f" toys{left_out}"
        )

    @property
    def _within_error(self) -> tuple[float, float]:
        # The lower end is positive: sd <= sqrt(2) mean for any weighted chi2, so that three toys leave error < scale.
        return self.scale - self.error, self.scale + self.error


def fit_weighted_chi2(t: Float64[np.ndarray, " n"], null: WeightedChi2Null) -> FittedWeightedChi2Null:
    """Fits the scale of a weighted chi2 to toys by their mean; the ratios of its weights stay as they are.

    The scale is mean(t) / null.mean, and the error is what n toys of the scaled weighted chi2 leave it:
    scale null.sd / (null.mean sqrt(n)).

    Arguments:
        t: the toys' test statistics, shape (n,); NaN (failed toys) are left out and counted.
        null: the weighted chi2.

    Raises:
        ValueError: if fewer than three toys remain, or their mean is not positive.
    """
    used = t[~np.isnan(t)]
    if len(used) < 3:
        raise ValueError(f"fitting the scale of a weighted chi2 needs at least 3 toys with a t, not {len(used)}")
    scale = float(used.mean()) / null.mean
    if not 0 < scale < np.inf:
        raise ValueError(f"the scale of a weighted chi2 cannot be fitted to toys whose mean t is {used.mean():.3g}")
    error = scale * null.sd / (null.mean * np.sqrt(len(used)))
    return FittedWeightedChi2Null(null, scale, float(error), len(used), len(t) - len(used))


def _log_rest(log_p: np.ndarray | float) -> np.ndarray:
    """log(1 - p), with all its digits for p near zero and near one."""
    return np.where(np.less(log_p, -0.5), np.log1p(-np.exp(log_p)), np.log(-np.expm1(log_p)))


def _z_scores(log_p: np.ndarray, log_q: np.ndarray) -> np.ndarray:
    return np.where(log_p < log_q, -ndtri_exp(log_p), ndtri_exp(log_q))
