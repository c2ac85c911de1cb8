"""P-values counted from toys: exact, honest about failures, uniform under the null."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy.stats import binom, chisquare, norm

from nplm.calibrate.empirical import ONE_SIGMA, EmpiricalNull, clopper_pearson
from nplm.calibrate.zscore import z_score

# Size of the tests of uniformity: the chance that one fails a correct program.
SIZE = 1e-4


def at_least(successes: int, trials: int, p: float) -> float:
    return sum(comb(trials, k) * p**k * (1 - p) ** (trials - k) for k in range(successes, trials + 1))


def test_the_data_count_as_one_of_the_toys() -> None:
    null = EmpiricalNull(np.array([1.0, 2.0, 3.0, 4.0]))
    assert [null.exceeding(t) for t in (0.0, 3.0, 3.5, 9.0)] == [4, 2, 1, 0]
    assert [null.pvalue(t) for t in (0.0, 3.0, 3.5, 9.0)] == [1.0, 0.6, 0.4, 0.2]


def test_failed_toys_count_as_exceeding() -> None:
    null = EmpiricalNull(np.array([1.0, np.nan, 3.0, np.nan]))
    assert null.failed == 2
    assert null.exceeding(2.0) == 3
    assert null.pvalue(2.0) == 4 / 5
    assert null.interval(2.0) == clopper_pearson(3, 4)
    assert "2 failed fits counted as exceeding" in null.describe()
    assert "failed" not in EmpiricalNull(np.ones(3)).describe()


def test_no_toys_give_no_p_value() -> None:
    with pytest.raises(ValueError, match="at least one toy"):
        EmpiricalNull(np.zeros(0))


@pytest.mark.parametrize("level", [ONE_SIGMA, 0.95])
@pytest.mark.parametrize("successes", [0, 1, 7, 19, 20])
def test_interval_ends_leave_the_tails_of_exact_binomial_sums(successes: int, level: float) -> None:
    low, high = clopper_pearson(successes, 20, level)
    tail = (1 - level) / 2
    if successes == 0:
        assert low == 0.0
    else:
        assert at_least(successes, 20, low) == pytest.approx(tail, rel=1e-9)
    if successes == 20:
        assert high == 1.0
    else:
        assert 1 - at_least(successes + 1, 20, high) == pytest.approx(tail, rel=1e-9)


@pytest.mark.parametrize("trials", [1, 10, 200])
def test_interval_covers_every_probability(trials: int) -> None:
    p = np.concatenate([np.geomspace(1e-4, 0.5, 400), 1 - np.geomspace(1e-4, 0.5, 400)])
    k = np.arange(trials + 1)
    low, high = np.array([clopper_pearson(int(i), trials) for i in k]).T
    covered = (low <= p[:, None]) & (p[:, None] <= high)
    coverage = (binom.pmf(k, trials, p[:, None]) * covered).sum(axis=1)
    assert coverage.min() >= ONE_SIGMA - 1e-9


def test_p_values_are_uniform_under_the_null(rng: np.random.Generator) -> None:
    """Of p = k/100, each k from 1 to 100 is equally likely; a shifted t and the estimate k/n must be rejected."""
    experiments, toys = 4000, 99

    def frequencies(shift: float) -> np.ndarray:
        t = rng.chisquare(5, (experiments, toys))
        observed = rng.chisquare(5, experiments) + shift
        p = [EmpiricalNull(row).pvalue(t_obs) for row, t_obs in zip(t, observed, strict=True)]
        return np.bincount(np.round(100 * np.array(p)).astype(int), minlength=101)

    under_null = frequencies(0.0)
    assert under_null[0] == 0
    assert chisquare(under_null[1:]).pvalue > SIZE
    assert chisquare(frequencies(0.5)[1:]).pvalue < SIZE
    # k/n as an estimate is smaller by one step of 1/100, so it is too often below .01.
    as_k_over_n = under_null[1] + under_null[2]
    assert binom.sf(as_k_over_n - 1, experiments, 0.01) < SIZE


@pytest.mark.parametrize("p", [0.5, 0.15865525393145707, 1.3e-3, 2.87e-7, 1e-200])
def test_z_score_is_one_sided_and_does_not_saturate(p: float) -> None:
    assert z_score(p) == norm.isf(p)
    assert norm.sf(z_score(p)) == pytest.approx(p, rel=1e-10)


def test_z_score_of_certainties_is_infinite() -> None:
    assert z_score(0.0) == np.inf
    assert z_score(1.0) == -np.inf
