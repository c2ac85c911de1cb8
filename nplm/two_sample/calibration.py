"""What the p-value of two samples stands on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtri_exp

from nplm.stats.combination import Combination
from nplm.stats.empirical import EmpiricalNull
from nplm.stats.global_pvalue import GlobalP, JointGlobalNull
from nplm.stats.null import ONE_SIGMA
from nplm.stats.significance import z_score
from nplm.two_sample.asymptotic import ScoreNull

Calibrate = Literal["permutation", "asymptotic", "bootstrap", "pool"]
CALIBRATIONS: tuple[Calibrate, ...] = get_args(Calibrate)
# What a p-value stands on, as files call it: that, or samples drawn anew where labels may not be permuted.
Kind = Literal["permutation", "analytic", "bootstrap", "pool", "resampling"]

COMBINATION = Combination("min-p")
# Below this log p of all tests together Bonferroni's bound stands for it: it costs less than 0.2 in Z.
_BOUNDED = float(np.log(1e-15))
# A labelling that gives the observed t again must not lose against its rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class TwoSampleCalibration:
    """The p-value of two samples.

    Arguments:
        kind: what it stands on.
        null: the same in words.
        p_value, p_interval: with its 68% interval from the number of resamplings or draws.
        z, z_interval: one-sided Z-scores of these.
        resamples: number of permutations, bootstraps, samples from a pool, or draws from the normal distribution.
        exceeding: those with at least the observed statistic.
        limit: whether none has, so that p is the least that so many can show and Z a lower limit.
    """

    kind: Kind
    null: str
    p_value: float
    p_interval: tuple[float, float]
    z: float
    z_interval: tuple[float, float]
    resamples: int
    exceeding: int
    limit: bool

    @classmethod
    def counted(cls, kind: Kind, null: str, statistic: float, statistics: np.ndarray) -> TwoSampleCalibration:
        """p = (1 + #{T >= T_observed}) / (1 + n) from resampled statistics T, shape (n,)."""
        empirical = EmpiricalNull(statistics)
        least = statistic - _ROUNDING * abs(statistic) if np.isfinite(statistic) else statistic
        p = empirical.pvalue(least)
        return cls(
            kind,
            f"{len(statistics):,} {null}",
            p,
            empirical.interval(least, ONE_SIGMA),
            z_score(p),
            empirical.z_interval(least, ONE_SIGMA),
            len(statistics),
            empirical.exceeding(least),
            empirical.is_limit(least),
        )

    @classmethod
    def of_asymptotic(cls, asymptotic: ScoreNull, t: np.ndarray, draws: int, seed: int) -> TwoSampleCalibration:
        """From the asymptotic null: the weighted chi2 of one test, or draws of all tests together and their tail.

        t is standardized, see `ScoreNull.standard`.
        """
        if len(t) == 1:
            alone = asymptotic.joint.marginals[0]
            p, z = alone.pvalue(float(t[0])), alone.z(float(t[0]))
            return cls(
                "analytic", f"normal distribution of the scores: {alone.describe()}", p, (p, p), z, (z, z), 0, 0, False
            )
        local = np.array(
            [null.log_pvalue(value) for null, value in zip(asymptotic.joint.marginals, t.tolist(), strict=True)]
        )
        log_bound = float(local.min() + np.log(len(t)))
        if log_bound < _BOUNDED:
            p, z = float(np.exp(log_bound)), -float(ndtri_exp(log_bound))
            null = (
                f"smallest p-value of {len(t)} tests, each from the normal distribution of its scores, times their"
                " number"
            )
            return cls("analytic", null, p, (p, p), z, (z, z), 0, 0, False)
        found: GlobalP = ScoreGlobalNull(asymptotic.joint, COMBINATION, draws, seed, asymptotic=asymptotic).global_p(t)
        # Where the tail cannot be drawn either, p is what the draws leave.
        limit = found.exceeding == 0 and not found.tail
        return cls(
            "analytic",
            found.null,
            found.p_value,
            found.p_interval,
            found.z,
            found.z_interval,
            found.draws,
            found.exceeding,
            limit,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoreGlobalNull(JointGlobalNull):
    """`JointGlobalNull` with the quicker p-values of `ScoreNull` in the combination.

    Arguments:
        asymptotic: of the scores.
    """

    asymptotic: ScoreNull

    def statistics(self, t: Float64[np.ndarray, "n k"]) -> Float64[np.ndarray, " n"]:
        """T of n pairs of samples, shape (n,)."""
        return self.combination(self.asymptotic.quick_log_pvalues(t))

    @cached_property
    def _drawn(self) -> EmpiricalNull:
        return EmpiricalNull(self.statistics(self.asymptotic.draw(self.draws, self.seed)))
