"""One pair of samples after another, tested in several ways: how often each rejects."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.stats import binom

from nplm import Sample, TwoSampleTest
from nplm.two_sample.resampling import label_batches

SIZE = 0.05
# Chance that a right test is not within the binomial error that is asked for.
_CHANCE = 0.001

Pair = Callable[[np.random.Generator], tuple[Sample, Sample]]
# P-value of a test, by a way of calibrating it.
PValue = Callable[[TwoSampleTest], float]


@dataclass(frozen=True)
class Rejections:
    """How often a test of size .05 rejected.

    Arguments:
        rejected, trials: counted.
        seconds: CPU seconds of one test, with its calibration.
    """

    rejected: int
    trials: int
    seconds: float

    @property
    def fraction(self) -> float:
        """rejected / trials."""
        return self.rejected / self.trials

    @property
    def error(self) -> float:
        """Its binomial standard deviation."""
        return float(np.sqrt(self.fraction * (1 - self.fraction) / self.trials))

    @property
    def text(self) -> str:
        """.048 +- .011"""
        return f"{self.fraction:.3f} +- {self.error:.3f}"


def size_range(trials: int) -> tuple[float, float]:
    """Between which fractions a test of size .05 rejects, but for one in a thousand."""
    low, high = (float(binom.ppf(tail, trials, SIZE)) / trials for tail in (_CHANCE / 2, 1 - _CHANCE / 2))
    return low, high


def rejections(
    pair: Pair, ways: Mapping[str, PValue], trials: int, seed: Sequence[int], **settings: object
) -> dict[str, Rejections]:
    """Draws pairs, prepares a test of each, and counts how often each way of calibrating it rejects."""
    rejected = dict.fromkeys(ways, 0)
    seconds = dict.fromkeys(ways, 0.0)
    for trial in range(trials):
        rng = np.random.default_rng([*seed, trial])
        began = time.process_time()
        test = TwoSampleTest(*pair(rng), seed=trial, **settings)  # type: ignore[arg-type]
        prepared = time.process_time() - began
        for name, p_value in ways.items():
            began = time.process_time()
            rejected[name] += p_value(test) <= SIZE
            seconds[name] += prepared + time.process_time() - began
    return {name: Rejections(rejected[name], trials, seconds[name] / trials) for name in ways}


def permutation(resamples: int) -> PValue:
    """P-values counted from permutations."""
    return lambda test: _counted(test, test.resampled("permutation", resamples))


def bootstrap(resamples: int) -> PValue:
    """P-values counted from bootstraps of both samples."""
    return lambda test: _counted(test, test.resampled("bootstrap", resamples))


def asymptotic(draws: int) -> PValue:
    """P-values from draws of the normal distribution."""
    return lambda test: _from_asymptotic(test, test.asymptotic_null.standard(test.t), draws)


def infinite_reference(draws: int) -> PValue:
    """The negative control: A is taken for the distribution itself, and t for that of N_B events against it.

    Then u = <phi>_B - <phi>_A has the variance 1 / N_B, not 1 / N_A + 1 / N_B.
    """

    def p_value(test: TwoSampleTest) -> float:
        return _from_asymptotic(test, test.t * test.pool.total_b / test.pool.unit, draws)

    return p_value


def plain_permutation(resamples: int) -> PValue:
    """The negative control: weights go with their events to the other sample, and t is n sum c u^2 with u of means."""

    def p_value(test: TwoSampleTest) -> float:
        basis, pool = test.basis, test.pool
        unit_a, unit_b = (sample.total_weight / float(sample.weights @ sample.weights) for sample in (test.a, test.b))
        weights = pool.masses / np.where(pool.in_b, unit_b, unit_a)
        columns = np.concatenate(
            [np.column_stack([weights[rows, None] * phi, weights[rows]]) for rows, phi in basis.blocks()]
        )
        t = []
        for in_b in (pool.in_b[None], *label_batches(pool, resamples, test.seed)):
            inside = in_b @ columns
            outside = columns.sum(axis=0) - inside
            u = inside[:, :-1] / inside[:, -1:] - outside[:, :-1] / outside[:, -1:]
            t.append(pool.unit * u**2 @ basis.filters)
        null = test.combined(np.concatenate(t))
        return float((1 + (null[1:] >= null[0]).sum()) / len(null))

    return p_value


@lru_cache(maxsize=1)
def _drawn(test: TwoSampleTest, draws: int) -> np.ndarray:
    """Draws of the null, which the test and its negative control share."""
    return test.asymptotic_null.draw(draws, test.seed)


def _from_asymptotic(test: TwoSampleTest, t: np.ndarray, draws: int) -> float:
    statistic, *null = -test.asymptotic_null.quick_log_pvalues(np.vstack([t, _drawn(test, draws)])).min(axis=1)
    return float((1 + (np.array(null) >= statistic).sum()) / (1 + draws))


def _counted(test: TwoSampleTest, null: np.ndarray) -> float:
    statistic = test.combined(test.t[None])[0]
    return float((1 + (test.combined(null) >= statistic).sum()) / (1 + len(null)))
