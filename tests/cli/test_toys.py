"""`nplm toys run`, `status` and `merge` as a user meets them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from nplm import HistogramModel, NPLMTest, read_sample
from nplm._util.files import watching
from nplm.models.histogram.fit import PreparedHistogram
from nplm.report.manifest import Manifest
from nplm.toys.campaign import Campaign
from nplm.toys.problem import ProblemReference
from nplm.toys.run import run_campaign
from nplm.toys.samplers import BootstrapSampler, GeneratorSampler, PoolSampler, generator
from nplm.toys.store import Store
from nplm.toys.table import ToyTable
from toys import exponential

pytestmark = pytest.mark.usefixtures("folder")

FILES = ("toys", "run", "--reference", "wref.npz", "--weights", "w", "--model", "histogram")
PROBLEM = ("toys", "run", "--problem", "toys.exponential", "--n-reference", "5000", "--model", "histogram")
# A module in the current folder, which is on nobody's path; Python imports a module of one name only once.
GENERATOR = """
def draw(rng):
    n = rng.poisson(400)
    return [[a, b] for a, b in zip(rng.exponential(size=n), rng.normal(size=n))]
"""


def stored(path: str) -> ToyTable:
    """All toys of a store that is whole."""
    return Store.open(path, warn=pytest.fail).read()


def about(path: str) -> dict[str, object]:
    return Store.open(path).about


def same(one: ToyTable, two: ToyTable) -> None:
    """Demands that two tables hold the same toys."""
    np.testing.assert_array_equal(one.index, two.index)
    np.testing.assert_array_equal(one.t, two.t)
    np.testing.assert_array_equal(one.total_weight, two.total_weight)


def python_test(**settings: bool) -> NPLMTest:
    return NPLMTest(read_sample("wref.npz", weights="w"), HistogramModel(**settings))


def closed_form(test: NPLMTest, events: np.ndarray, weights: np.ndarray) -> float:
    """2 sum [n log(n / nu) - n + nu] of weighted data."""
    prepared = test.prepared
    assert isinstance(prepared, PreparedHistogram)
    nu = prepared.expected
    n = np.bincount(prepared.binning.assign(events), weights=weights, minlength=len(nu))
    return float(2 * np.sum(n * np.log(n / nu) - n + nu))


def test_toys_are_those_of_python(nplm) -> None:
    outcome = nplm(*FILES, "--toys", "30", "--seed", "4", "-o", "null")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("null: 30 of 30 toys done\n")
    assert "histogram, with a null of chi2(10)" in outcome.out
    assert "from wref.npz (8000 events)" in outcome.out
    test = python_test()
    same(stored("null"), run_campaign(Campaign(test, PoolSampler(test.reference, 400.0), seed=4), 30))
    assert f"mean t     {stored('null').t.mean():.2f}" in outcome.out


def test_the_same_command_runs_nothing_again(nplm, monkeypatch: pytest.MonkeyPatch) -> None:
    first = nplm(*FILES, "--toys", "30", "-o", "null")
    before = {path: path.stat().st_mtime_ns for path in Path("null").iterdir()}

    def fit(*arguments: object) -> None:
        raise AssertionError("a toy was fitted again")

    monkeypatch.setattr(PreparedHistogram, "fit", fit)
    again = nplm(*FILES, "--toys", "30", "-o", "null")
    assert again.code == 0
    assert again.out == first.out
    assert "null holds 30 toys; 0 are left to run" in again.err
    assert "projected" not in again.err
    assert {path: path.stat().st_mtime_ns for path in Path("null").iterdir()} == before


def test_more_toys_extend_a_store(nplm) -> None:
    nplm(*FILES, "--toys", "20", "-o", "null")
    first = stored("null")
    outcome = nplm(*FILES, "--toys", "50", "-o", "null")
    assert "holds 20 toys; 30 are left to run" in outcome.err
    assert "50 of 50 toys done" in outcome.out
    same(stored("null").select(slice(0, 20)), first)
    nplm(*FILES, "--toys", "50", "-o", "fresh")
    same(stored("null"), stored("fresh"))
    # Fewer are there already; nothing is taken away.
    assert "50 of 50 toys done" in nplm(*FILES, "--toys", "10", "-o", "null").out


def test_a_store_holds_the_toys_of_one_clip(nplm) -> None:
    network = (*FILES[:-2], "--features", "x", "--hidden", "1", "--toys", "1", "-o", "null")
    assert nplm(*network, "--clip", "7").code == 0
    outcome = nplm(*network, "--clip", "8")
    assert outcome.code == 4
    assert (
        "the toys in null are of another plan (test.model.clip: 8 here, 7 there): choose another folder" in outcome.err
    )
    assert len(stored("null")) == 1


@pytest.mark.parametrize(
    ("words", "culprit"),
    [
        (("--seed", "2"), "seed: 2 here, 1 there"),
        (("--bins", "5"), "test.model.bins: 5 here, 10 there"),
        (("--expected-yield", "300"), "test.expected_yield: 300 here, 400 there"),
        (("--parameters",), "keep_parameters: true here, false there"),
        (("--reference-per-toy",), "reference_per_toy"),
        (("--pool", "ref.npz"), "sampler.pool.yield"),
    ],
)
def test_a_store_holds_the_toys_of_one_plan(nplm, words: tuple[str, ...], culprit: str) -> None:
    nplm(*FILES, "--toys", "3", "-o", "null")
    outcome = nplm(*FILES, "--toys", "3", "-o", "null", *words)
    assert outcome.code == 4
    assert culprit in outcome.err


def test_toys_from_a_pool(nplm) -> None:
    assert nplm(*FILES, "--pool", "ref.npz", "--toys", "20", "-o", "pool").code == 0
    test, pool = python_test(), read_sample("ref.npz")
    same(stored("pool"), run_campaign(Campaign(test, PoolSampler(pool, 400.0)), 20))
    assert about("pool")["pool"] == "ref.npz"
    assert about("pool")["inflation"] == pytest.approx(1 + 400 / 8000)


def test_toys_of_a_function_in_the_current_folder(nplm) -> None:
    Path("detector.py").write_text(GENERATOR)
    outcome = nplm(*FILES, "--generator", "detector:draw", "--toys", "12", "-o", "mine")
    assert outcome.code == 0, outcome.err
    assert "toys       toys of detector:draw" in outcome.out
    names: dict[str, Callable] = {}
    exec(GENERATOR, names)
    test = python_test()
    sampler = GeneratorSampler(names["draw"], "mine", test.reference.features)
    same(stored("mine"), run_campaign(Campaign(test, sampler), 12))


def test_workers_find_the_function_too_and_run_the_same_toys(nplm) -> None:
    Path("detector.py").write_text(GENERATOR)
    words = (*FILES, "--generator", "detector:draw", "--toys", "12", "--quiet")
    assert nplm(*words, "-o", "here").code == 0
    outcome = nplm(*words, "--workers", "2", "--batch", "4", "-o", "workers")
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    same(stored("here"), stored("workers"))


def test_toys_of_a_problem(nplm) -> None:
    words = (*PROBLEM, "--reference-seed", "3", "--toys", "10")
    assert nplm(*words, "-o", "null").code == 0
    table = stored("null")
    assert np.all(np.abs(table.total_weight - 2000) < 6 * np.sqrt(2000))
    assert "ideal_z" not in about("null")
    document = Store.open("null").plan.document["test"]
    assert document["reference"]["events"] == 5000
    assert document["expected_yield"] == 2000
    nplm(*words, "--expected-yield", "500", "-o", "small")
    assert np.all(np.abs(stored("small").total_weight - 500) < 6 * np.sqrt(500))
    assert nplm(*PROBLEM, "--toys", "10", "-o", "null").code == 4, "another reference seed is another plan"


def test_a_signal_of_a_problem(nplm) -> None:
    assert nplm(*PROBLEM, "--signal", "bulk", "--toys", "10", "-o", "bulk").code == 0
    assert about("bulk")["signal"] == "bulk"
    assert about("bulk")["signal_yield"] == 90
    assert about("bulk")["ideal_z"] == pytest.approx(exponential.ideal_z(exponential.BULK))
    nplm(*PROBLEM, "--signal", "bulk", "--signal-yield", "200", "--toys", "10", "-o", "more")
    assert about("more")["ideal_z"] == pytest.approx(exponential.ideal_z(exponential.BULK, 200.0))
    nplm(*PROBLEM, "--toys", "10", "-o", "null")
    null, some, many = (stored(name).t.mean() for name in ("null", "bulk", "more"))
    assert null < some < many


def test_a_signal_from_a_file(nplm, folder: Path) -> None:
    rng = np.random.default_rng(3)
    np.savez("peak.npz", x=rng.normal(3, 0.1, 500), y=rng.normal(size=500))
    words = (*FILES, "--toys", "40", "--signal", "peak.npz")
    assert nplm(*words, "--signal-yield", "50", "-o", "peak").code == 0
    table = stored("peak")
    # 450 expected events in 40 toys: within 4 standard errors of 3.4; without the signal 50 fewer.
    assert table.total_weight.mean() == pytest.approx(450, abs=4 * np.sqrt(450 / 40))
    assert about("peak")["signal"] == "peak.npz"
    nplm(*FILES, "--toys", "40", "-o", "null")
    assert table.t.mean() > stored("null").t.mean() + 5


def test_the_expectation_of_files_has_t_by_the_asymptotic_null(nplm) -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(3, 0.1, 500), rng.normal(size=500)
    np.savez("peak.npz", x=x, y=y)
    words = (*FILES, "--reference-exact", "--expectation", "--toys", "2")
    assert nplm(*words, "--signal", "peak.npz", "--signal-yield", "50", "-o", "peak").code == 0
    test = python_test(reference_exact=True)
    events = np.concatenate([test.reference.events, np.stack([x, y], axis=1)])
    expected = closed_form(test, events, np.concatenate([test.reference.weights, np.full(500, 0.1)]))
    assert expected > 5
    np.testing.assert_allclose(stored("peak").t, expected, rtol=1e-10)
    assert nplm(*words, "-o", "nothing").code == 0
    np.testing.assert_allclose(stored("nothing").t, 0, atol=1e-9)


def test_the_expectation_of_a_problem_has_t_by_the_asymptotic_null(nplm) -> None:
    assert (
        nplm(*PROBLEM, "--reference-exact", "--expectation", "--signal", "bulk", "--toys", "1", "-o", "bulk").code == 0
    )
    document = Store.open("bulk").plan.document
    reference = ProblemReference("toys.exponential", 5000, 2000.0)(generator(jax.random.key(1)))
    ratio = np.exp(exponential.log_ratio(reference.events, exponential.BULK))
    test = NPLMTest(reference, HistogramModel(reference_exact=True))
    np.testing.assert_allclose(
        stored("bulk").t, closed_form(test, reference.events, reference.weights * ratio), rtol=1e-9
    )
    # All of the signal is there, up to the fluctuation of the 5000 reference events.
    assert document["toy"]["yield"] == pytest.approx(2090, abs=15)


def test_toys_of_another_yield_are_no_null(nplm) -> None:
    assert nplm(*FILES, "--toy-yield", "100", "--toys", "30", "-o", "few").code == 0
    assert stored("few").total_weight.mean() == pytest.approx(100, abs=4 * np.sqrt(100 / 30))
    assert about("few")["not_null"] == "their expected yield is 100"
    nplm(*PROBLEM, "--toy-yield", "100", "--toys", "30", "-o", "problem")
    assert stored("problem").total_weight.mean() == pytest.approx(100, abs=4 * np.sqrt(100 / 30))


def test_a_small_reference_is_drawn_for_each_toy(nplm) -> None:
    """As many reference as data events: both fluctuate, and t, which allows for that, is a chi2 of 10 degrees.

    Toys that share a reference lack half of the fluctuation: their t is half as large. 200 toys know the means to 0.32
    and 0.16; allowed are 4 of these, and 0.5 for what is not linear in 40 events a bin.
    """
    with np.load("wref.npz") as columns:
        np.savez("small.npz", x=columns["x"][:400], w=np.ones(400))
    words = ("toys", "run", "--reference", "small.npz", "--weights", "w", "--model", "histogram", "--toys", "200")
    nplm(*words, "--no-reference-per-toy", "-o", "one")
    outcome = nplm(*words, "--reference-per-toy", "-o", "each")
    assert outcome.code == 0, outcome.err
    # A reference this small has toys of this kind by default.
    nplm(*words, "-o", "default")
    assert Store.open("default").plan.hash == Store.open("each").plan.hash
    assert stored("one").t.mean() == pytest.approx(5, abs=4 * 0.16 + 0.5)
    assert stored("each").t.mean() == pytest.approx(10, abs=4 * 0.32 + 0.5)
    np.testing.assert_array_equal(stored("one").total_weight, stored("each").total_weight)
    assert "drawn with replacement from small.npz" in str(about("each")["reference_per_toy"])


def test_stores_of_before_go_on_as_they_began(nplm) -> None:
    """Toys that all had one reference, and references that were as many events each, however small the reference is."""
    with np.load("wref.npz") as columns:
        np.savez("small.npz", x=columns["x"][:1000], w=np.full(1000, 0.4))
    words = ("toys", "run", "--reference", "small.npz", "--weights", "w", "--model", "histogram")
    test = NPLMTest(read_sample("small.npz", weights="w"), HistogramModel())
    one = Campaign(test, PoolSampler(test.reference, 400.0))
    each = replace(one, reference_sampler=BootstrapSampler(test.reference))
    for name, campaign, option in (("one", one, ()), ("each", each, ()), ("asked", each, ("--reference-per-toy",))):
        run_campaign(campaign, 5, store=name)
        outcome = nplm(*words, *option, "--toys", "9", "-o", name)
        assert outcome.code == 0, outcome.err
        assert f"{name} holds 5 toys; 4 are left to run" in outcome.err
        same(stored(name), run_campaign(campaign, 9))
    # A store that begins now is of neither kind, and one with another seed is not taken for one of before.
    nplm(*words, "--toys", "9", "-o", "new")
    assert Store.open("new").plan.hash not in {Store.open(name).plan.hash for name in ("one", "each")}
    assert "a Poisson number of events" in str(about("new")["reference_per_toy"])
    assert nplm(*words, "--toys", "9", "--seed", "2", "-o", "one").code == 4
    assert nplm(*words, "--toys", "9", "--reference-per-toy", "-o", "one").code == 4


@pytest.mark.slow
def test_a_run_of_before_goes_on_as_it_began(nplm) -> None:
    """A killed `nplm test` with toys that all had one reference, which is small."""
    with np.load("wref.npz") as columns:
        np.savez("small.npz", x=columns["x"][:1000], y=columns["y"][:1000], w=np.full(1000, 0.4))
    test = NPLMTest(read_sample("small.npz", weights="w"), HistogramModel())
    data = read_sample("data.npz")
    before = test.campaign(data, reference_per_toy=False)
    # With the list of what nplm wrote, without which no run goes on.
    Path("out").mkdir()
    with watching(Manifest(Path("out"), "nplm test").claim):
        store = Store.create("out/toys", before.plan(), range(12), {"data": data.fingerprint(), **before.describe()})
        store.add(before.run(range(5)))
    words = ("test", "data.npz", "--reference", "small.npz", "--weights", "w", "--model", "histogram", "--toys", "12")
    outcome = nplm(*words, "-o", "out")
    assert outcome.code == 0, outcome.err
    assert "going on with the 5 toys" in outcome.err
    t = before.run(range(12)).t
    np.testing.assert_array_equal(stored("out/toys").t, t)
    # A new run has references of their own.
    assert nplm(*words, "-o", "new").code == 0
    np.testing.assert_array_equal(stored("new/toys").t, test.campaign(data).run(range(12)).t)
    assert not np.array_equal(stored("new/toys").t, t)
    assert nplm(*words, "--no-reference-per-toy", "-o", "fixed").code == 0
    np.testing.assert_array_equal(stored("fixed/toys").t, t)


def test_shapes_of_toys_with_a_fixed_number_of_events(nplm) -> None:
    rng = np.random.default_rng(3)
    np.savez("peak.npz", x=rng.normal(3, 0.1, 500), y=rng.normal(size=500))
    shape = ("--shape-only", "--events", "350", "--toys", "20")
    signal = ("--signal", "peak.npz", "--signal-yield", "100")
    for name, words in {
        "null": FILES,
        "peak": (*FILES, *signal),
        "problem": PROBLEM,
        "bulk": (*PROBLEM, "--signal", "bulk"),
    }.items():
        outcome = nplm(*words, *shape, "-o", name)
        assert outcome.code == 0, outcome.err
        assert "10 parameters" not in outcome.out, "the yield is no parameter"
        np.testing.assert_array_equal(stored(name).total_weight, 350)
    test = NPLMTest(read_sample("wref.npz", weights="w"), HistogramModel(), shape_only=True)
    same(stored("null"), run_campaign(Campaign(test, PoolSampler(test.reference, 400.0, fixed_size=350)), 20))
    assert stored("peak").t.mean() > stored("null").t.mean() + 10


def test_parameters_are_kept_on_demand(nplm) -> None:
    nplm(*FILES, "--toys", "4", "-o", "without")
    nplm(*FILES, "--toys", "4", "--parameters", "-o", "with")
    assert stored("without").parameters is None
    parameters = stored("with").parameters
    assert parameters is not None
    assert parameters.shape == (4, 10)
    # f = log(n / nu): the bins' n add up to the toy.
    nu = python_test().prepared.expected  # type: ignore[attr-defined]
    np.testing.assert_allclose((nu * np.exp(parameters)).sum(axis=1), stored("with").total_weight)
