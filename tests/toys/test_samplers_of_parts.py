"""Samplers besides the pool: functions of the user's, signals, expectations, bootstraps, and references per toy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.stats import norm

from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.models.histogram.model import HistogramModel
from nplm.toys.campaign import Campaign
from nplm.toys.run import run_campaign
from nplm.toys.samplers import (
    BootstrapSampler,
    ExpectationSampler,
    GeneratorSampler,
    InjectionSampler,
    PoolSampler,
    Sampler,
    ToyKey,
    generator,
)
from tests.toys.programs import EDGES, exponential_campaign, exponential_test

# Size of the statistical tests: the chance that one fails a correct program.
SIZE = 1e-4
REACH = norm.isf(SIZE / 2)

BACKGROUND = PoolSampler(Sample(np.arange(50.0), name="background"), 30.0)
SIGNAL = PoolSampler(Sample(np.arange(100.0, 110.0), name="peak"), 5.0)


def toys(sampler: Sampler, number: int) -> list[Sample]:
    root = jax.random.key(11)
    return [sampler(jax.random.fold_in(root, i)) for i in range(number)]


def test_a_function_draws_events_or_samples() -> None:
    def draw(rng: np.random.Generator) -> np.ndarray:
        return rng.normal(size=(rng.poisson(9), 2))

    arrays = GeneratorSampler(draw, "two normal features", ("a", "b"))
    samples = GeneratorSampler(lambda rng: Sample(draw(rng), features=("a", "b")), "the same")
    for one, other in zip(toys(arrays, 5), toys(samples, 5), strict=True):
        assert one.fingerprint() == other.fingerprint()
        assert one.features == ("a", "b")
    assert len({toy.fingerprint() for toy in toys(arrays, 20)}) == 20
    assert arrays.describe() == "two normal features"


def test_a_sampler_of_the_users_own(tmp_path: Path, assert_same: Callable[..., None]) -> None:
    @dataclass(frozen=True)
    class Decays:
        rate: float

        def __call__(self, key: ToyKey) -> Sample:
            sizes, times = jax.random.split(key)
            n = int(jax.random.poisson(sizes, 300.0))
            return Sample(np.asarray(jax.random.exponential(times, (500,)))[:n] / self.rate, name="decays")

        def describe(self) -> str:
            return f"decays at rate {self.rate}"

    campaign = exponential_campaign(Decays(1.0))
    table = run_campaign(campaign, 10, store=tmp_path, batch=3)
    assert_same(table, run_campaign(campaign, 10))
    faster = run_campaign(exponential_campaign(Decays(2.0)), 10)
    assert np.median(faster.t) > table.t.max()
    assert campaign.describe()["toys"] == "decays at rate 1.0"


def require_injected(sampler: Sampler, n: int = 1500) -> None:
    """Background and signal are independent Poisson numbers with means 30 and 5; four tests, each of size 1e-4."""
    drawn = toys(sampler, n)
    signal = np.array([(toy.events > 99).sum() for toy in drawn])
    background = np.array([len(toy) for toy in drawn]) - signal
    for counts, mean in ((signal, 5.0), (background, 30.0)):
        assert counts.mean() == pytest.approx(mean, abs=REACH * np.sqrt(mean / n)), "mean"
        # The variance of a sample variance of Poisson counts is (2 mean^2 + mean) / n.
        assert counts.var() == pytest.approx(mean, abs=REACH * np.sqrt((2 * mean**2 + mean) / n)), "variance"
    assert abs(np.corrcoef(signal, background)[0, 1]) < REACH / np.sqrt(n), "correlation"


def test_a_signal_of_a_poisson_number_of_events_is_independent_of_the_background() -> None:
    require_injected(InjectionSampler(BACKGROUND, SIGNAL))


class OneKey:
    """What an injection must not be: both parts are drawn with the same random numbers."""

    def __call__(self, key: ToyKey) -> Sample:
        parts = BACKGROUND(key), SIGNAL(key)
        return Sample(np.concatenate([part.events for part in parts]))

    def describe(self) -> str:
        return "correlated"


@pytest.mark.parametrize(
    ("sampler", "what"),
    [
        (InjectionSampler(BACKGROUND, replace(SIGNAL, fixed_size=5)), "variance"),
        (InjectionSampler(BACKGROUND, replace(SIGNAL, expected_yield=5.5)), "mean"),
        (InjectionSampler(replace(BACKGROUND, expected_yield=31.0), SIGNAL), "mean"),
        (OneKey(), "correlation"),
    ],
    ids=["fixed number", "more signal", "more background", "one key"],
)
def test_the_test_of_injections_can_fail(sampler: Sampler, what: str) -> None:
    with pytest.raises(AssertionError, match=what):
        require_injected(sampler)


def test_an_injection_describes_its_parts_and_keeps_its_background() -> None:
    both = InjectionSampler(BACKGROUND, SIGNAL)
    assert both.describe() == (
        "a Poisson number of events drawn with replacement from background (50 events) with a signal of"
        " a Poisson number of events drawn with replacement from peak (10 events)"
    )
    # A stronger signal leaves the background of each toy as it is: power curves share their toys.
    stronger = InjectionSampler(BACKGROUND, replace(SIGNAL, expected_yield=20.0))
    for one, other in zip(toys(both, 5), toys(stronger, 5), strict=True):
        np.testing.assert_array_equal(one.events[one.events < 99], other.events[other.events < 99])


def test_an_expectation_gives_the_asimov_t() -> None:
    """t = 2 sum [n log(n / nu) - n + nu] with n = nu + s, where log-ratio and yield are those of expectations."""
    test = exponential_test(replace(EDGES, reference_exact=True))
    signal = Sample([0.5, 0.5, 2.4, 2.6], [1.5, 2.5, 8.0, 4.0])
    reference = test.reference
    expectation = Sample(
        np.concatenate([reference.events, signal.events]), np.concatenate([reference.weights, signal.weights])
    )
    table = run_campaign(Campaign(test, ExpectationSampler(expectation)), 3, batch=2)
    edges = np.array(EDGES.edges[0] if EDGES.edges else ())
    edges[[0, -1]] = -np.inf, np.inf
    nu = np.histogram(reference.events[:, 0], edges, weights=reference.weights)[0]
    n = nu + np.array([0.0, 4.0, 0.0, 0.0, 12.0])
    expected = 2 * np.sum(n * np.log(n / nu) - n + nu)
    assert expected > 3
    np.testing.assert_allclose(table.t, expected, rtol=1e-12)
    np.testing.assert_allclose(table.total_weight, 316)
    assert run_campaign(Campaign(test, ExpectationSampler(reference)), 1).t[0] == pytest.approx(0, abs=1e-12)


def test_a_bootstrap_has_the_moments_of_one(rng: np.random.Generator) -> None:
    """The sum of n draws from the weights, signed ones too: mean sum w, variance n var(w). Size 1e-4 each."""
    n, number = 60, 3000
    weights = rng.uniform(0.5, 2.0, n) * np.where(rng.random(n) < 0.25, -1, 1)
    original = Sample(np.arange(n, dtype=float), weights, name="nlo")
    drawn = toys(BootstrapSampler(original), number)
    assert {len(toy) for toy in drawn} == {n}
    for toy in drawn[:50]:
        np.testing.assert_array_equal(toy.weights, weights[toy.events[:, 0].astype(int)])
    sums = np.array([toy.total_weight for toy in drawn])
    variance = n * weights.var()
    assert sums.mean() == pytest.approx(weights.sum(), abs=REACH * np.sqrt(variance / number))
    reach = REACH * variance * np.sqrt(2 / number)
    assert sums.var() == pytest.approx(variance, abs=reach)
    # The test can fail: a Poisson number of events would give sum w^2.
    assert abs(np.sum(weights**2) - variance) > reach
    # Each event is drawn once on average; the variance of the number is 1 - 1/n.
    counts = np.bincount(np.concatenate([toy.events[:, 0].astype(int) for toy in drawn]), minlength=n)
    worst = norm.isf(SIZE / 2 / n) * np.sqrt(number * (1 - 1 / n))
    assert np.abs(counts - number).max() < worst


BINS = HistogramModel(edges=((0.0, 0.2, 0.4, 0.6, 0.8, 1.0),))
EXPECTED = 1000


def uniform(rng: np.random.Generator) -> Sample:
    return Sample(rng.random(rng.poisson(EXPECTED)), name="uniform")


def require_mean(t: np.ndarray, mean: float, variance: float) -> None:
    """The mean is as given, but for what so many toys cannot see; size 1e-4."""
    assert t.mean() == pytest.approx(mean, abs=REACH * np.sqrt(variance / len(t)))


def test_a_reference_for_each_toy_widens_t() -> None:
    """E[t] = k (1 + N(R) / n_R), which is 2 k for a reference of as many events as are expected.

    t of k bins is then twice a chi2 of k degrees of freedom, whose variance is 8 k. A likelihood that knows of it has
    the chi2 itself.
    """
    exact = Sample((np.arange(EXPECTED) + 0.5) / EXPECTED)
    k = 5
    data = GeneratorSampler(uniform, "uniform")
    campaign = Campaign(NPLMTest(exact, replace(BINS, reference_exact=True)), data)
    fixed = run_campaign(campaign, 1000).t
    drawn = run_campaign(replace(campaign, reference_sampler=data), 1000).t
    finite = run_campaign(Campaign(NPLMTest(exact, BINS), data, reference_sampler=data), 1000).t
    require_mean(finite, k, 2 * k)
    require_mean(drawn, 2 * k, 8 * k)
    # Without a reference of its own, each toy is compared with the exact one.
    require_mean(fixed, k, 2 * k)
    for t, mean, variance in ((fixed, 2 * k, 8 * k), (drawn, k, 2 * k)):
        with pytest.raises(AssertionError):
            require_mean(t, mean, variance)


def test_the_reference_of_a_toy_is_its_own_whatever_the_batch(assert_same: Callable[..., None]) -> None:
    campaign = exponential_campaign()
    campaign = replace(campaign, reference_sampler=BootstrapSampler(campaign.test.reference), keep_parameters=True)
    expected = run_campaign(campaign, 12)
    assert_same(run_campaign(campaign, 12, batch=5), expected)
    assert_same(run_campaign(campaign, range(7, 8)), expected.select(slice(7, 8)))
    direct = NPLMTest(campaign._reference(7), EDGES).fit([campaign.draw(7)])
    assert direct.t[0] == expected.t[7]
    # The data are those of a campaign without it.
    np.testing.assert_array_equal(expected.total_weight, run_campaign(exponential_campaign(), 12).total_weight)
    assert not np.any(expected.t == run_campaign(exponential_campaign(), 12).t)


def test_a_reference_for_each_toy_keeps_the_settings_of_the_test() -> None:
    test = exponential_test(expected_yield=250.0, coordinates="raw")
    campaign = Campaign(test, exponential_campaign().sampler, reference_sampler=BootstrapSampler(test.reference))
    own = test.with_reference(campaign._reference(3))
    assert own.reference.total_weight == pytest.approx(250)
    assert own.coordinate_kind == "raw"
    assert run_campaign(campaign, range(3, 4)).t[0] == own.statistic(campaign.draw(3))


class Keys:
    """Notes the keys that it is asked with."""

    def __init__(self) -> None:
        self.seen: list[Sequence[int]] = []

    def __call__(self, key: ToyKey) -> Sample:
        self.seen.append(tuple(np.asarray(jax.random.key_data(key)).tolist()))
        rng = generator(key)
        return Sample(rng.exponential(size=300))

    def describe(self) -> str:
        return "noted"


def test_no_two_parts_of_a_campaign_share_a_key() -> None:
    """Shared random numbers would correlate the signal with the reference; split(key)[1] is fold_in(key, 1)."""
    background, signal, reference = Keys(), Keys(), Keys()
    campaign = exponential_campaign(InjectionSampler(background, signal), reference_sampler=reference)
    run_campaign(campaign, 20)
    seen = background.seen + signal.seen + reference.seen
    assert len(seen) == len(set(seen)) == 3 * 20
    data = {tuple(np.asarray(jax.random.key_data(campaign._key(i))).tolist()) for i in range(20)}
    assert not data & set(seen)
