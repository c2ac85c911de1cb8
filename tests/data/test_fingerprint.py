"""The hash of a plan changes with whatever changes the toys, and with nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nplm.data.fingerprint import Plan, summary
from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.io.read import read_sample
from nplm.models.histogram.model import HistogramModel
from nplm.models.network.model import NetworkModel
from nplm.toys.campaign import Campaign
from nplm.toys.samplers import BootstrapSampler, InjectionSampler, PoolSampler
from tests.toys.programs import EDGES, Exponential, exponential_campaign, exponential_test


def changed(name: str) -> Campaign:
    """The campaign of these tests with one thing changed."""
    campaign = exponential_campaign()
    reference = campaign.test.reference
    other = Sample(reference.events * 1.001, reference.weights, reference.features, "reference")
    tests = {
        "shape_only": exponential_test(shape_only=True),
        "standardize": exponential_test(coordinates="raw"),
        "expected_yield": exponential_test(expected_yield=310.0),
        "edges": exponential_test(HistogramModel(edges=((0.0, 0.3, 0.7, 1.2, 2.0, 3.1),))),
        "bins": exponential_test(HistogramModel(bins=7)),
        "reference": NPLMTest(other, EDGES),
        "features": NPLMTest(Sample(reference.events, reference.weights, ("mass",)), EDGES),
    }
    if name == "features":
        return Campaign(tests[name], PoolSampler(tests[name].reference, 300.0))
    if name in tests:
        return replace(campaign, test=tests[name])
    return {
        "seed": replace(campaign, seed=2),
        "sampler": replace(campaign, sampler=Exponential(301.0)),
        "pool": replace(campaign, sampler=PoolSampler(reference, 300.0)),
        "reference_per_toy": replace(campaign, reference_sampler=BootstrapSampler(reference)),
        "keep_parameters": replace(campaign, keep_parameters=True),
    }[name]


def test_differences_come_in_the_order_of_the_plan() -> None:
    here, there = (
        Plan.of({"test": {"nuisances": None}, "seed": 1}),
        Plan.of({"test": {"nuisances": {"k": 2}}, "seed": 2}),
    )
    assert here.differences(there) == ["test.nuisances.k: null here, 2 there", "seed: 1 here, 2 there"]
    assert there.differences(here) == ["test.nuisances.k: 2 here, null there", "seed: 2 here, 1 there"]
    assert Plan.of({"a": 1}).differences(Plan.of({"a": {"k": 2}})) == ['a: 1 here, {"k": 2} there']


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("seed", r"seed: 1 here, 2 there"),
        ("sampler", r"toy\.events: \d+ here, \d+ there"),
        ("pool", r"toy\.mean: \[[\d.]+\] here, \[[\d.]+\] there"),
        ("reference_per_toy", r"reference_per_toy.trial.events: null here, 3000 there"),
        ("keep_parameters", r"keep_parameters: false here, true there"),
        ("shape_only", r"test.shape_only: false here, true there"),
        ("standardize", r"test.standardize: true here, false there"),
        ("expected_yield", r"test.expected_yield: 300 here, 310 there"),
        ("edges", r"test.model.edges: \[\[0, 0.3, 0.7, 1.2, 2, 3\]\] here, \[\[0, 0.3, 0.7, 1.2, 2, 3.1\]\] there"),
        ("bins", r"test.model.bins: null here, 7 there"),
        ("reference", r"test.reference.mean: \[[\d.]+\] here, \[[\d.]+\] there"),
        ("features", r'test.reference.features: \["x0"\] here, \["mass"\] there'),
    ],
)
def test_the_hash_changes_with_what_changes_the_toys(name: str, message: str) -> None:
    one, other = exponential_campaign().plan(), changed(name).plan()
    assert one.hash != other.hash
    assert one.hash == exponential_campaign().plan().hash
    assert any(re.fullmatch(message, d) for d in one.differences(other)), one.differences(other)
    assert one.differences(one) == []


@pytest.mark.parametrize("setting", [{"clip": 7.0}, {"hidden": (3,)}, {"clip_biases": False}])
def test_the_settings_of_a_network_are_in_the_plan(setting: dict[str, object]) -> None:
    plans = [exponential_campaign(model=NetworkModel(**s)).plan() for s in ({}, setting)]
    assert plans[0].hash != plans[1].hash
    name = next(iter(setting))
    assert plans[0].differences(plans[1])[0].startswith(f"test.model.{name}: ")


def test_equal_numbers_are_equal_settings() -> None:
    """9 and 9.0 are one clip; their plans could not be told apart by any message."""
    plans = [exponential_campaign(model=NetworkModel(clip=clip)).plan() for clip in (9, 9.0)]
    assert plans[0].hash == plans[1].hash
    assert Plan.of({"a": -0.0}).hash == Plan.of({"a": 0}).hash
    assert Plan.of({"a": True}).hash != Plan.of({"a": 1}).hash


def test_the_hash_does_not_depend_on_names_of_files(tmp_path: Path, rng: np.random.Generator) -> None:
    x = rng.exponential(size=500)
    plans = []
    for name in ("one.npz", "two.npz"):
        np.savez(tmp_path / name, x=x)
        reference = read_sample(tmp_path / name)
        plans.append(Campaign(NPLMTest(reference, EDGES), PoolSampler(reference, 100.0)).plan())
    assert plans[0].hash == plans[1].hash
    assert reference.name not in json.dumps(plans[0].document)


def test_the_hash_does_not_depend_on_the_order_of_keys() -> None:
    document = exponential_campaign().plan().document
    backwards = {k: dict(reversed(v.items())) if isinstance(v, dict) else v for k, v in reversed(document.items())}
    assert list(backwards) != list(document)
    assert Plan(backwards).hash == Plan(document).hash


def test_a_plan_is_the_same_once_it_was_written() -> None:
    plan = exponential_campaign().plan()
    assert Plan.of(json.loads(json.dumps(plan.document))).hash == plan.hash
    assert Plan(json.loads(json.dumps(plan.document))).hash == plan.hash


def test_what_is_no_json_is_no_plan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        Plan.of({"a": np.nan})


def test_a_summary_does_not_depend_on_how_sums_are_rounded(rng: np.random.Generator) -> None:
    """Machines differ in how they add; what cancels, such as the mean of a standardised feature, is all rounding."""
    x = rng.normal(size=(5000, 2))
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    events = np.column_stack([x, np.full(5000, 1 / 3), rng.exponential(size=5000)])
    for weights in (np.full(5000, 0.1), np.where(np.arange(5000) % 2 == 0, 0.3, -0.3)):
        expected = summary(Sample(events, weights))
        sums = set()
        for _ in range(5):
            order = rng.permutation(5000)
            shuffled = Sample(events[order], weights[order])
            sums.add(tuple(np.abs(shuffled.weights) @ shuffled.events))
            assert summary(shuffled) == expected
        assert len(sums) > 1, "the sums were not rounded differently, so this test showed nothing"


def test_a_plan_does_not_depend_on_how_sums_are_rounded(rng: np.random.Generator) -> None:
    x, weights = rng.exponential(size=3000), rng.uniform(0.05, 0.15, 3000)
    plans, yields = [], set()
    for _ in range(5):
        order = rng.permutation(3000)
        test = NPLMTest(Sample(x[order], weights[order]), EDGES)
        yields.add(test.reference.total_weight)
        plans.append(Campaign(test, Exponential()).plan().hash)
    assert len(yields) > 1, "the yields were not rounded differently, so this test showed nothing"
    assert len(set(plans)) == 1


@pytest.mark.parametrize("digit", [1e-8, 1e-9])
def test_a_summary_sees_ten_digits(digit: float, rng: np.random.Generator) -> None:
    x = rng.normal(3.0, 1.0, size=100)
    # The mean moves by one unit of the ninth or tenth digit.
    assert summary(Sample(x))["mean"] != summary(Sample(x + 2 * digit))["mean"]
    assert summary(Sample(x))["mean"] == summary(Sample(x + 1e-13))["mean"]


@pytest.mark.parametrize("sample", [Sample(np.zeros((0, 2))), Sample([1.0], [0.0])])
def test_any_sample_has_a_summary(sample: Sample) -> None:
    assert Plan.of(summary(sample)).document["events"] == len(sample)


@pytest.mark.parametrize("yields", [(5.0, 5.1), (2000.0, 2000.5)])
def test_a_small_change_of_a_yield_is_seen_although_the_toys_hardly_change(yields: tuple[float, float]) -> None:
    campaign = exponential_campaign()
    signal = Sample(np.linspace(1.0, 2.0, 50), features=campaign.test.reference.features)
    background = PoolSampler(campaign.test.reference, 300.0)
    plans = [replace(campaign, sampler=InjectionSampler(background, PoolSampler(signal, y))).plan() for y in yields]
    assert plans[0].hash != plans[1].hash
    assert plans[0].differences(plans[1])[0].startswith("sampler.signal.expected_yield: ")


def test_references_with_the_same_margins_are_told_apart(rng: np.random.Generator) -> None:
    events = rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 500)
    shuffled = np.column_stack([events[:, 0], rng.permutation(events[:, 1])])
    one, other = (summary(Sample(e)) for e in (events, shuffled))
    assert one["mean"] == other["mean"]
    assert one["deviation"] == other["deviation"]
    assert one["shape"] != other["shape"]
    # The order of the events does not matter.
    assert summary(Sample(events[::-1])) == one
