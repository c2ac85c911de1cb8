"""Chi2 nulls: degrees of freedom given by the number of parameters, or fitted to toys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.optimize import brentq
from scipy.special import digamma, gammaln, ndtri_exp, polygamma
from scipy.stats import chi2, norm

from nplm.stats.null import Kind

# A t below this is zero within the rounding of a fit. No chi2 has an atom at zero, so the likelihood of such a toy is
# zero or infinite whatever its degrees of freedom, and it takes no part in fitting them.
SMALLEST_T = 1e-6
# Below this the incomplete gamma function loses digits.
_UNDERFLOW = 1e-280


class _Chi2:
    """What a chi2 of given and one of fitted degrees of freedom have in common."""

    degrees_of_freedom: float

    @property
    def mean(self) -> float:
        """The degrees of freedom."""
        return self.degrees_of_freedom

    @property
    def derived(self) -> bool:
        """No: whether t follows a chi2 depends on how the model is regularized, and on its bins being full."""
        return False

    @property
    def sd(self) -> float:
        """sqrt(2 degrees of freedom)."""
        return float(np.sqrt(2 * self.degrees_of_freedom))

    def pvalue(self, t: float) -> float:
        """P(chi2 >= t)."""
        return float(chi2.sf(t, self.degrees_of_freedom))

    def pvalues(self, t: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """P(chi2 >= t) of each t, shape (m,)."""
        return np.asarray(chi2.sf(t, self.degrees_of_freedom))

    def log_pvalue(self, t: float) -> float:
        """log P(chi2 >= t), natural; finite for any finite t."""
        p = self.pvalue(t)
        if p > _UNDERFLOW:
            return float(np.log(p))
        # Gamma(a, x) = x^(a-1) e^-x [1 + (a-1)/x + (a-1)(a-2)/x^2 + ...]: a few terms, where p underflows.
        a, x = self.degrees_of_freedom / 2, t / 2
        terms = np.cumprod([1.0, *((a - k) / x for k in range(1, 30))])
        smallest = int(np.argmin(np.abs(terms)))
        return float((a - 1) * np.log(x) - x - gammaln(a) + np.log(terms[: smallest + 1].sum()))

    def z(self, t: float) -> float:
        """Z-score of the p-value, from its logarithm where that is small; finite for finite t > 0."""
        p = self.pvalue(t)
        return float(norm.ppf(chi2.cdf(t, self.degrees_of_freedom)) if p > 0.5 else -ndtri_exp(self.log_pvalue(t)))

    def threshold(self, p: float) -> float:
        """The t with P(chi2 >= t) = p."""
        return float(chi2.isf(p, self.degrees_of_freedom))

    def threshold_of_z(self, z: float) -> float:
        """The t with this Z-score, however far out: P(chi2 >= t) = P(Normal >= Z)."""
        if z < 0:
            return float(chi2.ppf(norm.cdf(z), self.degrees_of_freedom))
        p = float(norm.sf(z))
        if p > _UNDERFLOW:
            return self.threshold(p)
        low = self.threshold(_UNDERFLOW)
        high = 2 * low
        while self.z(high) < z:
            high *= 2
        return float(brentq(lambda t: self.z(t) - z, low, high, rtol=1e-15))

    def thresholds(self, p: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """The t with P(chi2 >= t) = p, for each p, shape (m,)."""
        return np.asarray(chi2.isf(p, self.degrees_of_freedom))


@dataclass(frozen=True)
class Chi2Null(_Chi2):
    """t distributed as chi2(degrees_of_freedom): Wilks' theorem for a regular family of that many parameters.

    Example:
        >>> null = Chi2Null(13)
        >>> round(null.pvalue(22.4), 3), round(null.z(22.4), 2)
        (0.049, 1.65)
    """

    degrees_of_freedom: float

    @property
    def name(self) -> str:
        """chi2(13)"""
        return f"chi2({self.degrees_of_freedom:g})"

    @property
    def kind(self) -> Kind:
        """A chi2 whose degrees of freedom were given."""
        return "chi2 given"

    def interval(self, t: float) -> tuple[float, float]:
        """The p-value twice: an asymptotic null has no counting error."""
        return self.pvalue(t), self.pvalue(t)

    def threshold_interval(self, p: float) -> tuple[float, float]:
        """The threshold twice."""
        return self.threshold(p), self.threshold(p)

    def describe(self) -> str:
        """What the null stands on, for screen and report."""
        return f"chi2 with {self.degrees_of_freedom:g} degrees of freedom"


@dataclass(frozen=True)
class FittedChi2Null(_Chi2):
    """t distributed as a chi2 whose degrees of freedom k were fitted to toys, see `fit_chi2`.

    Arguments:
        degrees_of_freedom: k of the largest likelihood.
        error: standard deviation of k.
        toys: number of toys that the fit used.
        failed: number of toys without t, left out.
        zeros: number of toys with t = 0 within rounding, left out.
    """

    degrees_of_freedom: float
    error: float
    toys: int
    failed: int = 0
    zeros: int = 0

    @property
    def name(self) -> str:
        """chi2(12.86 +- 0.08)"""
        return f"chi2({self.degrees_of_freedom:.2f} +- {self.error:.2f})"

    @property
    def kind(self) -> Kind:
        """A chi2 whose degrees of freedom were fitted."""
        return "chi2 fitted"

    def interval(self, t: float) -> tuple[float, float]:
        """The p-values at k - error and k + error: the more degrees of freedom, the larger the p-value."""
        low, high = self._within_error
        return float(chi2.sf(t, low)), float(chi2.sf(t, high))

    def threshold_interval(self, p: float) -> tuple[float, float]:
        """The thresholds at k - error and k + error."""
        low, high = self._within_error
        return float(chi2.isf(p, low)), float(chi2.isf(p, high))

    def describe(self) -> str:
        """What the null stands on, for screen and report."""
        left_out = [f"{n:,} {what}" for n, what in ((self.failed, "failed"), (self.zeros, "with t = 0")) if n]
        ending = f" ({' and '.join(left_out)} left out)" if left_out else ""
        return (
            f"chi2 with {self.degrees_of_freedom:.2f} +- {self.error:.2f} degrees of freedom, fitted to"
            f" {self.toys:,} toys{ending}"
        )

    @property
    def _within_error(self) -> tuple[float, float]:
        # The lower end is positive: error < k for two toys or more, as trigamma(x) > 1/x + 1/(2 x^2).
        return self.degrees_of_freedom - self.error, self.degrees_of_freedom + self.error


def fit_chi2(t: Float64[np.ndarray, " n"]) -> FittedChi2Null:
    """Fits the degrees of freedom of a chi2 to toys, by maximum likelihood; its scale stays 2.

    The likelihood is largest where the mean of log t is the expected one, digamma(k/2) + log 2; the Fisher information
    of one toy, trigamma(k/2) / 4, gives the error 2 / sqrt(n trigamma(k/2)).

    Arguments:
        t: the toys' test statistics, shape (n,). NaN (failed toys) and t below 1e-6 (zero within rounding, or
            slightly negative by it) are left out and counted.

    Raises:
        ValueError: if fewer than two toys remain.
    """
    used = t[t >= SMALLEST_T]
    if len(used) < 2:
        raise ValueError(f"fitting the degrees of freedom needs at least 2 toys with t > 0, not {len(used)}")
    k = float(solve_degrees_of_freedom(np.log(used).mean()))
    failed = int(np.isnan(t).sum())
    return FittedChi2Null(k, fit_error(k, len(used)), len(used), failed, len(t) - failed - len(used))


def solve_degrees_of_freedom(mean_log_t: np.ndarray | float) -> np.ndarray:
    """The k of chi2 distributions with the given means of log t: digamma(k/2) = mean_log_t - log 2.

    Solved by Newton's method from Minka's starting point, which is so good that five steps reach rounding ("Estimating
    a Dirichlet distribution", 2000, appendix C).
    """
    y = np.asarray(mean_log_t, dtype=np.float64) - np.log(2)
    x = np.where(y >= -2.22, np.exp(y) + 0.5, -1 / (np.minimum(y, -2.22) - digamma(1)))
    for _ in range(5):
        x = x - (digamma(x) - y) / polygamma(1, x)
    return np.asarray(2 * x)


def fit_error(k: float, toys: int) -> float:
    """Standard deviation of k fitted to so many toys, from the Fisher information: 2 / sqrt(n trigamma(k/2))."""
    return float(2 / np.sqrt(toys * polygamma(1, k / 2)))
