"""Are p-values uniform, as they are where nothing is wrong? And if not, were errors too small, or too large?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Float64
from scipy.special import chdtr, chdtrc, chdtri
from scipy.stats import chi2, kstest

from nplm._util.json_values import json_value

# P-values below which their distribution is said not to be uniform.
ACCEPTED = 0.01
# Fewer p-values say nothing about their distribution.
LEAST_PVALUES = 10
# Of fewer p-values one that is far off makes a factor of all errors, which says nothing of the others.
LEAST_FOR_FACTOR = 50
# Where logarithms of p and 1 - p end.
_SMALLEST, _LARGEST = 1e-300, 1 - 2.0**-53


@dataclass(frozen=True)
class PValueDistribution:
    """How p-values of many windows, channels or bins are distributed.

    Arguments:
        count: number of p-values.
        kolmogorov_smirnov: p-value of the largest difference to the uniform distribution, exact.
        low: p-value of too many small ones: -2 sum ln p follows chi2(2n) (Fisher).
        high: p-value of too many large ones: -2 sum ln(1 - p) follows chi2(2n) (Pearson).
        scale_test: p-value of scale = 1, on both sides: n k scale follows chi2(n k).
        p_value: of the four together, 4 times the smallest of them, at most 1: right however they depend on each other.
        degrees_of_freedom: k, of the chi2 that scale refers to.
        scale, scale_error: the factor on chi2 that fits the p-values, and its standard deviation.
    """

    count: int
    kolmogorov_smirnov: float
    low: float
    high: float
    scale_test: float
    p_value: float
    degrees_of_freedom: float
    scale: float
    scale_error: float

    @property
    def error_factor(self) -> float:
        """True errors over those that were assumed, if all were wrong by one factor."""
        return float(np.sqrt(self.scale))

    @property
    def uniform(self) -> bool:
        """Whether the p-values are uniform as far as these tests see: p_value >= 0.01."""
        return self.p_value >= ACCEPTED

    @property
    def tells_factor(self) -> bool:
        """Whether the p-values are enough to tell wrong errors from a few windows that are far off."""
        return self.count >= LEAST_FOR_FACTOR

    @property
    def sentence(self) -> str:
        """The finding in words."""
        if self.uniform:
            return f"The {self.count} p-values are uniform within their errors (p = {self.p_value:.2g})."
        if not self.tells_factor:
            return (
                f"The {self.count} p-values are not uniform (p = {self.p_value:.2g}). In so few of them one or two"
                " windows may make that, and they are too few to say whether errors are wrong."
            )
        error = self.scale_error / (2 * self.error_factor)
        factor = f"true errors are {self.error_factor:.2f} +- {error:.2f} times those that were assumed"
        if self.scale_test >= ACCEPTED:
            return (
                f"The {self.count} p-values are not uniform (p = {self.p_value:.2g}), and a scale of the errors does"
                " not explain it: look at their histogram."
            )
        if self.scale > 1:
            return (
                f"The {self.count} p-values pile up at 0 (p = {self.p_value:.2g}): the data differ from what they are"
                f" compared with, or errors were underestimated; then {factor}."
            )
        return (
            f"The {self.count} p-values pile up at 1 (p = {self.p_value:.2g}): errors were overestimated, or the"
            f" p-values are not independent; if it is the errors, {factor}."
        )

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values."""
        plain: dict[str, Any] = json_value(vars(self))
        return {**plain, "error_factor": self.error_factor, "uniform": self.uniform, "sentence": self.sentence}


def pvalue_distribution(p_values: ArrayLike | Sequence[float], degrees_of_freedom: float = 1.0) -> PValueDistribution:
    """Tests whether independent p-values are uniform, and fits by how much errors would have to be wrong.

    If every error was assumed too small by a factor a, what was taken for chi2(k) is a^2 chi2(k): p-values pile up at 0
    for a > 1 and at 1 for a < 1, with the density of `pvalue_density`. With x_i the quantiles of chi2(k) at p_i, the
    likelihood is largest at scale = sum x_i / (n k), whose relative error is sqrt(2 / (n k)); for scale = 1, sum x_i
    follows chi2(n k) exactly.

    Arguments:
        p_values: independent, between 0 and 1, shape (n,).
        degrees_of_freedom: k of a single p-value: 1 for two-sided p-values of normal variables, the number of bins or
            degrees of freedom for those of chi2, and 2 mean^2 / variance for t of a kernel model.

    Raises:
        ValueError: for fewer than 10 p-values, values that are no probabilities, or k that is not positive.
    """
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1 or len(p) < LEAST_PVALUES:
        raise ValueError(f"the distribution of p-values needs a list of at least {LEAST_PVALUES}, not shape {p.shape}")
    if not ((p >= 0) & (p <= 1)).all():
        bad = p[~((p >= 0) & (p <= 1))][0]
        raise ValueError(f"p-values lie between 0 and 1, but one is {bad:g}: leave out windows without a p-value")
    k = float(degrees_of_freedom)
    if not (np.isfinite(k) and k > 0):
        raise ValueError(f"the degrees of freedom must be a positive number, not {k:g}")
    n, inside = len(p), np.clip(p, _SMALLEST, _LARGEST)
    low = float(chdtrc(2 * n, -2 * np.log(inside).sum()))
    high = float(chdtrc(2 * n, -2 * np.log1p(-inside).sum()))
    total = float(chdtri(k, inside).sum())
    scale_test = min(1.0, 2 * min(float(chdtr(n * k, total)), float(chdtrc(n * k, total))))
    ks = float(kstest(p, "uniform", method="exact" if n <= 10_000 else "asymp").pvalue)
    smallest = min(ks, low, high, scale_test)
    scale = total / (n * k)
    return PValueDistribution(
        n, ks, low, high, scale_test, min(1.0, 4 * smallest), k, scale, scale * float(np.sqrt(2 / (n * k)))
    )


def pvalue_density(
    p: Float64[np.ndarray, " m"], scale: float, degrees_of_freedom: float = 1.0
) -> Float64[np.ndarray, " m"]:
    """The density of p-values if chi2(k) were multiplied by a scale: f_k(x / scale) / (scale f_k(x)), x(p) of chi2(k).

    Arguments:
        p: between 0 and 1, both excluded, shape (m,).
        scale: square of true errors over assumed ones.
        degrees_of_freedom: k.

    Raises:
        ValueError: if the scale is not positive.
    """
    if not (np.isfinite(scale) and scale > 0):
        raise ValueError(f"the scale must be a positive number, not {scale:g}")
    x = chdtri(degrees_of_freedom, p)
    distribution = chi2(degrees_of_freedom)
    return np.asarray(np.exp(distribution.logpdf(x / scale) - distribution.logpdf(x)) / scale)
