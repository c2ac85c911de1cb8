"""P-values counted from toys: exact, honest about failures, uniform under the null."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy.stats import binom, chisquare, norm

from nplm.stats.empirical import EmpiricalNull
from nplm.stats.intervals import clopper_pearson, quantile_ranks
from nplm.stats.null import ONE_SIGMA
from nplm.stats.significance import z_interval, z_score

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


def test_z_of_counted_toys_is_a_limit_where_none_exceeds() -> None:
    null = EmpiricalNull(np.arange(199.0))
    assert (null.is_limit(198.0), null.is_limit(198.5)) == (False, True)
    assert null.z(198.5) == norm.isf(1 / 200)
    low, high = null.z_interval(198.5)
    # No toy exceeds with the probability (1 - p)^199, which is 16% at the interval's upper end.
    assert low == pytest.approx(norm.isf(1 - ((1 - ONE_SIGMA) / 2) ** (1 / 199)))
    assert high == np.inf
    assert z_interval((0.01, 0.1)) == (z_score(0.1), z_score(0.01))


@pytest.mark.parametrize("failed", [0, 3])
def test_threshold_is_the_least_t_with_that_p_value(failed: int, rng: np.random.Generator) -> None:
    t = np.concatenate([rng.chisquare(5, 97), np.full(failed, np.nan)])
    null = EmpiricalNull(t)
    np.testing.assert_array_equal(null.pvalues(t[:97]), [null.pvalue(v) for v in t[:97]])
    for p in (0.01, 0.02, 0.0500001, 7 / (1 + len(t)), 0.5, 0.999, 1.0):
        threshold = null.threshold(p)
        if threshold is None:
            assert null.smallest_p > p
            assert null.pvalue(1e9) > p
            continue
        assert null.pvalue(threshold) <= p
        if np.isfinite(threshold):
            assert null.pvalue(np.nextafter(threshold, -np.inf)) > p


def test_threshold_interval_covers_the_true_quantile(rng: np.random.Generator) -> None:
    """Exactly, by sums of the binomial distribution, and in 2000 ensembles of 199 toys (4 standard deviations)."""
    for n, q in ((199, 0.97725), (50, 0.5), (5, 0.9), (1, 0.5)):
        low, high = quantile_ranks(n, q)
        coverage = binom.cdf(high - 1, n, q) - binom.cdf(low - 1, n, q)
        assert coverage >= ONE_SIGMA
        # The least such interval: moving either end inwards leaves more than 16% beyond it.
        assert binom.cdf(low, n, q) >= (1 - ONE_SIGMA) / 2
        assert binom.sf(high - 2, n, q) >= (1 - ONE_SIGMA) / 2
    low, high = quantile_ranks(199, 0.97725)
    exact = binom.cdf(high - 1, 199, 0.97725) - binom.cdf(low - 1, 199, 0.97725)
    true = 6.0 * -np.log(0.02275)
    ends = np.array([EmpiricalNull(rng.exponential(6.0, 199)).threshold_interval(0.02275) for _ in range(2000)])
    covered = ((ends[:, 0] <= true) & (true <= ends[:, 1])).mean()
    assert covered == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 2000))


def test_threshold_interval_is_open_where_the_toys_end() -> None:
    t = np.arange(100.0)
    assert EmpiricalNull(t).threshold_interval(1e-6)[1] == np.inf
    assert EmpiricalNull(t).threshold_interval(1 - 1e-6)[0] == -np.inf
    # Failed toys lie above all others.
    assert EmpiricalNull(np.append(t, np.full(10, np.nan))).threshold_interval(0.05) == (np.inf, np.inf)


@pytest.mark.parametrize("p", [0.5, 0.15865525393145707, 1.3e-3, 2.87e-7, 1e-200])
def test_z_score_is_one_sided_and_does_not_saturate(p: float) -> None:
    assert z_score(p) == norm.isf(p)
    assert norm.sf(z_score(p)) == pytest.approx(p, rel=1e-10)


def test_z_score_of_certainties_is_infinite() -> None:
    assert z_score(0.0) == np.inf
    assert z_score(1.0) == -np.inf
