"""Toys with nuisances on the command line: `nplm toys run --nuisances FILE --nu NAME=VALUE`, and what they say."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.stats import norm

from nplm import KernelModel, NPLMTest, Sample, read_sample
from nplm.calibration.null_toys import NullToys
from nplm.models.kernel.with_nuisances import PreparedKernelWithNuisances
from nplm.toys.campaign import Campaign
from nplm.toys.nuisance_sampler import NuisanceSampler, sampler_at
from nplm.toys.run import run_campaign
from nplm.toys.samplers import GeneratorSampler, InjectionSampler, PoolSampler, Sampler
from nplm.toys.store import Store
from nplm.toys.table import ToyTable
from toys import exponential_nuisances
from toys.exponential_nuisances import SIGMA

# One object for all tests, for which everything is compiled once.
BOTH = exponential_nuisances.nuisances()
NU = np.array([0.15, -0.1])
AT = ("--nu", "scale=0.15", "norm=-0.1")
KERNEL = ("--model", "kernel", "--width", "2", "--centers", "30")
HERE = ("--nuisances", "tests.cli.test_toys_nuisances:BOTH")
RUN = ("toys", "run", "--reference", "ref.npz", "--weights", "w", *KERNEL, "--quiet", "--toys", "8")
PROBLEM = ("toys", "run", "--problem", "toys.exponential_nuisances", "--n-reference", "4000", *KERNEL, "--quiet")
YIELDS = "normalizations: {lumi: 0.1, xs: 0.2}\ncorrelations: [[lumi, xs, 0.3]]\n"
SIZE = 1e-4
REACH = norm.isf(SIZE / 2)


@pytest.fixture(autouse=True)
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exponential reference of 400 expected events, a pool, a signal, and a file of nuisances."""
    rng = np.random.default_rng(7)
    np.savez(tmp_path / "ref.npz", x=rng.exponential(size=4000), w=np.full(4000, 0.1))
    np.savez(tmp_path / "pool.npz", x=rng.exponential(size=3000))
    np.savez(tmp_path / "peak.npz", x=rng.normal(3, 0.1, 300))
    np.savez(tmp_path / "data.npz", x=np.exp(0.4) * rng.exponential(size=400))
    (tmp_path / "yields.yaml").write_text(YIELDS)
    (tmp_path / "simulation_at_nu.py").write_text("def draw(rng):\n    return rng.exponential(size=rng.poisson(400))\n")
    monkeypatch.chdir(tmp_path)


def stored(path: str) -> ToyTable:
    return Store.open(path, warn=pytest.fail).read()


def python_test(reference: Sample | None = None) -> NPLMTest:
    given = read_sample("ref.npz", weights="w") if reference is None else reference
    return NPLMTest(given, KernelModel(width=2, centers=30), nuisances=BOTH)


def same(one: ToyTable, two: ToyTable) -> None:
    """Demands that two tables hold the same toys, with all that is stored of them but the time they took."""
    for name in [f.name for f in fields(ToyTable) if f.name != "seconds"]:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    assert one.delta is not None
    assert one.nu_tau is not None


def close(one: ToyTable, two: ToyTable) -> None:
    """Demands that two tables hold the same toys but for rounding, as toys of other batches do."""
    for name in ("index", "t", "delta", "nu_delta", "nu_tau"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=1e-6, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("source", ["reference", "pool", "signal"])
def test_toys_of_files_are_those_of_python(nplm, source: str) -> None:
    test = python_test()
    drawn: Sampler = sampler_at(PoolSampler(test.reference, 400.0), BOTH, NU)
    words: tuple[str, ...] = ()
    if source == "pool":
        drawn, words = sampler_at(PoolSampler(read_sample("pool.npz"), 400.0), BOTH, NU), ("--pool", "pool.npz")
    if source == "signal":
        # The signal is not varied.
        assert isinstance(drawn, NuisanceSampler)
        signal = PoolSampler(read_sample("peak.npz"), 20.0)
        drawn = NuisanceSampler(InjectionSampler(drawn.events, signal), BOTH, NU)
        words = ("--signal", "peak.npz", "--signal-yield", "20")
    outcome = nplm(*RUN, *HERE, *AT, *words, "-o", "toys")
    assert outcome.code == 0, outcome.err
    same(stored("toys"), run_campaign(Campaign(test, drawn), 8))
    assert "at scale = 0.15, norm = -0.1, with auxiliary measurements" in outcome.out
    assert "--nu scale=0.15 norm=-0.1" in str(Store.open("toys").about["command"])


@pytest.mark.slow
def test_a_problem_draws_its_data_at_nu(nplm) -> None:
    outcome = nplm(*PROBLEM, *HERE, *AT, "--toys", "8", "--signal", "tail", "-o", "toys")
    assert outcome.code == 0, outcome.err
    rng = np.random.default_rng(np.asarray(jax.random.key_data(jax.random.key(1))))
    test = python_test(exponential_nuisances.draw_reference(rng, 4000))

    def generate(rng: np.random.Generator) -> Sample:
        tail = exponential_nuisances.SIGNALS["tail"]
        return exponential_nuisances.draw_data(rng, signal=tail, nu={"scale": 0.15, "norm": -0.1})

    same(stored("toys"), run_campaign(Campaign(test, NuisanceSampler(GeneratorSampler(generate, ""), BOTH, NU)), 8))
    assert "ideal_z" not in Store.open("toys").about, "nuisances make it smaller"


def test_events_of_a_generator_come_as_they_are(nplm) -> None:
    """At another nu the same events meet measurements that are shifted by as much, and so is what is fitted."""
    assert nplm(*RUN, *HERE, "--generator", "simulation_at_nu:draw", "-o", "central").code == 0
    outcome = nplm(*RUN, *HERE, *AT, "--generator", "simulation_at_nu:draw", "-o", "moved")
    assert "toys of simulation_at_nu:draw as they come, at scale = 0.15" in outcome.out
    central, moved = stored("central"), stored("moved")
    np.testing.assert_array_equal(central.total_weight, moved.total_weight)
    # To first order nu of Delta moves by S / (D + S) nu, with 400 events: D = 400 and S = 1 / sigma^2.
    assert central.nu_delta is not None
    assert moved.nu_delta is not None
    shift = (moved.nu_delta - central.nu_delta).mean(axis=0)
    assert shift == pytest.approx(NU / (1 + 400 * SIGMA**2), rel=0.25)


def test_shards_are_merged(nplm) -> None:
    words = (*RUN, *HERE, *AT)
    for i in (1, 2):
        assert nplm(*words, "--shard", f"{i}/2", "-o", f"part{i}").code == 0
    outcome = nplm("toys", "merge", "part1", "part2", "-o", "merged")
    assert outcome.code == 0, outcome.err
    assert "8 of 8 toys done" in outcome.out
    assert nplm(*words, "-o", "whole").code == 0
    close(stored("merged"), stored("whole"))
    # A store that is there goes on.
    assert nplm(*words, "-o", "part2").code == 0
    close(stored("part2"), stored("whole"))


@pytest.mark.slow
def test_the_file_of_nuisances_is_that_of_a_test(nplm) -> None:
    """Both move the yield alone: their sum is log(n / 400), but for what the measurements say with 20 events."""
    words = (*RUN[:6], "--model", "histogram", "--bins", "4", "--quiet", "--toys", "8", "-o", "toys")
    outcome = nplm(*words, "--nuisances", "yields.yaml", "--nu", "xs=0.15")
    assert outcome.code == 0, outcome.err
    assert "histogram, with a null of chi2(4) whatever the nuisances" in outcome.out
    table = stored("toys")
    assert table.nu_delta is not None
    np.testing.assert_allclose(table.nu_delta.sum(axis=1), np.log(table.total_weight / 400), atol=0.02)


def test_a_store_holds_toys_of_one_nu_and_of_the_same_nuisances(nplm) -> None:
    Path("mine.py").write_text(
        "from nplm import GaussianConstraint, Nuisances\n"
        "from toys.exponential_nuisances import exact_ratio\n"
        "def wide(): return Nuisances(exact_ratio(), GaussianConstraint(('scale', 'norm'), [0.15, 0.3]))\n"
    )
    assert nplm(*RUN, *HERE, *AT, "-o", "toys").code == 0
    for words, culprit in (
        ((*HERE, "--nu", "scale=0.15"), "nu.norm: 0 here, -0.1 there"),
        (("--nuisances", "mine:wide", *AT), "test.nuisances.constraint.sigma: [0.15, 0.3] here, [0.15, 0.15] there"),
        ((), 'test.nuisances.ratio.kind: null here, "sum" there'),
    ):
        outcome = nplm(*RUN, *words, "-o", "toys")
        assert outcome.code == 4
        assert "the toys in toys are of another plan" in outcome.err
        assert culprit in outcome.err
    assert len(stored("toys")) == 8


def test_the_configuration_file_knows_nu_too(nplm) -> None:
    Path("toys.yaml").write_text(f"nuisances: {HERE[1]}\nnu: [scale=0.15, norm=-0.1]\n")
    assert nplm(*RUN, "--config", "toys.yaml", "-o", "a").code == 0
    assert nplm(*RUN, *HERE, *AT, "-o", "b").code == 0
    same(stored("a"), stored("b"))
    assert Store.open("a").about["command"] == Store.open("b").about["command"].replace("--output b", "--output a")


@pytest.mark.parametrize(
    ("words", "culprits"),
    [
        (("--nu", "scale=1"), ("--nu needs --nuisances",)),
        ((*HERE, "--nu", "scale=1", "norm=0", "scale=2"), ("--nu names 'scale' twice",)),
        ((*HERE, "--nu", "scale=1", "--nu", "scale=1"), ("--nu names 'scale' twice",)),
        ((*HERE, "--nu", "scale=much"), ("--nu", "'scale'", "must be a number, not 'much'")),
        ((*HERE, "--nu", "scale=nan"), ("'scale'", "not 'nan'")),
        ((*HERE, "--nu", "scale"), ("NAME=VALUE", "'scale'")),
        ((*HERE, "--nu", "=3"), ("NAME=VALUE", "'=3'")),
        ((*HERE, "--shape-only", "--events", "300"), ("--shape-only", "--nuisances")),
        ((*HERE, "--expectation"), ("--expectation", "--nuisances")),
        ((*HERE, "--solver", "falkon-step"), ("--nuisances", "--solver falkon-step")),
    ],
)
def test_wrong_usage_is_refused_by_name(nplm, words: tuple[str, ...], culprits: tuple[str, ...]) -> None:
    outcome = nplm(*RUN, *words, "-o", "out")
    assert outcome.code == 2
    for culprit in culprits:
        assert culprit in outcome.err.splitlines()[0]
    assert not Path("out").exists()


def test_the_falkon_model_has_no_nuisances(nplm) -> None:
    outcome = nplm("toys", "run", "--reference", "ref.npz", "--model", "falkon", *HERE, "-o", "out")
    assert outcome.code == 2
    assert "--nuisances goes with the models network, kernel and histogram" in outcome.err


@pytest.mark.parametrize(
    ("words", "culprits"),
    [
        ((*HERE, "--nu", "lumi=1"), ("--nu", "unknown nuisance lumi", "scale, norm")),
        (("--nuisances", "yields.yaml", "--nu", "scale=1"), ("unknown nuisance scale", "lumi, xs")),
        (("--nuisances", "missing.yaml"), ("missing.yaml cannot be read",)),
        (("--nuisances", "simulation_at_nu:draw"), ("'simulation_at_nu:draw' made no nuisances", "rng")),
        (("--nuisances", "simulation_at_nu:absent"), ("the module simulation_at_nu has no 'absent'",)),
        (("--nuisances", "numpy:pi"), ("'numpy:pi' is of type float: it must be Nuisances",)),
        ((*HERE, "--nu", "scale=-20"), ("toys cannot be drawn at scale = -20, norm = 0",)),
        ((*HERE, "--nu", "norm=2000"), ("toys cannot be drawn at scale = 0, norm = 2000",)),
    ],
)
def test_bad_nuisances_make_no_store(nplm, words: tuple[str, ...], culprits: tuple[str, ...]) -> None:
    outcome = nplm(*RUN, *words, "-o", "out")
    assert outcome.code == 3, outcome.err
    assert "Traceback" not in outcome.err
    for culprit in culprits:
        assert culprit in outcome.err
    assert not Path("out").exists()


def test_a_problem_is_not_asked_for_what_it_does_not_know(nplm) -> None:
    words = ("--model", "histogram", "--nuisances", "yields.yaml", "--toys", "2", "--quiet", "-o", "out")
    for problem, reason in (
        ("toys.exponential", "it has no NUISANCES"),
        ("toys.exponential_nuisances", "its NUISANCES are scale, norm"),
    ):
        outcome = nplm("toys", "run", "--problem", problem, *words, "--nu", "xs=0.1")
        assert outcome.code == 3
        assert f"{problem} cannot draw data at xs = 0.1: {reason}" in outcome.err
    assert not Path("out").exists()


def test_tuning_is_done_at_the_reference_as_given(nplm) -> None:
    outcome = nplm("tune", "--reference", "ref.npz", *HERE, "-o", "out")
    assert outcome.code == 2
    assert "--nuisances" in outcome.err


@pytest.mark.slow
def test_pulls_and_t_of_toys_at_any_nu(nplm) -> None:
    """200 toys, size 1e-4 each: t follows the null at nu, and fits find nu with the error that they should have."""
    words = (*RUN[:-1], "200", "--batch", "8", *HERE, *AT)
    assert nplm(*words, "-o", "null").code == 0
    table, document = stored("null"), json.loads(nplm("toys", "show", "null", "--json").out)
    test = python_test()
    assert isinstance(test.prepared, PreparedKernelWithNuisances)
    asymptotic = test.prepared.null_at(NU, fixed_reference=True)
    assert document["mean"] == pytest.approx(asymptotic.mean, abs=REACH * asymptotic.sd / np.sqrt(200))
    found = document["nuisances"]
    assert found["delta"]["mean"] == pytest.approx(table.delta.mean())  # type: ignore[union-attr]
    assert found["tau"]["mean"] == pytest.approx(document["mean"] + found["delta"]["mean"])
    assert found["truth"]["names"] == ["scale", "norm"]
    for i, pull in enumerate(found["pulls"]):
        expected, here = pull["expected_sd"], pull["pull"]
        assert here["mean"] == pytest.approx(0, abs=REACH * expected / np.sqrt(200))
        assert here["sd"] == pytest.approx(expected, abs=REACH * expected / np.sqrt(400))
        assert here["mean"] == pytest.approx(((table.nu_delta[:, i] - NU[i]) / SIGMA).mean())  # type: ignore[index]
        # Negative control: from 0 instead of the truth.
        assert abs(here["mean"] + NU[i] / SIGMA) > REACH * expected / np.sqrt(200)
    text = nplm("toys", "show", "null").out
    assert f"null of t      {asymptotic.name} at scale = 0.15, norm = -0.1" in text
    assert "mean of Delta" in text
    assert "pull: (nu fitted without f - truth) / constraint" in text
    (status,) = json.loads(nplm("toys", "status", "null", "--json").out)
    assert status["nuisances"]["nu"] == {"scale": 0.15, "norm": -0.1}
    assert status["nuisances"]["tau"] == pytest.approx(found["tau"]["mean"])
    assert f"a null of {asymptotic.name} at scale = 0.15, norm = -0.1" in nplm("toys", "status", "null").out


def test_signals_are_shown_against_a_null_at_another_nu(nplm) -> None:
    assert nplm(*RUN, *HERE, "-o", "null").code == 0
    assert nplm(*RUN, *HERE, *AT, "--signal", "peak.npz", "--signal-yield", "40", "-o", "peak").code == 0
    outcome = nplm("toys", "show", "peak", "--null", "null")
    assert outcome.code == 0, outcome.err
    assert "at scale = 0.15, norm = -0.1" in outcome.out
    assert "at scale = 0, norm = 0" in outcome.out
    outcome = nplm("toys", "show", "null", "--null", "peak")
    assert outcome.code == 3
    assert "they have the signal peak.npz" in outcome.err


def test_stored_toys_calibrate_data_and_follow_the_null_where_they_were_drawn(nplm) -> None:
    assert nplm(*RUN, *HERE, "-o", "null").code == 0
    words = ("test", "data.npz", "--reference", "ref.npz", "--weights", "w", *KERNEL, "--null", "null", "--json")
    outcome = nplm(*words, *HERE, "--calibrate", "toys")
    assert outcome.code == 0, outcome.err
    result, t = json.loads(outcome.out), stored("null").t
    assert result["p_value"] == pytest.approx((1 + np.sum(t >= result["t"])) / 9)
    fitted = {entry["name"]: entry["nu"] for entry in result["nuisances"]["fitted"]}
    test, data = python_test(), read_sample("data.npz")
    toys = NullToys.of(Store.open("null"), test, len(data))
    assert isinstance(test.prepared, PreparedKernelWithNuisances)
    at_zero = test.prepared.null_at(np.zeros(2), fixed_reference=True).mean
    assert test.run(data, toys, calibrate="toys").calibration.asymptotic_for_toys.mean == pytest.approx(at_zero)
    assert test.asymptotic_null(data, fixed_reference=True).mean != pytest.approx(at_zero, rel=1e-3)
    # The data's scale is 0.4: far from where the toys were drawn.
    assert fitted["scale"] == pytest.approx(0.4, abs=0.1)
    assert "the toys were drawn at scale = 0," in outcome.err
    assert "run them there (--nu)" in outcome.err
    assert "drawn at norm" not in outcome.err
    outcome = nplm(*words, "--nuisances", "yields.yaml")
    assert outcome.code == 3
    assert "null went through another test (nuisances.ratio" in outcome.err
