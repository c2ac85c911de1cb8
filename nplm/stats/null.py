"""What all null distributions of t have in common."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from jaxtyping import Float64

# What a p-value stands on: toys that were counted, or drawn where t is large and counted with weights; a chi2 whose
# degrees of freedom were given or fitted to toys; or a weighted sum of chi2 variables as it was computed, or with its
# scale fitted to toys.
Kind = Literal["empirical", "rare", "chi2 given", "chi2 fitted", "analytic", "analytic fitted"]

# One standard deviation of a normal distribution, two-sided.
ONE_SIGMA = 0.6826894921370859


class Null(Protocol):
    """A null distribution of t.

    `EmpiricalNull`, `ImportanceNull`, `Chi2Null`, `FittedChi2Null`, `WeightedChi2Null` or `FittedWeightedChi2Null`.
    """

    @property
    def kind(self) -> Kind:
        """What its p-values stand on."""
        ...

    @property
    def mean(self) -> float:
        """Mean of t; NaN if nothing says."""
        ...

    @property
    def sd(self) -> float:
        """Standard deviation of t; NaN if nothing says."""
        ...

    def pvalue(self, t: float) -> float:
        """The p-value of one t."""
        ...

    def z(self, t: float) -> float:
        """The Z-score of one t."""
        ...

    def pvalues(self, t: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """The p-values of many t, shape (m,); none of them may be NaN."""
        ...

    def interval(self, t: float) -> tuple[float, float]:
        """68% interval of the p-value from what the null itself is uncertain about."""
        ...

    def threshold(self, p: float) -> float | None:
        """The least t whose p-value is at most p; None if the null cannot show so small a p-value."""
        ...

    def threshold_interval(self, p: float) -> tuple[float, float]:
        """68% interval of that t; infinite ends where the null does not know."""
        ...

    def describe(self) -> str:
        """What the null stands on, in words."""
        ...
