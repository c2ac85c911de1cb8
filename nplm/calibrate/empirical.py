"""P-values counted from toys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.stats import beta

# One standard deviation of a normal distribution, two-sided.
ONE_SIGMA = 0.6826894921370859


@dataclass(frozen=True, eq=False)
class EmpiricalNull:
    """The null distribution of t as an ensemble of toys gives it.

    Arguments:
        t: the toys' test statistics, shape (n,); a toy whose fit failed has NaN and counts as exceeding any t.
    """

    t: Float64[np.ndarray, " n"]

    def __post_init__(self) -> None:
        if len(self.t) == 0:
            raise ValueError("an empirical p-value needs at least one toy")

    @property
    def failed(self) -> int:
        """How many toys have no t."""
        return int(np.isnan(self.t).sum())

    def exceeding(self, t: float) -> int:
        """How many toys have at least this t; failed ones do."""
        return int((self.t >= t).sum()) + self.failed

    def pvalue(self, t: float) -> float:
        """p = (1 + #{t_toy >= t} + #failed) / (1 + n): never zero, and never too small on average."""
        return (1 + self.exceeding(t)) / (1 + len(self.t))

    def interval(self, t: float, level: float = ONE_SIGMA) -> tuple[float, float]:
        """Clopper and Pearson's interval for P(t_toy >= t) from the counted toys (Biometrika 26 (1934) 404)."""
        return clopper_pearson(self.exceeding(t), len(self.t), level)

    def describe(self) -> str:
        """What the null stands on, for screen and report."""
        failed = f", {self.failed} failed fits counted as exceeding" if self.failed else ""
        return f"{len(self.t)} toys{failed}"


def clopper_pearson(successes: int, trials: int, level: float = ONE_SIGMA) -> tuple[float, float]:
    """Central interval for a binomial probability with coverage of at least `level`, whatever the probability.

    The tail of (1 - level) / 2 above is kept where no success leaves none below, and likewise for no failure: a limit
    at the full level there would cover too rarely (57% instead of 68% for about 1.15 expected successes).
    """
    tail = (1 - level) / 2
    low = float(beta.ppf(tail, successes, trials - successes + 1)) if successes else 0.0
    high = float(beta.isf(tail, successes + 1, trials - successes)) if successes < trials else 1.0
    return low, high
