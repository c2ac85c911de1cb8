"""A fit that failed is a row with its reason; a toy that cannot be drawn is named, and stops the campaign."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.models.histogram.model import HistogramModel
from nplm.toys.campaign import Campaign, SamplerError
from nplm.toys.run import run_campaign
from nplm.toys.samplers import GeneratorSampler, ToyKey
from nplm.toys.store import Store
from tests.toys.programs import EDGES, QUICK, At, Exponential, exponential_campaign, exponential_test


def sometimes_negative(rng: np.random.Generator) -> Sample:
    """Every other toy or so has a bin whose weights add up to a negative number."""
    return Sample([0.1, 0.5, 1.0, 1.5, 2.5], [100, 100, 60, 40, rng.choice([-1.0, 1.0])])


def constant(rng: np.random.Generator) -> Sample:
    return Sample(np.full(300, 1.0), name="constant")


def test_a_failed_fit_is_a_row_with_its_reason(tmp_path: Path) -> None:
    sampler = GeneratorSampler(sometimes_negative, "weights of either sign")
    table = run_campaign(exponential_campaign(sampler, keep_parameters=True), 20, store=tmp_path, batch=3)
    failed = ~table.succeeded
    assert 0 < failed.sum() < 20
    assert set(table.failure[failed]) == {"the data's weights in bin 4 add up to -1"}
    assert set(table.failure[~failed]) == {""}
    np.testing.assert_array_equal(table.converged, ~failed)
    np.testing.assert_array_equal(table.total_weight[failed], 299)
    assert len(Store.open(tmp_path).missing(table)) == 0, "a failed toy is not run again"


def test_a_likelihood_without_maximum_is_a_row_with_its_reason(rng: np.random.Generator, tmp_path: Path) -> None:
    x = rng.exponential(size=4000)
    reference = Sample(x, np.where((x > 5) | (rng.random(4000) < 0.2), -0.1, 0.1))
    table = run_campaign(
        Campaign(NPLMTest(reference, replace(QUICK, reference_exact=True)), Exponential()), 2, store=tmp_path
    )
    assert np.all(np.isnan(table.t))
    assert all("not positive" in reason or "overflowed" in reason for reason in table.failure), table.failure
    assert not np.any(table.converged)


def test_a_reference_that_cannot_be_used_is_a_failed_toy(tmp_path: Path) -> None:
    """A bootstrap may leave a bin empty once in a thousand toys: hours of work must not end there."""

    def reference(rng: np.random.Generator) -> Sample:
        x = rng.exponential(size=3000)
        return Sample(np.minimum(x, 1.9) if rng.random() < 0.5 else x, np.full(3000, 0.1), name="drawn")

    campaign = exponential_campaign(
        reference_sampler=GeneratorSampler(reference, "sometimes short"), keep_parameters=True
    )
    table = run_campaign(campaign, 12, store=tmp_path, batch=4)
    failed = ~table.succeeded
    assert 0 < failed.sum() < 12
    message = "its reference cannot be used: bin 4 (x0 from 2 to 3) expects 0 events"
    assert all(reason.startswith(message) for reason in table.failure[failed])
    assert table.parameters is not None
    assert np.all(np.isnan(table.parameters[failed]))
    alone = run_campaign(campaign, range(5, 6))
    assert alone.failure[0] == table.failure[5]

    useless = replace(campaign, reference_sampler=GeneratorSampler(constant, "one value"))
    assert "constant" in run_campaign(useless, 1).failure[0]


class Broken:
    """A sampler that does not do as it should at one toy, or at all of them."""

    def __init__(self, what: Callable[[], object], at: int | None) -> None:
        self.what, self.at = what, at
        self.good = exponential_campaign()

    def __call__(self, key: ToyKey) -> Sample:
        if self.at is None or str(key) == str(self.good._key(self.at)):
            return self.what()  # type: ignore[return-value]
        return self.good.sampler(key)

    def describe(self) -> str:
        return "a broken one"


def fails() -> Sample:
    raise RuntimeError("no licence")


def fails_silently() -> Sample:
    raise ZeroDivisionError


BROKEN: dict[str, tuple[Callable[[], object], str]] = {
    "raises": (fails, r"toy 7 could not be drawn: no licence \(sampler: a broken one\)"),
    "raises without a word": (fails_silently, r"toy 7 could not be drawn: ZeroDivisionError"),
    "nan": (lambda: Sample([1.0, np.nan], name="toy"), r"toy 7 could not be drawn: feature 'x0' of toy is not finite"),
    "features": (lambda: Sample(np.ones((3, 2))), r"toy 7 does not fit the reference: .*reference lacks x1"),
    "names": (lambda: Sample([1.0], features=("mass",)), r"toy 7 does not fit the reference: .*lacks x0"),
    "array": (lambda: np.ones(3), r"toy 7: the sampler must return a Sample, not ndarray"),
    "nothing": (lambda: None, r"toy 7: the sampler must return a Sample, not NoneType"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_toy_that_cannot_be_drawn_is_named(case: str, tmp_path: Path, assert_same: Callable[..., None]) -> None:
    what, message = BROKEN[case]
    campaign = exponential_campaign(Broken(what, at=7))
    with pytest.raises(SamplerError, match=message):
        run_campaign(campaign, 12, store=tmp_path, batch=5)
    stored = Store.open(tmp_path).read()
    # Those before it in its own batch too.
    assert_same(stored, run_campaign(exponential_campaign(), 7))
    # A sampler that was mended goes on: the plan does not know what went wrong.
    mended = exponential_campaign(Broken(what, at=1_000_000))
    assert len(run_campaign(mended, 12, store=tmp_path)) == 12


@pytest.mark.parametrize("case", BROKEN)
def test_a_sampler_that_never_works_makes_no_store(case: str, tmp_path: Path) -> None:
    what, message = BROKEN[case]
    with pytest.raises(SamplerError, match=message.replace("toy 7", "a toy drawn on trial")):
        run_campaign(exponential_campaign(Broken(what, at=None)), 12, store=tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("case", ["raises", "nan", "features", "nothing"])
def test_a_reference_that_cannot_be_drawn_is_named(case: str, tmp_path: Path) -> None:
    what, message = BROKEN[case]
    campaign = exponential_campaign()
    keys: list[str] = []

    class Reference(Broken):
        def __call__(self, key: ToyKey) -> Sample:
            keys.append(str(key))
            return self.what() if str(key) == bad else campaign.test.reference  # type: ignore[return-value]

    bad = ""
    campaign = replace(campaign, reference_sampler=Reference(what, at=None))
    campaign._reference(7)
    bad = keys[-1]
    with pytest.raises(SamplerError, match=message.replace("toy 7", "the reference of toy 7", 1)):
        run_campaign(campaign, 12, store=tmp_path, batch=5)
    assert Store.open(tmp_path).read().index.tolist() == list(range(7))


def test_an_empty_toy_has_a_t_but_no_shape() -> None:
    empty = GeneratorSampler(lambda rng: np.zeros((0, 1)), "nothing at all")
    # No event in any bin: t = 2 N(R); or 2 n_R log(1 + w), if w reference events might as well have been data.
    exact = exponential_campaign(empty, replace(EDGES, reference_exact=True))
    np.testing.assert_allclose(run_campaign(exact, 2).t, 600)
    np.testing.assert_allclose(run_campaign(exponential_campaign(empty), 2).t, 6000 * np.log(1.1))
    shape = Campaign(exponential_test(shape_only=True), empty)
    with pytest.raises(SamplerError, match=r"toy 0 has no positive yield, so it has no shape to test"):
        run_campaign(shape, 2)


def test_the_error_of_a_sampler_comes_back_from_another_process() -> None:
    campaign = exponential_campaign(At(3, "raise"))
    with pytest.raises(SamplerError) as error:
        campaign.run([1, 2, 3, 4])
    back = pickle.loads(pickle.dumps(error.value))
    assert str(back) == str(error.value)
    assert back.toy == 3
    assert back.done.index.tolist() == [1, 2]


def test_a_test_of_other_bins_needs_toys_of_its_features() -> None:
    test = NPLMTest(np.random.default_rng(1).normal(size=(300, 2)), HistogramModel(bins=4))
    with pytest.raises(SamplerError, match=r"toy 0 does not fit the reference: .*toy lacks x1"):
        run_campaign(Campaign(test, Exponential()), 1)
