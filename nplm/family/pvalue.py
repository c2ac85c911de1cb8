"""The null of a family: samples without a difference, and the joint normal distribution that they check."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float64
from scipy.special import logsumexp

from nplm.family.intervals import log_p_of_root
from nplm.family.settings import INTERVALS
from nplm.family.statistic import Members, combined, independent_tests
from nplm.family.union import JointNormal

# The joint distribution is believed if it makes the 1% point of those samples at least a third as likely as they do;
# that of fewer samples is taken where so many of them exceed.
_CHECKED_AT, _EXCEEDING, _LEAST_RATIO = 0.01, 10, 1 / 3


@dataclass(frozen=True, eq=False)
class FamilyNull:
    """The null of the smallest p-value.

    Arguments:
        family: whose null it is.
        surprise: largest -log p in each class of samples without a difference, shape (L, c).
        seed: of the draws of the joint distribution.
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
    def _joint(self) -> JointNormal | None:
        family = self.family
        return JointNormal(family.parts, family.intervals, family.spread.second, self.seed) if family.parts else None

    def log_p(self, statistic: float) -> float:
        """log P(T >= statistic) by the joint normal distribution of all scores.

        It is the chance that a kernel or a product exceeds and no interval does, and those that an interval of each
        feature does.
        """
        family = self.family
        least = dict(zip(family.classes, -(statistic + self.log_tests), strict=True))
        root = _root_of(least[INTERVALS]) if INTERVALS in least else np.inf
        chances = [each.log_tail(root, self.seed) for each in family.intervals]
        if self._joint is not None:
            wanted = np.array([least[member.kind] for _, member in family.members])
            log_p, both = self._joint.log_union(family.thresholds(np.minimum(wanted, -1e-3)), root)
            chances.append(log_p + (np.log1p(-both) if both < 1 else -np.inf))
        return float(min(logsumexp(chances), 0.0))

    @cached_property
    def check(self) -> tuple[float, float]:
        """A point of T that a share `checked_share` exceeds, counted, and its p-value by the joint distribution."""
        at = float(np.quantile(self.statistics, 1 - self.checked_share))
        return at, float(np.exp(self.log_p(at)))

    @property
    def checked_share(self) -> float:
        """The share of samples without a difference that exceed the point where the joint distribution is checked."""
        return max(_CHECKED_AT, _EXCEEDING / len(self.statistics))

    @property
    def asymptotic_holds(self) -> bool:
        """Whether the joint distribution does not make large T much less likely than they are."""
        return self.check[1] >= _LEAST_RATIO * self.checked_share

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
