"""Toys from a pool: Poisson in number, in proportion to the weights, the same for the same key."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy.stats import chisquare, norm

from nplm.data.sample import Sample
from nplm.toys.samplers import PoolSampler

# Size of the statistical tests: the chance that one fails a correct program.
SIZE = 1e-4
REACH = norm.isf(SIZE / 2)


def toys(sampler: PoolSampler, number: int) -> list[Sample]:
    root = jax.random.key(11)
    return [sampler(jax.random.fold_in(root, i)) for i in range(number)]


def test_the_same_key_gives_the_same_toy() -> None:
    sampler = PoolSampler(Sample(np.arange(100.0)), 30.0)
    keys = jax.random.split(jax.random.key(1), 2)
    assert sampler(keys[0]).fingerprint() == sampler(keys[0]).fingerprint()
    assert sampler(keys[0]).fingerprint() != sampler(keys[1]).fingerprint()


def test_the_number_of_events_is_poisson() -> None:
    n = 3000
    sizes = np.array([len(t) for t in toys(PoolSampler(Sample(np.arange(50.0)), 30.0), n)])
    assert sizes.mean() == pytest.approx(30.0, abs=REACH * np.sqrt(30 / n))
    # The variance of a sample variance is about 2 nu^2 / n for Poisson counts of this size.
    assert sizes.var() == pytest.approx(30.0, abs=REACH * 30 * np.sqrt(2 / n))
    fixed = PoolSampler(Sample(np.arange(50.0)), 30.0, fixed_size=30)
    assert {len(t) for t in toys(fixed, 20)} == {30}


@pytest.mark.parametrize("weighted", [True, False])
def test_events_are_drawn_in_proportion_to_their_weights(weighted: bool, rng: np.random.Generator) -> None:
    weights = rng.uniform(0.0, 2.0, 40) if weighted else np.ones(40)
    weights[7] = 0.0 if weighted else 1.0
    pool = Sample(np.arange(40.0), weights)
    drawn = np.bincount(toys(PoolSampler(pool, 50_000.0), 1)[0].events[:, 0].astype(int), minlength=40)
    share = weights / weights.sum()
    possible = share > 0
    assert drawn[~possible].sum() == 0
    assert chisquare(drawn[possible], drawn.sum() * share[possible]).pvalue > SIZE
    # The test can fail: it rejects the shares of another pool.
    other = np.roll(share[possible], 1) if weighted else np.linspace(0.9, 1.1, 40) / 40
    assert chisquare(drawn[possible], drawn.sum() * other).pvalue < SIZE


def test_the_features_of_an_event_stay_together(rng: np.random.Generator) -> None:
    x = rng.normal(size=200)
    pool = Sample(np.column_stack([x, 2 * x]), features=("a", "b"))
    toy = toys(PoolSampler(pool, 100.0), 1)[0]
    np.testing.assert_array_equal(toy.events[:, 1], 2 * toy.events[:, 0])
    assert toy.features == ("a", "b")


def test_weighted_data_give_weighted_toys_of_the_expected_yield() -> None:
    weights = np.array([0.5, 0.5, 2.0])
    n, expected = 3000, 60.0
    drawn = toys(PoolSampler(Sample(np.arange(50.0)), expected, weights), n)
    assert set(np.concatenate([t.weights for t in drawn])) == {0.5, 2.0}
    sums = np.array([t.total_weight for t in drawn])
    # A compound Poisson sum of 60 weights of mean 1: its variance is 60 E[w^2].
    assert sums.mean() == pytest.approx(expected, abs=REACH * np.sqrt(60 * np.mean(weights**2) / n))
    assert sums.var() == pytest.approx(60 * np.mean(weights**2), rel=REACH * np.sqrt(2.2 / n))
    assert not toys(PoolSampler(Sample(np.arange(50.0)), expected), 1)[0].is_weighted


def test_a_pool_with_negative_weights_is_refused_with_the_reason() -> None:
    with pytest.raises(ValueError, match=r"cannot be drawn from nlo.*negative weights.*not probabilities.*Give a pool"):
        PoolSampler(Sample([1.0, 2.0], [2.0, -1.0], name="nlo"), 10.0)


@pytest.mark.parametrize("weights", [[], [0.0, 0.0]])
def test_a_pool_without_yield_is_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match=r"empty|add up to 0"):
        PoolSampler(Sample(np.zeros(len(weights)), weights), 10.0)


def test_description_says_where_toys_come_from() -> None:
    pool = Sample(np.zeros(1000), name="mc.root")
    assert (
        PoolSampler(pool, 5.0).describe().startswith("a Poisson number of events drawn with replacement from mc.root")
    )
    assert "exactly 7 events" in PoolSampler(pool, 5.0, fixed_size=7).describe()
