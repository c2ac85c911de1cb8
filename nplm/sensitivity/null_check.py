"""Whether a null holds: how many toys without a signal it rejects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.stats import betabinom, binomtest

from nplm.stats.empirical import EmpiricalNull
from nplm.stats.intervals import clopper_pearson
from nplm.stats.null import Null

LEVEL = 0.05
# Z is read from the tail, which so few toys of a right null reach.
TAIL = 0.01
# A size that a right null has less often than this is a wrong one, and one below the second speaks for none.
_REFUSED, _DOUBTFUL = 0.01, 0.05
# A tail in which fewer toys are expected says little.
_LEAST_EXPECTED = 2.0


@dataclass(frozen=True)
class NullCheck:
    """The size of the test at a nominal 5%, counted with toys without a signal.

    Arguments:
        toys: without a signal, none of which the null was made from.
        rejected: of them, at a p-value of at most 5%; failed ones included.
        failed: those without t.
        interval: 95% interval of the size (Clopper and Pearson).
        p_value: of the hypothesis that the size is 5%, two-sided (binomial).
        beyond: toys with a p-value of at most 1%; failed ones included.
        tail_p_value: of the hypothesis that these are 1%, as that of the size; 1 where fewer than two are expected.
    """

    toys: int
    rejected: int
    failed: int
    interval: tuple[float, float]
    p_value: float
    beyond: int = 0
    tail_p_value: float = 1.0

    @property
    def size(self) -> float:
        """Share of the toys that are rejected."""
        return self.rejected / self.toys

    @property
    def accepted(self) -> bool:
        """Whether sizes are 5% and 1% within binomial error: p of at least 1% for each."""
        return min(self.p_value, self.tail_p_value) >= _REFUSED

    @property
    def unanimous(self) -> bool:
        """Whether neither of them looks odd by itself: p of at least 5% for each."""
        return min(self.p_value, self.tail_p_value) >= _DOUBTFUL


def null_check(null: Null, t: Float64[np.ndarray, " n"]) -> NullCheck:
    """The check of a null with toys that it was not made from.

    Arguments:
        null: that makes Z of t.
        t: of toys without a signal, shape (n,); NaN for a failed one.
    """
    n, failed = len(t), np.isnan(t)
    p = null.pvalues(t[~failed])
    rejected, beyond = (int(failed.sum() + (p <= level).sum()) for level in (LEVEL, TAIL))
    tail_p = _size_p(null, beyond, n, TAIL) if TAIL * n >= _LEAST_EXPECTED else 1.0
    interval = clopper_pearson(rejected, n, 0.95)
    return NullCheck(n, rejected, int(failed.sum()), interval, _size_p(null, rejected, n, LEVEL), beyond, tail_p)


def _size_p(null: Null, rejected: int, toys: int, level: float) -> float:
    """Two-sided p-value of so many rejected toys if the size is the level.

    A toy is rejected by n counted ones if fewer than m = level (n + 1) of them exceed it, which as a probability is
    distributed as Beta(m, n + 1 - m): the number of the rejected is then beta-binomial.
    """
    if not isinstance(null, EmpiricalNull):
        return float(binomtest(rejected, toys, level).pvalue)
    counted = len(null.t)
    allowed = int(level * (counted + 1))
    if not allowed:  # so few cannot reject at this level
        return 1.0
    distribution = betabinom(toys, allowed, counted + 1 - allowed)
    return float(min(1.0, 2 * min(distribution.cdf(rejected), distribution.sf(rejected - 1))))
