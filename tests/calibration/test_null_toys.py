"""Toys that were run before calibrate data only if they are null toys of the same test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nplm.calibration.null_toys import NullToys, why_not_null
from nplm.data.fingerprint import Plan
from nplm.data.sample import Sample
from nplm.models.histogram.model import HistogramModel
from nplm.models.kernel.model import KernelModel
from nplm.toys.campaign import Campaign
from nplm.toys.problem import ProblemData
from nplm.toys.run import run_campaign
from nplm.toys.samplers import ExpectationSampler, GeneratorSampler, InjectionSampler, PoolSampler
from nplm.toys.store import Store, StoreError
from tests.toys.programs import exponential_test


def stored(campaign: Campaign, folder: Path, toys: int = 5) -> Store:
    run_campaign(campaign, toys, store=folder)
    return Store.open(folder)


def test_toys_of_the_same_test_are_taken(tmp_path: Path, rng: np.random.Generator) -> None:
    test = exponential_test()
    data = Sample(rng.exponential(size=310))
    campaign = Campaign(test, test.sampler(data), seed=4)
    null = NullToys.of(stored(campaign, tmp_path, 30), exponential_test(), len(data))
    assert len(null.table) == 30
    assert null.seed == 4
    # 3000 events of equal weight, for 300 expected ones.
    assert null.inflation == pytest.approx(1.1)
    assert null.source == "a Poisson number of events drawn with replacement from reference (3000 events)"
    result, other = test.run(data, null), test.run(data, 30, seed=4, reference_per_toy=False)
    assert (result.t, result.p_value) == (other.t, other.p_value)
    assert result.calibration.source == other.calibration.source


def test_toys_with_references_of_their_own_say_so(tmp_path: Path, rng: np.random.Generator) -> None:
    """Of such toys nothing is lacking; a store that is read again knows it as well as the campaign that is run."""
    test, data = exponential_test(), Sample(rng.exponential(size=310), name="data")
    campaign = test.campaign(data, seed=4)
    null = NullToys.of(stored(campaign, tmp_path, 6), exponential_test(), len(data))
    running = NullToys.running(campaign, campaign.run(range(6)))
    for toys in (null, running):
        assert toys.resampled
        assert toys.inflation == 1.0
        assert toys.source == (
            "a fluctuating number of the 3310 events of data and reference together, each compared with the others"
        )
    result = test.run(data, null)
    assert result.p_value == test.run(data, 6, seed=4).p_value
    assert not any("is small" in note for note in result.notes)
    fixed = test.campaign(data, reference_per_toy=False)
    assert not NullToys.running(fixed, fixed.run([0])).resampled


@pytest.mark.slow
def test_kernels_are_calibrated_with_the_null_that_their_toys_follow(rng: np.random.Generator) -> None:
    """Where the reference of the toys fluctuates the asymptotic null for toys has its fluctuation too."""
    test, data = exponential_test(KernelModel(width=1.0, centers=30)), Sample(rng.exponential(size=310))
    own, fixed = (test.run(data, 3, reference_per_toy=choice).calibration for choice in (None, False))
    assert own.asymptotic_for_toys.mean == test.asymptotic_null(data).mean
    assert fixed.asymptotic_for_toys.mean == test.asymptotic_null(data, fixed_reference=True).mean
    assert own.asymptotic_for_toys.mean > 1.05 * fixed.asymptotic_for_toys.mean


def test_the_toys_so_far_are_those_of_all_tables(campaign: Campaign) -> None:
    null = NullToys.running(campaign, campaign.run([3, 4]), campaign.run([0]))
    assert null.table.index.tolist() == [0, 3, 4]
    assert null.seed == campaign.seed
    assert null.source == "Exponential with 300 events expected"
    assert null.inflation == 1.0


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (exponential_test(HistogramModel(bins=4)), r"model.bins: 4 here, null there"),
        (exponential_test(expected_yield=310.0), r"expected_yield: 310 here, 300 there"),
        (exponential_test(coordinates="raw"), r"standardize: false here, true there"),
        (exponential_test(events=2999), r"reference.events: 2999 here, 3000 there"),
    ],
)
def test_toys_of_another_test_are_refused(filled: Store, test: object, message: str) -> None:
    with pytest.raises(StoreError, match=rf"{filled.path} went through another test \({message}"):
        NullToys.of(filled, test, 300)  # type: ignore[arg-type]


def test_toys_with_a_signal_are_refused(campaign: Campaign, tmp_path: Path) -> None:
    signal = PoolSampler(Sample(np.full(10, 2.5), name="peak"), 9.0)
    injected = replace(campaign, sampler=InjectionSampler(campaign.sampler, signal))
    with pytest.raises(StoreError, match=r"are no null toys \(they have a signal of a Poisson number .* from peak"):
        NullToys.of(stored(injected, tmp_path / "injected"), campaign.test, 300)
    # Their plan says it too, if the remarks are lost.
    for name, signal in (("null", None), ("bulk", "they have a signal")):
        drawn = GeneratorSampler(ProblemData("toys.exponential", 300.0, None if name == "null" else name), "toys")
        assert why_not_null(Store(tmp_path, Plan.of({"sampler": drawn.settings()}))) == signal
    with pytest.raises(StoreError, match=r"are no null toys \(they have a signal\)"):
        NullToys.of(Store.create(tmp_path / "bare", injected.plan(), range(5)), campaign.test, 300)
    # The command line says it in words of its own.
    named = Store.create(tmp_path / "named", campaign.plan(), range(5), {"signal": "peak.root", **campaign.describe()})
    named.add(campaign.run(range(5)))
    with pytest.raises(StoreError, match=r"no null toys \(they have the signal peak.root\): give null"):
        NullToys.of(named, campaign.test, 300)


def test_technical_toys_are_refused(campaign: Campaign, tmp_path: Path) -> None:
    technical = replace(campaign, sampler=ExpectationSampler(campaign.test.reference))
    with pytest.raises(StoreError, match=r"are no null toys \(they do not fluctuate\)"):
        NullToys.of(stored(technical, tmp_path), campaign.test, 300)


def test_a_store_without_toys_is_refused(campaign: Campaign, tmp_path: Path) -> None:
    store = Store.create(tmp_path, campaign.plan(), range(5), campaign.describe())
    with pytest.raises(StoreError, match="holds no toys yet"):
        NullToys.of(store, campaign.test, 300)


def test_a_store_without_remarks_says_where_it_is(campaign: Campaign, tmp_path: Path) -> None:
    store = Store.create(tmp_path, campaign.plan(), range(5))
    store.add(campaign.run([0]))
    null = NullToys.of(store, campaign.test, 300)
    assert null.source == str(tmp_path)
    assert null.inflation == 1.0


def test_shapes_are_compared_with_shapes_of_as_many_events(tmp_path: Path, rng: np.random.Generator) -> None:
    test = exponential_test(shape_only=True)
    data = Sample(rng.exponential(size=120))
    store = stored(Campaign(test, test.sampler(data)), tmp_path)
    assert len(NullToys.of(store, test, 120).table) == 5
    with pytest.raises(StoreError, match=r"have 120 events, and a shape-only test of 121 data events needs"):
        NullToys.of(store, test, 121)
