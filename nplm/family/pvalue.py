"""The null of a family: samples without a difference, and the joint normal law that they check."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64
from scipy.special import logsumexp

from nplm.family.intervals import log_p_of_root
from nplm.family.settings import INTERVALS
from nplm.family.statistic import Members, combined, independent_tests
from nplm.family.union import JointLaw

# The law is believed if it makes its own 1% point of those samples at least a third as likely as they do.
CHECKED_AT, LEAST_RATIO = 0.01, 1 / 3


@dataclass(frozen=True, eq=False)
class FamilyNull:
    """The null of the smallest p-value.

    Arguments:
        family: whose null it is.
        surprise: largest -log p in each class of samples without a difference, shape (L, c).
        seed: of the draws of the joint law.
    """

    family: Members
    surprise: Float64[np.ndarray, "L c"]
    seed: int

    @cached_property
    def log_tests(self) -> Float64[np.ndarray, " c"]:
        """log of the number of independent tests in each class."""
        return independent_tests(self.surprise)

    @cached_property
    def statistics(self) -> Float64[np.ndarray, " L"]:
        """T of the samples without a difference."""
        return combined(self.surprise, self.log_tests)

    @cached_property
    def _law(self) -> JointLaw | None:
        family = self.family
        return JointLaw(family.parts, family.spread.second, self.seed) if family.parts else None

    def log_p(self, statistic: float) -> float:
        """log P(T >= statistic) by the joint normal law of all scores.

        It is the sum of the chances that a kernel or a product exceeds, and that an interval of each feature does. What
        they have in common is counted more than once, so p is rather too large.
        """
        family = self.family
        least = dict(zip(family.classes, -(statistic + self.log_tests), strict=True))
        chances = []
        if self._law is not None:
            wanted = np.array([least[member.kind] for _, member in family.members])
            chances.append(self._law.log_union(family.thresholds(np.minimum(wanted, -1e-3))))
        if INTERVALS in least:
            root = _root_of(least[INTERVALS])
            chances += [each.log_tail(root, self.seed) for each in family.intervals]
        return float(min(logsumexp(chances), 0.0))

    @cached_property
    def check(self) -> tuple[float, float]:
        """The 1% point of T, counted, and the p-value that the law gives it."""
        at = float(np.quantile(self.statistics, 1 - CHECKED_AT))
        return at, float(np.exp(self.log_p(at)))

    @property
    def law_holds(self) -> bool:
        """Whether the law does not make large T much less likely than they are."""
        return self.check[1] >= LEAST_RATIO * CHECKED_AT

    def exceeding(self, statistic: float) -> int:
        """How many samples without a difference have at least this T."""
        return int((self.statistics >= statistic - 1e-9 * abs(statistic)).sum())


def _root_of(log_p: float) -> float:
    """The root of a deviance whose two-sided log p is this."""
    low, high = 0.0, 2 + np.sqrt(2 * max(-log_p, 1.0)) * 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if float(log_p_of_root(np.array(middle))) > log_p else (low, middle)
    return high
