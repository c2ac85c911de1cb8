"""Tuning from end to end on a network that is fitted quickly; what it stores, and how it goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from nplm.data.sample import Sample
from nplm.likelihood.fits import Fits
from nplm.models.network.fit import PreparedNetwork
from nplm.optimize.adam import Adam
from nplm.stats.goodness_of_fit import chi2_compatibility
from nplm.toys.campaign import Campaign
from nplm.toys.run import run_campaign
from nplm.toys.store import Store
from nplm.toys.table import ToyTable
from nplm.tuning.path import follow_path
from nplm.tuning.result import Tuned
from nplm.tuning.tuner import CLIMBS_FILE, TuneSettings, Tuning
from tests.nuisance.problems import scale_and_normalization
from tests.toys.programs import QUICK, Exponential, exponential_campaign, exponential_test

TINY = replace(QUICK, hidden=(1,))
FEW = TuneSettings(toys=50, start=5.0)


@dataclass(frozen=True, eq=False)
class Done:
    """A tuning that was left in peace, with its folder and the number of toys that it ran."""

    tuned: Tuned
    folder: Path
    toys: int


def tuning(folder: Path | None, toys: list[int], settings: TuneSettings = FEW) -> Tuning:
    campaign = Campaign(exponential_test(TINY, events=1500), Exponential())
    return Tuning(campaign, settings, folder=folder, on_toys=lambda table: toys.append(len(table)))


def stores(folder: Path) -> dict[float, Store]:
    """The stores by their clip."""
    return {float(path.name.removeprefix("clip-")): Store.open(path) for path in folder.glob("clip-*")}


def climbs_in(folder: Path) -> int:
    """How many climbs a folder keeps."""
    with np.load(folder / CLIMBS_FILE) as arrays:
        return len(arrays["t"])


@pytest.fixture(scope="module", autouse=True)
def remembered_climbs() -> Iterator[None]:
    """Climbs of the same toys from the same points are not done again, as they take most of the time."""
    known: dict[bytes, Fits] = {}
    climb = PreparedNetwork.fit_from

    def fit_from(network: PreparedNetwork, data: list[Sample], starts: list[np.ndarray]) -> Fits:
        key = b"".join(array.tobytes() for array in (network.bound, *(toy.events for toy in data), *starts))
        if key not in known:
            known[key] = climb(network, data, starts)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PreparedNetwork, "fit_from", fit_from)
        yield


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    folder = tmp_path_factory.mktemp("tuned")
    toys: list[int] = []
    return Done(tuning(folder, toys).run(), folder, sum(toys))


def test_a_clip_is_found_and_looked_at(done: Done) -> None:
    tuned = done.tuned
    assert (tuned.hidden, tuned.degrees_of_freedom) == ((1,), 4)
    assert tuned.clip is not None
    assert tuned.clip == float(f"{tuned.clip:.3g}")
    assert tuned.path is not None
    assert tuned.path.mean[0] < 4 < tuned.path.mean[-1]
    # The clip is one of those that were fitted, and the root of the curve: to its three digits, or to a twentieth of
    # its interval, by which fitting it may still move the root.
    here = tuned.path.clips.tolist().index(tuned.clip)
    assert tuned.interval is not None
    moved = 0.05 * (tuned.interval[1] - tuned.interval[0])
    assert tuned.path.clip_of(4) == pytest.approx(tuned.clip, rel=2e-3, abs=moved)
    assert tuned.path.mean[here] == pytest.approx(4, abs=0.02 * tuned.path.mean_error[here])
    assert tuned.interval == tuned.path.interval_of(4)
    assert tuned.check is not None
    assert tuned.check.given is None, "a comparison with the chi2 sought would be no test"
    assert tuned.check.fitted is not None
    assert tuned.check.toys == 50
    # Fitted as data are, and the toys of the scan: those of the store of that clip.
    assert tuned.check_t is not None
    stored = stores(done.folder)[tuned.clip].read()
    np.testing.assert_array_equal(stored.index, np.arange(50))
    np.testing.assert_array_equal(tuned.check_t, stored.t)
    np.testing.assert_array_equal(tuned.check_t, tuned.path.searched[:, here])
    assert tuned.check.mean == pytest.approx(tuned.check_t.mean())
    assert tuned.check.fitted.p_value == chi2_compatibility(tuned.check_t).p_value


def test_the_interval_lies_in_the_scan(done: Done) -> None:
    assert done.tuned.path is not None
    assert done.tuned.interval is not None
    clips, (low, high) = done.tuned.path.clips, done.tuned.interval
    assert clips[0] < low < (done.tuned.clip or 0.0) < high < clips[-1]


def test_t_of_no_toy_falls_as_the_clip_grows(done: Done) -> None:
    path = done.tuned.path
    assert path is not None
    assert path.t.shape == (50, len(path.clips))
    # Climbing alone reaches it: nothing but rounding is mended. (t itself is accumulated, so it cannot fall.)
    assert 0 <= path.corrected < 1e-6
    assert np.all(path.t >= path.searched)
    # This search alone misses maxima: in some toys t falls.
    assert np.any(np.diff(path.searched, axis=1) < -0.05)


def test_the_walk_ends_with_a_bracket(done: Done) -> None:
    walk = done.tuned.walk
    assert [step.clip for step in walk] == sorted(step.clip for step in walk)
    assert {step.toys for step in walk} == {20}
    assert walk[0].mean < 4 <= walk[-1].mean
    for step in walk:
        assert step.mean == pytest.approx(stores(done.folder)[step.clip].read().select(slice(0, 20)).t.mean())


def test_what_the_search_misses_is_said(done: Done) -> None:
    tuned = done.tuned
    assert tuned.path is not None
    assert tuned.check_t is not None
    here = tuned.path.clips.tolist().index(tuned.clip)
    behind = tuned.path.t[:, here] - tuned.check_t
    assert tuned.missed == np.mean(behind > 0.05)
    assert tuned.shortfall == pytest.approx(behind.mean())
    assert tuned.shortfall > 0, "this search misses maxima"
    table = stores(done.folder)[tuned.clip or 0.0].read()
    assert tuned.agreeing == np.mean(table.starts_agreeing >= 2)


def test_stores_are_ordinary_ones_of_the_test_at_their_clip(done: Done) -> None:
    """A campaign that was prepared with the clip may go on in the store, and finds the same toys."""
    path = done.tuned.path
    assert path is not None
    for column in (0, -1):
        clip = float(path.clips[column])
        store = stores(done.folder)[clip]
        assert store.plan.document["test"]["model"]["clip"] == clip
        assert store.about["formula"]["degrees_of_freedom"] == 4
        table = store.read()
        np.testing.assert_array_equal(table.t, path.searched[:, column])
        assert table.parameters is not None
        assert np.abs(table.parameters).max() <= clip
        test = exponential_test(replace(TINY, clip=clip), events=1500)
        campaign = Campaign(test, Exponential(), keep_parameters=True)
        store.require_plan(campaign.plan())
        np.testing.assert_array_equal(run_campaign(campaign, 3).t, table.t[:3])


def test_a_second_run_fits_no_toy_and_climbs_none(done: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(*arguments: object) -> None:
        raise AssertionError("a toy was fitted again")

    monkeypatch.setattr(PreparedNetwork, "fit", fit)
    monkeypatch.setattr(PreparedNetwork, "fit_from", fit)
    toys: list[int] = []
    again = tuning(done.folder, toys).run()
    assert toys == []
    assert again.statement() == done.tuned.statement()
    assert (again.clip, again.interval, again.walk) == (done.tuned.clip, done.tuned.interval, done.tuned.walk)
    assert again.path is not None
    assert done.tuned.path is not None
    np.testing.assert_array_equal(again.path.t, done.tuned.path.t)


def test_an_interrupted_run_goes_on_to_the_same_end(done: Done, tmp_path: Path) -> None:
    toys: list[int] = []
    middle_of_the_scan = 20 * len(done.tuned.walk) + 75

    def interrupt(table: ToyTable) -> None:
        toys.append(len(table))
        if sum(toys) >= middle_of_the_scan:
            raise KeyboardInterrupt

    first = tuning(tmp_path, [])
    first.on_toys = interrupt
    with pytest.raises(KeyboardInterrupt):
        first.run()
    rest: list[int] = []
    tuned = tuning(tmp_path, rest).run()
    assert sum(toys) + sum(rest) == done.toys, "toys were run twice, or lost"
    assert (tuned.clip, tuned.interval, tuned.walk) == (done.tuned.clip, done.tuned.interval, done.tuned.walk)
    np.testing.assert_array_equal(tuned.check_t, done.tuned.check_t)


def test_a_run_that_is_interrupted_as_it_climbs_goes_on_from_there(
    done: Done, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "tuned"
    shutil.copytree(done.folder, folder, ignore=shutil.ignore_patterns(CLIMBS_FILE))
    climb = PreparedNetwork.fit_from
    climbed: list[int] = []
    batches_left = [10, 1000]

    def fit_from(network: PreparedNetwork, data: list[Sample], starts: list[np.ndarray]) -> Fits:
        batches_left[0] -= 1
        if batches_left[0] < 0:
            raise KeyboardInterrupt
        climbed.append(len(data))
        return climb(network, data, starts)

    monkeypatch.setattr(PreparedNetwork, "fit_from", fit_from)
    with pytest.raises(KeyboardInterrupt):
        tuning(folder, []).run()
    assert 0 < climbs_in(folder) == sum(climbed) < climbs_in(done.folder)
    batches_left.pop(0)
    tuned = tuning(folder, []).run()
    assert sum(climbed) == climbs_in(folder) == climbs_in(done.folder)
    assert (tuned.clip, tuned.interval) == (done.tuned.clip, done.tuned.interval)
    assert tuned.path is not None
    assert done.tuned.path is not None
    np.testing.assert_array_equal(tuned.path.t, done.tuned.path.t)


def test_maxima_are_those_that_are_followed_at_once(done: Done) -> None:
    """Going on from clip to clip ends where following all clips together from the search's fits ends, or above.

    A climb ends when it expects less than 0.001 for t, as far as its quadratic form is right: within a factor of two.
    """
    path = done.tuned.path
    assert path is not None
    searched = [stores(done.folder)[clip].read() for clip in path.clips.tolist()]
    points = np.stack([table.parameters for table in searched if table.parameters is not None], axis=1)
    campaign = tuning(None, []).campaign

    def climb(clip: float, rows: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        network = tuning(None, []).at_clip(clip).test.prepared
        assert isinstance(network, PreparedNetwork)
        fits = network.fit_from([campaign.draw(int(row)) for row in rows], list(starts[:, None]))
        return fits.t, fits.parameters

    at_once = follow_path(path.clips.tolist(), path.searched, points, climb)
    assert np.all(path.t > at_once.t - 2e-3)
    np.testing.assert_allclose(path.t.mean(axis=0), at_once.t.mean(axis=0), atol=2e-3)


def test_kernel_fits_of_more_toys_control_the_mean(done: Done) -> None:
    path = done.tuned.path
    assert path is not None
    assert path.controls is not None
    assert path.controls.toys == 10 * len(path.t)
    assert path.controls.values.shape == (len(path.t), 2)
    plain = path.t.std(axis=0, ddof=1) / np.sqrt(len(path.t))
    assert np.all(path.mean_error < 0.95 * plain)
    assert np.all(np.abs(path.mean - path.t.mean(axis=0)) < 4 * plain)


def test_only_networks_are_tuned() -> None:
    with pytest.raises(ValueError, match="only the clip of a network can be tuned, not a histogram model"):
        Tuning(exponential_campaign())


def test_the_published_recipe_is_refused() -> None:
    """It has a start of its own, so it cannot climb from the maximum at the next clip."""
    with pytest.raises(ValueError, match="the published recipe cannot follow maxima from clip to clip"):
        Tuning(exponential_campaign(model=replace(TINY, optimizer=Adam())))


def test_nuisances_are_refused() -> None:
    with pytest.raises(ValueError, match="the clip is tuned without nuisances"):
        Tuning(Campaign(exponential_test(TINY, nuisances=scale_and_normalization()), Exponential()))


def test_tests_of_shape_and_toys_with_references_of_their_own_are_refused() -> None:
    refusal = "tests of shape and yield with one reference for all toys"
    with pytest.raises(ValueError, match=refusal):
        Tuning(Campaign(exponential_test(TINY, shape_only=True), Exponential()))
    with pytest.raises(ValueError, match=refusal):
        Tuning(exponential_campaign(model=TINY, reference_sampler=Exponential(3000.0)))


@pytest.mark.parametrize(("toys", "start"), [(49, 6.0), (100, 0.0), (100, -1.0), (100, np.nan)])
def test_settings_that_make_no_sense_are_refused(toys: int, start: float) -> None:
    with pytest.raises(ValueError, match=f"50 toys or more and a positive clip to start at, not {toys} and {start:g}"):
        TuneSettings(toys, start)


@pytest.mark.slow
def test_t_at_the_clip_is_a_chi2_and_at_others_it_is_not(tmp_path: Path) -> None:
    """200 toys tune a 1-2-1 network; 400 toys of another seed follow chi2(7) at its clip, and at others they do not.

    Size: 5% for the shape by Tuning, and 0.2% each for mean and shape of the toys of another seed. The error of the
    difference of the means is sqrt(14 / 200 + 14 / 400) = 0.32. At a quarter of the clip, or four times, mean t is off
    by more than 3.1 times that.
    """
    # All toys share the reference, so it is exact: a finite one is a chi2 of references that fluctuate.
    model = replace(QUICK, reference_exact=True)
    found = Tuning(exponential_campaign(model=model), TuneSettings(200, 6.0), folder=tmp_path).run()
    assert found.clip is not None
    assert found.check is not None
    assert found.check.fitted is not None
    assert found.check.fitted.accepted, found.statement()
    for factor in (1 / 4, 1.0, 4.0):
        test = exponential_test(replace(model, clip=factor * found.clip))
        t = run_campaign(Campaign(test, Exponential(), seed=2), 400).t
        off = t.mean() + found.shortfall - 7
        assert (abs(off) < 3.1 * np.sqrt(14 / 200 + 14 / 400)) == (factor == 1.0), (factor, off)
        assert factor != 1.0 or chi2_compatibility(t).p_value > 0.002
