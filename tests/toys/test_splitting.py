"""Toys that divide data and reference anew: the real samples are one of them, whatever the density is."""

from __future__ import annotations

import pickle
from itertools import combinations

import jax
import numpy as np
import pytest
from scipy.stats import binom, chisquare, kstest, poisson

from nplm.calibration.null_campaign import needs_references
from nplm.data.fingerprint import Plan
from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.models.histogram.model import HistogramModel
from nplm.toys.campaign import Campaign
from nplm.toys.samplers import BootstrapSampler
from nplm.toys.splitting import Sizes, Split, SplitData, SplitReference
from toys.exponential_nuisances import nuisances


def keys(number: int) -> jax.Array:
    return jax.random.split(jax.random.key(5), number)


def samples(n_data: int, n_reference: int, v: float = 1.0, w: float = 0.5) -> tuple[Sample, Sample]:
    """Events that are numbered, so that one sees which is which."""
    x = np.arange(n_data + n_reference, dtype=np.float64)
    data = Sample(x[:n_data], np.full(n_data, v), name="data")
    return data, Sample(x[n_data:], np.full(n_reference, w), name="reference")


def test_every_choice_of_events_is_equally_likely() -> None:
    """Two data and three reference events: 10 choices, 2000 splits; a chi2 test of size 1e-3."""
    split = Split(*samples(2, 3), sizes="fixed", expected_yield=2.0)
    chosen = [tuple(sorted(split.rows(key)[0].tolist())) for key in keys(2000)]
    counts = [chosen.count(pair) for pair in combinations(range(5), 2)]
    assert sum(counts) == 2000
    assert chisquare(counts).pvalue > 1e-3
    # The same test sees choices that are not alike.
    assert chisquare([counts[0] + 60, *counts[1:-1], counts[-1] - 60]).pvalue < 1e-3


@pytest.mark.parametrize("sizes", ["fixed", "data", "both"])
def test_data_and_reference_of_a_toy_share_no_event(sizes: Sizes) -> None:
    data, reference = samples(30, 60)
    split = Split(data, reference, sizes, 20.0)
    draw, draw_reference = SplitData(split), SplitReference(split)
    for key in keys(20):
        toy, its_reference = draw(key), draw_reference(key)
        together = np.concatenate([toy.events, its_reference.events])[:, 0]
        if len(together) <= 90:
            assert len(np.unique(together)) == len(together)
        assert set(toy.weights) <= {1.0}
        assert set(its_reference.weights) == {0.5}
        np.testing.assert_array_equal(toy.events, draw(key).events)
    assert len({draw(key).events.tobytes() for key in keys(20)}) == 20


def test_numbers_of_events_follow_their_distributions() -> None:
    """1000 splits each; chi2 tests of size 1e-3 in five bins of equal probability."""
    data, reference = samples(30, 80, v=2.0)
    drawn: dict[Sizes, np.ndarray] = {
        sizes: np.array([[len(part) for part in Split(data, reference, sizes, 40.0).rows(key)] for key in keys(1000)])
        for sizes in ("fixed", "data", "both")
    }
    assert np.all(drawn["fixed"] == (30, 80))
    assert np.all(drawn["data"][:, 1] == 80)
    assert np.all(drawn["both"].sum(axis=1) == 110)

    def follows(n: np.ndarray, distribution: object) -> bool:
        edges = distribution.ppf([0.2, 0.4, 0.6, 0.8])  # type: ignore[attr-defined]
        counts = np.bincount(np.searchsorted(edges, n), minlength=5)
        below = np.append(distribution.cdf(edges), 1.0)  # type: ignore[attr-defined]
        return bool(chisquare(counts, 1000 * np.diff(below, prepend=0.0)).pvalue > 1e-3)

    # 40 expected in units of v = 2; one of w = 0.5 and v = 2 is data with probability 0.5 / 2.5.
    assert follows(drawn["data"][:, 0], poisson(20))
    assert follows(drawn["both"][:, 0], binom(110, 0.2))
    assert not follows(drawn["data"][:, 0], poisson(22))
    assert not follows(drawn["both"][:, 0], binom(110, 0.25))


def test_weights_that_differ_are_refused() -> None:
    data, reference = samples(3, 4)
    varied = Sample(reference.events, np.array([0.5, 0.5, 0.5, 0.6]), name="reference")
    with pytest.raises(ValueError, match="events of reference have different weights"):
        Split(data, varied, "fixed", 3.0)


def small_test(n_reference: int = 1000, weights: np.ndarray | None = None, **settings: object) -> NPLMTest:
    rng = np.random.default_rng(11)
    w = np.full(n_reference, 500 / n_reference) if weights is None else weights
    return NPLMTest(
        Sample(rng.exponential(size=n_reference), w, name="reference"),
        HistogramModel(bins=8),
        **settings,  # type: ignore[arg-type]
    )


def data_of(seed: int, n: int = 500) -> Sample:
    return Sample(np.random.default_rng(seed).exponential(size=n), name="data")


def test_a_toy_of_a_campaign_is_one_split() -> None:
    """Run in another order, by another campaign, or one that was sent elsewhere: the same toys and references."""
    test, data = small_test(), data_of(1)
    campaign = test.campaign(data, seed=4)
    assert isinstance(campaign.reference_sampler, SplitReference)
    toy, reference = campaign.draw(3), campaign._reference(3)
    pooled = np.sort(np.concatenate([data.events, test.reference.events]), axis=0)
    np.testing.assert_array_equal(np.sort(np.concatenate([toy.events, reference.events]), axis=0), pooled)
    together = campaign.run([0, 1, 2, 3]).t
    other: Campaign = pickle.loads(pickle.dumps(test.campaign(data, seed=4)))
    np.testing.assert_array_equal(other.run([3]).t, together[3:])
    np.testing.assert_array_equal(together[3], test.with_reference(reference, one_of_many=True).fit([toy]).t[0])
    assert test.campaign(data, seed=5).run([3]).t[0] != together[3]
    assert other.plan().hash == campaign.plan().hash != test.campaign(data_of(2), seed=4).plan().hash


def test_which_toys_have_references_of_their_own() -> None:
    data, rng = data_of(1), np.random.default_rng(2)
    varied = rng.uniform(0.2, 0.8, size=1000)
    for test, sizes in (
        (small_test(), "both"),
        (small_test(expected_yield=500.0), "data"),
        (small_test(shape_only=True), "fixed"),
    ):
        campaign = test.campaign(data)
        assert isinstance(campaign.sampler, SplitData)
        assert campaign.sampler.split.sizes == sizes
        assert test.campaign(data, reference_per_toy=False).reference_sampler is None
        assert test.campaign(data, pool=data_of(3, 5000)).reference_sampler is None
    for test, fluctuates in (
        (small_test(weights=varied), True),
        (small_test(weights=varied, expected_yield=500.0), False),
        (small_test(weights=varied, shape_only=True), False),
    ):
        reference_sampler = test.campaign(data).reference_sampler
        assert isinstance(reference_sampler, BootstrapSampler)
        sizes = {len(reference_sampler(key)) for key in keys(5)}
        assert (len(sizes) > 1) == fluctuates
    # 500 of 10,000 events are 5%: enough for one reference. The sum of their weights is 500 but for rounding.
    large = small_test(10_000)
    assert not needs_references(large, 500 * (1 + 1e-12))
    assert needs_references(large, 501.0)
    assert large.campaign(data).reference_sampler is None
    assert isinstance(large.campaign(data, reference_per_toy=True).reference_sampler, SplitReference)
    exact = NPLMTest(small_test().reference, HistogramModel(bins=8, reference_exact=True))
    assert exact.campaign(data).reference_sampler is None
    assert small_test(nuisances=nuisances()).campaign(data).reference_sampler is None


def test_overflow_is_taken_to_the_range_of_the_toys_own_reference() -> None:
    """Events beyond the reference are not clipped before they are divided: they may be a toy's reference."""
    test = small_test(overflow=True)
    data = Sample(np.append(data_of(1).events, [[99.0]], axis=0), name="data")
    campaign = test.campaign(data)
    assert max(campaign._reference(i).events.max() for i in range(12)) == 99.0
    result = test.run(data, 12)
    np.testing.assert_array_equal(result.toys.t, campaign.run(range(12)).t)


def p_values(trials: int, toys: int, reference_per_toy: bool | None, varied: bool, **settings: object) -> np.ndarray:
    """P-values of samples that agree, with fresh references of as many events."""
    found = []
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        w = rng.uniform(0.5, 1.5, size=300) if varied else np.ones(300)
        reference = Sample(rng.exponential(size=300), w, name="reference")
        test = NPLMTest(reference, HistogramModel(bins=6), **settings)  # type: ignore[arg-type]
        data = Sample(rng.exponential(size=300 if test.shape_only else rng.poisson(300)), name="data")
        found.append(test.run(data, toys, seed=trial, reference_per_toy=reference_per_toy).p_value)
    return np.array(found)


@pytest.mark.parametrize("varied", [False, True])
def test_p_values_of_a_small_reference_are_uniform(varied: bool) -> None:
    """60 pairs of samples of 300, 19 toys each: the p-values are uniform by a Kolmogorov test of size 1e-3.

    One reference for all toys fails it: two samples that fluctuate differ more than one from its expectation.
    """
    yields = {} if not varied else {"expected_yield": 300.0}

    def uniform(reference_per_toy: bool | None) -> float:
        p = p_values(60, 19, reference_per_toy, varied, **yields)
        # p is a multiple of 1/20; spread over its step it is uniform.
        return float(kstest(p - np.random.default_rng(1).uniform(size=60) / 20, "uniform").pvalue)

    assert uniform(None) > 1e-3
    assert uniform(False) < 1e-3


def test_plans_of_references_of_a_fixed_size_are_as_before() -> None:
    """What a store wrote as its plan before bootstraps could have a fluctuating size."""
    _, reference = samples(3, 40)
    settings = BootstrapSampler(reference).settings()
    assert list(settings) == ["original"]
    assert Plan.of(settings).hash != Plan.of(BootstrapSampler(reference, fluctuating_size=True).settings()).hash
