"""Toys drawn from a pool: their sums are those of their events, however they are taken."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from nplm import KernelModel, NPLMTest, Sample
from nplm.models.kernel.fit import PreparedKernel
from nplm.toys import Campaign, InjectionSampler, PoolSampler


@pytest.fixture(params=[1, 3], ids=["one feature", "three features"])
def test(request: pytest.FixtureRequest) -> NPLMTest:
    rng = np.random.default_rng(3)
    reference = Sample(rng.exponential(size=(4000, request.param)), rng.uniform(0.02, 0.08, 4000), name="reference")
    return NPLMTest(reference, KernelModel(width=1.0, centers=60))


def prepared(test: NPLMTest) -> PreparedKernel:
    assert isinstance(test.prepared, PreparedKernel)
    return test.prepared


def drawn(test: NPLMTest, weights: np.ndarray | None = None) -> list[Sample]:
    signal = Sample(np.full((50, test.reference.dimension), 2.0), features=test.reference.features)
    background = PoolSampler(test.reference, 200.0, weights)
    campaign = Campaign(test, InjectionSampler(background, PoolSampler(signal, 20.0)))
    return [campaign.draw(i) for i in range(30)]


@pytest.mark.parametrize("weights", [None, np.array([0.5, 1.0, 1.5])], ids=["unit weights", "weighted"])
def test_sums_of_rows_are_sums_over_events(test: NPLMTest, weights: np.ndarray | None) -> None:
    toys = drawn(test, weights)
    rows = prepared(test).pools.sums(toys)
    for toy, sums in zip(toys, rows, strict=True):
        assert sums is not None
        np.testing.assert_allclose(sums, prepared(test).sums(toy), rtol=1e-9, atol=1e-9 * len(toy))


def test_t_is_that_of_the_events(test: NPLMTest) -> None:
    toys = drawn(test)
    events = [Sample(toy.events, toy.weights, toy.features) for toy in toys]
    np.testing.assert_allclose(test.fit(toys).t, test.fit(events).t, rtol=1e-8)


def test_samples_of_other_origin_are_summed_event_by_event(test: NPLMTest) -> None:
    toy, *_ = drawn(test)
    assert prepared(test).pools.sums([Sample(toy.events, features=toy.features), toy.select(slice(5))]) == [None, None]


def test_a_pool_that_few_events_come_from_is_not_worth_it(test: NPLMTest) -> None:
    pool = Sample(test.reference.events, features=test.reference.features)
    few = pool.draw(np.arange(20))
    assert prepared(test).pools.sums([few]) == [None]
    assert prepared(test).pools.sums([few] * 100)[0] is not None
    assert prepared(test).pools.sums([few])[0] is not None


def test_pickled_without_its_pools(test: NPLMTest) -> None:
    pools = prepared(test).pools
    pools.sums(drawn(test))
    copy = pickle.loads(pickle.dumps(pools))
    assert len(pickle.dumps(copy)) < 8 * len(test.reference) * prepared(test).parameters
    assert copy.sums([test.reference.draw(np.arange(5))]) == [None]
