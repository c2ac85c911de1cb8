"""Campaigns with nuisances, and with a reference for each toy."""

from __future__ import annotations

import pickle
from dataclasses import replace

import jax
import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.models.histogram.model import HistogramModel
from nplm.models.kernel.model import KernelModel
from nplm.models.kernel.with_nuisances import PreparedKernelWithNuisances
from nplm.nuisance.nuisances import Nuisances
from nplm.toys.campaign import Campaign, SamplerError
from nplm.toys.engines.processes import pickled
from nplm.toys.nuisance_sampler import NuisanceSampler, sampler_at
from nplm.toys.samplers import (
    BootstrapSampler,
    ExpectationSampler,
    GeneratorSampler,
    InjectionSampler,
    PoolSampler,
    ToyKey,
)
from nplm.toys.table import ToyTable
from toys.exponential_nuisances import draw_reference, nuisances

BOTH = nuisances()
REFERENCE = draw_reference(np.random.default_rng(1), 2000, 300.0)
NU = np.array([0.15, -0.1])


def campaign_at(nu: np.ndarray = NU, test: NPLMTest | None = None) -> Campaign:
    tested = NPLMTest(REFERENCE, HistogramModel(bins=4), nuisances=BOTH) if test is None else test
    return Campaign(tested, sampler_at(PoolSampler(REFERENCE, 300.0), BOTH, nu))


def test_a_plan_says_the_true_nu_first() -> None:
    here, there = campaign_at().plan(), campaign_at(np.array([0.15, 0.2])).plan()
    assert here.document["nu"] == {"scale": 0.15, "norm": -0.1}
    assert here.differences(there)[0] == "nu.norm: -0.1 here, 0.2 there"
    assert here.hash == campaign_at().plan().hash


def test_measurements_of_any_sampler_decide_about_its_toys() -> None:
    def around(center: float) -> Campaign:
        def generate(rng: np.random.Generator) -> Sample:
            return REFERENCE.draw(rng.integers(2000, size=300)).with_auxiliary(rng.normal(center, size=2))

        return replace(campaign_at(), sampler=GeneratorSampler(generate, "mine"))

    one, other = around(0.0).plan(), around(0.1).plan()
    assert "nu" not in one.document
    assert [text.split(":")[0] for text in one.differences(other)] == ["auxiliary"]
    assert around(0.0).truth is None


def test_what_is_no_null_is_none_at_any_nu() -> None:
    pool = PoolSampler(REFERENCE, 300.0)
    for events, reason in (
        (InjectionSampler(pool, PoolSampler(REFERENCE, 9.0)), "they have a signal"),
        (ExpectationSampler(REFERENCE), "they do not fluctuate"),
    ):
        about = replace(campaign_at(), sampler=NuisanceSampler(events, BOTH, NU)).describe()
        assert about["not_null"].startswith(reason)
    about = campaign_at().describe()
    assert about["not_null"] is None
    assert about["nuisances"]["nu"] == NU.tolist()


def test_the_null_of_a_kernel_is_taken_where_toys_are_drawn() -> None:
    test = NPLMTest(REFERENCE, KernelModel(width=1.0, centers=20), nuisances=BOTH)
    assert isinstance(test.prepared, PreparedKernelWithNuisances)
    weights = []
    for nu in (np.zeros(2), np.array([0.3, 0.0])):
        weights.append(campaign_at(nu, test).describe()["formula"]["weights"])
        np.testing.assert_array_equal(weights[-1], test.prepared.null_at(nu, fixed_reference=True).weights)
    assert sum(weights[0]) != pytest.approx(sum(weights[1]), rel=1e-3)


def test_a_reference_that_cannot_be_used_is_a_row_with_a_reason() -> None:
    """Every third reference lacks the upper bins: its toy has no t, Delta or nu, among others that have."""

    def reference(key: ToyKey) -> Sample:
        x = REFERENCE.events[:, 0]
        keep = x < 0.5 if jax.random.randint(key, (), 0, 3) == 0 else x < np.inf
        return REFERENCE.select(keep)

    edges = HistogramModel(edges=((0.0, 1.0, 2.0, 20.0),))
    test = NPLMTest(REFERENCE, edges, nuisances=BOTH)
    sampler = GeneratorSampler(lambda rng: reference(jax.random.key(rng.integers(9999))), "cut")
    campaign = replace(campaign_at(test=test), reference_sampler=sampler)
    table = ToyTable.concatenate([campaign.run([i]) for i in range(8)])
    assert table.delta is not None
    assert table.nu_delta is not None
    failed = ~table.succeeded
    assert 0 < failed.sum() < 8
    assert all("its reference cannot be used" in reason for reason in table.failure[failed])
    np.testing.assert_array_equal(np.isnan(table.delta), failed)
    np.testing.assert_array_equal(np.isnan(table.nu_delta).all(axis=1), failed)


def test_kernels_of_references_of_their_own_follow_the_null_of_fluctuating_references() -> None:
    """Twice as many reference as data events: t is 1.5 times as wide. 150 toys, size 1e-4."""
    rng = np.random.default_rng(3)
    events, expected = 1000, 500.0

    def fresh(rng: np.random.Generator) -> Sample:
        return Sample(rng.random(events), np.full(events, expected / events))

    test = NPLMTest(fresh(rng), KernelModel(width=0.7, centers=40))
    data = GeneratorSampler(lambda rng: Sample(rng.random(rng.poisson(expected))), "uniform")
    campaign = Campaign(test, data, reference_sampler=GeneratorSampler(fresh, "uniform reference"))
    t = campaign.run(range(150)).t
    error = 3.9 * t.std() / np.sqrt(len(t))
    weights = campaign.describe()["formula"]["weights"]
    assert sum(weights) == pytest.approx(t.mean(), abs=error)
    # Negative control: the null of a reference that is held fixed.
    assert test.asymptotic_null(fixed_reference=True).mean != pytest.approx(t.mean(), abs=error)
    assert campaign.run([0]).parameters is None
    with pytest.raises(SamplerError, match="leave out --parameters, or keep one reference"):
        replace(campaign, keep_parameters=True).plan()


class OfOneReference(Nuisances):
    """Nuisances of a log-ratio that was learned."""

    def require_reference(self, reference: Sample) -> None:
        if reference is not REFERENCE:
            raise ValueError("learned on another reference")


def test_learned_log_ratios_hold_for_one_reference() -> None:
    learned = OfOneReference(BOTH.ratio, BOTH.constraint)
    test = NPLMTest(REFERENCE, HistogramModel(bins=4), nuisances=learned)
    campaign = replace(campaign_at(test=test), reference_sampler=BootstrapSampler(REFERENCE))
    with pytest.raises(SamplerError, match="leave out --reference-per-toy, or give log-ratios in closed form"):
        campaign.plan()
    # Exact ones hold for any.
    assert replace(campaign_at(), reference_sampler=BootstrapSampler(REFERENCE)).plan().document["reference_per_toy"]


def test_campaigns_with_nuisances_go_to_other_processes() -> None:
    campaign = campaign_at()
    back: Campaign = pickle.loads(pickled(campaign))
    assert back.plan().hash == campaign.plan().hash
    here, there = campaign.draw(3), back.draw(3)
    assert here.fingerprint() == there.fingerprint()
    np.testing.assert_array_equal(here.auxiliary, there.auxiliary)
