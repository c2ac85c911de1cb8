"""The asymptotic null: chi2 with given degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.stats import chi2, kstest

# Fewer toys cannot tell a chi2 from another distribution.
LEAST_TOYS_FOR_CHECK = 50


@dataclass(frozen=True)
class Chi2Null:
    """t distributed as chi2(degrees_of_freedom): Wilks' theorem for a regular family of that many parameters."""

    degrees_of_freedom: float

    def pvalue(self, t: float) -> float:
        """P(chi2 >= t)."""
        return float(chi2.sf(t, self.degrees_of_freedom))

    def interval(self, t: float) -> tuple[float, float]:
        """The p-value twice: a formula has no counting error."""
        return self.pvalue(t), self.pvalue(t)

    def compatibility(self, toys: Float64[np.ndarray, " n"]) -> float:
        """P-value of the Kolmogorov-Smirnov test of toys against this chi2 (failed toys, NaN, left out)."""
        return float(kstest(toys[np.isfinite(toys)], chi2(self.degrees_of_freedom).cdf).pvalue)

    def describe(self) -> str:
        return f"chi2 with {self.degrees_of_freedom:g} degrees of freedom"
