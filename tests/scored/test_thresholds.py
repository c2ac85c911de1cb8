"""Thresholds of a score: weighted quantiles, what is refused, and the law of what is kept."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, nbinom

from nplm import Sample
from nplm.scored.thresholds import require_shares, threshold
from nplm.stats.yields import log_p_of_poisson
from nplm.two_sample.rate import rate_of_samples


def test_a_threshold_is_the_weighted_quantile_and_is_left_out_itself() -> None:
    score = np.random.default_rng(1).permutation(np.arange(1000.0))
    assert threshold(score, np.ones(1000), 1.0, "reference") == -np.inf
    # 100 events are 901 to 1000 of 1000, of which that at the threshold is left out.
    assert threshold(score, np.full(1000, 0.3), 0.1, "reference") == 900.0
    # The upper half has three quarters of the weight: a quarter of it is kept at a third of that half.
    weights = np.where(score >= 500, 3.0, 1.0)
    q = threshold(score, weights, 0.25, "reference")
    assert abs(weights[score > q].sum() - 0.25 * weights.sum()) <= 3.0
    assert q == 1000 - np.ceil(0.25 * 2000 / 3)


def test_numbers_above_an_event_of_the_reference_are_binomial_given_both() -> None:
    """J data events above the k+1st of the reference are negative binomial, with tails of Bin(j + k, share)."""
    for k, ratio in ((39, 1.0), (20, 0.2), (200, 0.5)):
        share, j = ratio / (1 + ratio), np.arange(1, 120)
        np.testing.assert_allclose(nbinom.sf(j - 1, k + 1, 1 - share), binom.sf(j - 1, j + k, share), rtol=1e-9)


def test_the_count_has_its_size_and_that_of_an_exact_reference_has_not() -> None:
    """3000 trials of 40 expected events, w = 1: 1% is .3 to 1.6% (3 sigma); without w 5.5% is foreseen."""
    found, naive = [], []
    for trial in range(3000):
        rng = np.random.default_rng([2, trial])
        reference, data = rng.random(400), rng.random(rng.poisson(400))
        q = threshold(reference, np.ones(400), 0.1, "reference")
        a, b = Sample(reference[reference > q]), Sample(data[data > q])
        rate = rate_of_samples(a, b, 1.0)
        found.append(rate.p_value)
        naive.append(np.exp(log_p_of_poisson(rate.observed, rate.expected)))
    assert 0.003 < np.mean(np.array(found) <= 0.01) < 0.016
    assert np.mean(np.array(naive) <= 0.01) > 0.04


def test_yields_of_weighted_samples_are_effective_numbers() -> None:
    a, b = Sample(np.arange(50.0), np.full(50, 0.4)), Sample(np.arange(30.0))
    rate = rate_of_samples(a, b, 1.0)
    # 50 events of the reference expect 20: of 80, the share .4 / 1.4.
    assert (rate.observed, rate.expected) == pytest.approx((30, 20))
    assert rate.p_value == pytest.approx(2 * binom.sf(29, 80, 0.4 / 1.4), rel=1e-9)
    none = rate_of_samples(a, b.select(np.zeros(30, dtype=bool)), 1.0)
    assert none.p_value == pytest.approx(min(1, 2 * (1 / 1.4) ** 50), rel=1e-9)


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        ((), "there is no share of the reference to keep"),
        ((1.0, 0.0), "must be above 0 and at most 1, not 0"),
        ((1.5,), "must be above 0 and at most 1, not 1.5"),
        ((float("nan"),), "must be above 0 and at most 1, not nan"),
        ((0.1, 1.0), "must decrease, but 1 comes after 0.1"),
        ((1.0, 0.1, 0.1), "must decrease, but 0.1 comes after 0.1"),
    ],
)
def test_shares_that_make_no_sense_are_refused(keep: tuple[float, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        require_shares(keep)
    assert require_shares([1, 0.1, 0.01]) == (1.0, 0.1, 0.01)


def test_ties_a_constant_and_too_few_events_are_refused() -> None:
    n = 1000
    with pytest.raises(ValueError, match="the score has one value, 2, at all events of mc"):
        threshold(np.full(n, 2.0), np.ones(n), 0.1, "mc")
    tied = np.where(np.arange(n) < 700, 0.0, np.arange(n, dtype=float))
    with pytest.raises(ValueError, match="700 events of mc have the score 0 at which 50% would be kept: give a score"):
        threshold(tied, np.ones(n), 0.5, "mc")
    assert threshold(tied, np.ones(n), 0.25, "mc") == 750.0
    with pytest.raises(ValueError, match=r"1% of mc are 9 effective events, too few .*: keep 2.2% or more"):
        threshold(np.arange(float(n)), np.ones(n), 0.01, "mc")
    assert np.sum(np.arange(n) > threshold(np.arange(float(n)), np.ones(n), 0.022, "mc")) >= 20
