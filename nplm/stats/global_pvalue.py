"""The null distribution of a combination of several tests, and the global p-value that it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64
from scipy.special import ndtri_exp
from scipy.stats import rankdata

from nplm._util.seed_range import require_seed
from nplm.stats.combination import Combination
from nplm.stats.empirical import EmpiricalNull
from nplm.stats.joint_weighted_chi2 import JointNull
from nplm.stats.significance import z_interval, z_score
from nplm.stats.weighted_chi2 import WeightedChi2Null

# What a global p-value stands on: normal vectors drawn from the joint distribution of all tests, or joint toys.
GlobalKind = Literal["analytic joint", "empirical"]
# Normal vectors that are drawn in all. If fewer than so many of them exceed, the tail is drawn by itself, first with
# few vectors and then with more, and believed if its relative error and the share of a single draw are at most that.
DRAWS, FEWEST_EXCEEDING, TAIL_DRAWS = 200_000, 400, (50_000, 200_000)
LARGEST_ERROR, LARGEST_SHARE = 0.15, 0.01
# No p-value above this is one of the tail, however few the draws.
LARGEST_TAIL = 0.02


@dataclass(frozen=True)
class GlobalP:
    """The global p-value of several tests.

    Arguments:
        kind: "analytic joint" if it stands on the normal distribution of all tests together, "empirical" on joint toys.
        null: the same in words.
        statistic: the combination T of the data.
        p_value: probability under the null of a T at least this large.
        p_interval: its 68% interval from the number of draws or toys.
        z, z_interval: Z-scores of these.
        draws: number of normal vectors that were drawn, or of toys.
        exceeding: those with at least this T; failed toys do. Draws of the tail are not among them.
        tail: whether the p-value is that of draws of the tail.
    """

    kind: GlobalKind
    null: str
    statistic: float
    p_value: float
    p_interval: tuple[float, float]
    z: float
    z_interval: tuple[float, float]
    draws: int
    exceeding: int
    tail: bool = False


@dataclass(frozen=True, eq=False)
class JointGlobalNull:
    """The null of a combination, from draws of the joint distribution of the tests; it is asymptotic, as that is.

    Arguments:
        joint: the distribution of t_1 ... t_K.
        combination: what makes one number of their p-values, each from its own distribution.
        draws: how many vectors t are drawn.
        seed: of the draws.
    """

    joint: JointNull
    combination: Combination
    draws: int = DRAWS
    seed: int = 1

    def __post_init__(self) -> None:
        require_seed(self.seed)

    def statistics(self, t: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, " n"]:
        """T of n data samples, shape (n,)."""
        return self.combination(_log_pvalues(self.joint.marginals, t))

    def pvalues(self, t: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, " n"]:
        """Global p-values (1 + #{T_draw >= T}) / (1 + draws) of n data samples, shape (n,): quick for many."""
        return self._drawn.pvalues(self.statistics(t))

    def global_p(self, t: Float64[np.ndarray, " k"]) -> GlobalP:
        """The global p-value of one data sample.

        Where few draws exceed T the tail is drawn by itself, so that small p-values are known as well and Z does not
        saturate; if that is not precise enough, p is what the draws leave, and Z is limited by their number.
        """
        statistic = float(self.statistics(t[None])[0])
        exceeding = self._drawn.exceeding(statistic)
        p, interval = self._drawn.pvalue(statistic), self._drawn.interval(statistic)
        null = f"joint normal distribution of {len(t)} tests to second order, {self.draws:,} draws"
        far = exceeding < min(FEWEST_EXCEEDING, LARGEST_TAIL * self.draws)
        tail = self._tail(statistic) if far else None
        if tail is None:
            return GlobalP(
                "analytic joint", null, statistic, p, interval, z_score(p), z_interval(interval), self.draws, exceeding
            )
        log_p, error, draws = tail
        log_ends = np.log1p([-error, 0.0, error]) + log_p
        low, p, high = np.exp(log_ends).tolist()
        largest_z, z, smallest_z = (-ndtri_exp(log_ends)).tolist()
        return GlobalP(
            kind="analytic joint",
            null=f"{null} and {draws:,} of its tail",
            statistic=statistic,
            p_value=p,
            p_interval=(low, high),
            z=z,
            z_interval=(smallest_z, largest_z),
            draws=self.draws,
            exceeding=exceeding,
            tail=True,
        )

    def _tail(self, statistic: float) -> tuple[float, float, int] | None:
        """log P(T >= statistic) from draws of the tail, its relative error and their number; None if not precise."""
        tests = self.joint.marginals
        # -log p that brings about T in one test, while the others have the 1 that is expected of them, or in all.
        alone = together = statistic
        if self.combination.name == "product":
            together = statistic / len(tests)
            alone = max(statistic - len(tests) + 1, together)

        def at(level: float) -> Float64[np.ndarray, " k"]:
            return np.array([null.threshold_of_z(-float(ndtri_exp(-level))) for null in tests])

        def exceeds(t: Float64[np.ndarray, "n k"]) -> Bool[np.ndarray, " n"]:
            return self.statistics(t) >= statistic

        # A mean of p-values is small only if all of them are.
        single, ridge = None if self.combination.name == "average" else at(alone), at(together)
        for draws in TAIL_DRAWS:
            log_p, error, share = self.joint.tail(exceeds, single, ridge, draws, self.seed)
            if error <= LARGEST_ERROR and share <= LARGEST_SHARE:
                return log_p, error, draws
        return None

    @cached_property
    def _drawn(self) -> EmpiricalNull:
        return EmpiricalNull(self.statistics(self.joint.draw(self.draws, self.seed)))


@dataclass(frozen=True, eq=False)
class ToyGlobalNull:
    """The null of a combination, counted from toys that all tests have fitted.

    Arguments:
        t: of each toy in each test, shape (toys, K); NaN where the fit failed, and such a toy exceeds any data.
        combination: what makes one number of the p-values.
        marginals: distributions that turn t into the p-values to be combined. The global p-value is right however wrong
            they are, as data and toys go through the same ones. None for ranks among toys and data, which favour no
            test but cannot tell the largest t apart (Westfall and Young, Resampling-Based Multiple Testing, 1993).
    """

    t: Float64[np.ndarray, "toys k"]
    combination: Combination
    marginals: Sequence[WeightedChi2Null] | None = None

    def global_p(self, t: Float64[np.ndarray, " k"]) -> GlobalP:
        """The global p-value (1 + #{T_toy >= T} + #failed) / (1 + toys) of one data sample."""
        if self.marginals is None:
            statistic, *toys = self.combination(log_ranks(np.vstack([t, self._good])))
            counted = self._counted(np.array(toys))
        else:
            statistic, counted = self.combination(_log_pvalues(self.marginals, t[None]))[0], self._by_asymptotic
        p, interval = counted.pvalue(statistic), counted.interval(statistic)
        return GlobalP(
            kind="empirical",
            null=f"{counted.describe()}, each fitted by {len(t)} tests",
            statistic=float(statistic),
            p_value=p,
            p_interval=interval,
            z=z_score(p),
            z_interval=z_interval(interval),
            draws=len(self.t),
            exceeding=counted.exceeding(statistic),
        )

    @cached_property
    def _good(self) -> Float64[np.ndarray, "good k"]:
        return self.t[~np.isnan(self.t).any(axis=1)]

    @cached_property
    def _by_asymptotic(self) -> EmpiricalNull:
        assert self.marginals is not None
        return self._counted(self.combination(_log_pvalues(self.marginals, self._good)))

    def _counted(self, toys: Float64[np.ndarray, " good"]) -> EmpiricalNull:
        return EmpiricalNull(np.append(toys, np.full(len(self.t) - len(self._good), np.nan)))


def log_ranks(t: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, "n k"]:
    """log(#{t_j >= t_i} / n) in each column, shape (n, K)."""
    return np.log(np.asarray(rankdata(-t, method="max", axis=0)) / len(t))


def _log_pvalues(marginals: Sequence[WeightedChi2Null], t: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, "n k"]:
    return np.column_stack([null.log_pvalues(column) for null, column in zip(marginals, t.T, strict=True)])
