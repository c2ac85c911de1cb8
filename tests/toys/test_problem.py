"""Problems that are named by their module: found, or refused with the reason; and what they draw."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
from scipy.stats import hypergeom, norm

from nplm.hypotest.test import NPLMTest
from nplm.models.histogram.model import HistogramModel
from nplm.toys.campaign import Campaign
from nplm.toys.engines.processes import pickled
from nplm.toys.problem import (
    NamedGenerator,
    ProblemData,
    ProblemReference,
    load_nuisances,
    load_problem,
    require_nu,
    require_signal,
)
from nplm.toys.samplers import GeneratorSampler
from toys import exponential, exponential_nuisances

SIZE = 1e-4
REACH = norm.isf(SIZE / 2)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty current folder, whose modules are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if name.startswith("my_"):
            del sys.modules[name]


def test_a_module_is_a_problem() -> None:
    assert load_problem("toys.exponential") is exponential
    assert require_signal(exponential, "tail", "toys.exponential").expected == 10


def test_an_object_of_a_module_in_the_current_folder_is_a_problem(here: Path) -> None:
    (here / "my_problem.py").write_text("from toys import exponential\nother = exponential\n")
    path = list(sys.path)
    assert load_problem("my_problem:other") is exponential
    assert sys.path == path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module_at_all", "'no_such_module_at_all' cannot be imported: No module named"),
        ("", "'' cannot be imported: Empty module name"),
        (":x", "':x' cannot be imported: Empty module name"),
        ("..x", r"'\.\.x' cannot be imported"),
        ("toys.exponential:absent", "the module toys.exponential has no 'absent'"),
        (
            "json",
            "'json' is not a problem to draw toys from: it has no SIGNALS, EXPECTED_YIELD, draw_ref",
        ),
        ("toys.exponential:SIGNALS", "is not a problem to draw toys from"),
        ("my_syntax", "'my_syntax' cannot be imported: .*syntax"),
        ("my_error", "'my_error' cannot be imported: ZeroDivisionError"),
    ],
)
def test_what_is_no_problem_is_refused(name: str, message: str, here: Path) -> None:
    (here / "my_syntax.py").write_text("def draw_data(:\n")
    (here / "my_error.py").write_text("raise ZeroDivisionError\n")
    with pytest.raises(ValueError, match=message):
        load_problem(name)


def test_an_unknown_signal_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"toys\.exponential has no signal 'peak': choose tail or bulk or broad"):
        require_signal(exponential, "peak", "toys.exponential")
    with pytest.raises(ValueError, match="no signal 'peak'"):
        ProblemData("toys.exponential", 100.0, "peak")(np.random.default_rng(1))


def test_data_are_those_that_the_problem_draws() -> None:
    drawn = ProblemData("toys.exponential", 150.0, "bulk", 20.0)(np.random.default_rng(3))
    direct = exponential.draw_data(np.random.default_rng(3), 150.0, exponential.BULK, 20.0)
    assert drawn.fingerprint() == direct.fingerprint()
    reference = ProblemReference("toys.exponential", 500, 150.0)(np.random.default_rng(3))
    assert reference.fingerprint() == exponential.draw_reference(np.random.default_rng(3), 500, 150.0).fingerprint()
    assert reference.total_weight == pytest.approx(150)


def test_descriptions_tell_the_yields() -> None:
    assert ProblemData("toys.exponential", 2000.0).describe() == (
        "data of toys.exponential with 2000 background events expected"
    )
    assert ProblemData("toys.exponential", 2000.0, "bulk").describe().endswith("and 90 of the signal 'bulk'")
    assert ProblemData("toys.exponential", 2000.0, "bulk", 7.5).describe().endswith("and 7.5 of the signal 'bulk'")
    assert ProblemReference("toys.exponential", 500, 2000.0).describe() == "500 events of toys.exponential"


@pytest.mark.parametrize("events", [1, 90, 400])
def test_a_fixed_number_of_events_is_a_fair_choice_of_background_and_signal(events: int) -> None:
    """Size 1e-4 for each: the share of the signal is that of the expected yields, whatever the number of events."""
    data = ProblemData("toys.exponential", 80.0, "tail", 20.0, events=events)
    rng = np.random.default_rng(1)
    toys = [data(rng) for _ in range(max(30, 2000 // events))]
    assert {len(toy) for toy in toys} == {events}
    total = events * len(toys)
    # Beyond x = 5.7 are all signal events and exp(-5.7) of the background.
    share = 0.2 + 0.8 * np.exp(-5.7)
    found = sum(int((toy.events > 5.7).sum()) for toy in toys)
    # Events of one draw that is used in part are chosen without replacement, which only lowers the variance.
    reach = REACH * np.sqrt(total * share * (1 - share))
    assert abs(found - total * share) < reach
    # The test can fail: the first events of each draw are all background.
    assert abs(0 - total * share) > reach


def test_choosing_without_replacement_lowers_the_variance() -> None:
    """What the test above takes for granted."""
    assert hypergeom(100, 20, 90).var() < 90 * 0.2 * 0.8


def test_samplers_of_a_problem_can_be_sent_to_other_processes() -> None:
    reference = ProblemReference("toys.exponential", 400, 100.0)
    data = ProblemData("toys.exponential", 100.0, "bulk", 5.0, events=110)
    campaign = Campaign(
        NPLMTest(reference(np.random.default_rng(1)), HistogramModel(bins=4)),
        GeneratorSampler(data, data.describe()),
        reference_sampler=GeneratorSampler(reference, reference.describe()),
    )
    back: Campaign = pickle.loads(pickled(campaign))
    assert back.plan().hash == campaign.plan().hash
    np.testing.assert_array_equal(back.run(range(3)).t, campaign.run(range(3)).t)


def test_a_named_function_draws_toys(here: Path) -> None:
    (here / "my_functions.py").write_text("def draw(rng):\n    return rng.normal(size=rng.poisson(9))\nNUMBER = 3\n")
    sampler = GeneratorSampler(NamedGenerator("my_functions:draw"), "mine", ("mass",))
    toy = sampler(jax.random.key(1))
    assert toy.features == ("mass",)
    assert pickle.loads(pickle.dumps(sampler))(jax.random.key(1)).fingerprint() == toy.fingerprint()
    for name in ("my_functions:NUMBER", "my_functions"):
        with pytest.raises(ValueError, match=f"'{name}' is not a function: name it as MODULE:FUNCTION"):
            NamedGenerator(name)(np.random.default_rng(1))


def test_a_problem_with_nuisances_draws_at_nu() -> None:
    nu = {"scale": 0.2, "norm": 0.0}
    moved = require_nu(exponential_nuisances, nu, "toys.exponential_nuisances")
    assert moved == {"scale": 0.2}
    data = ProblemData("toys.exponential_nuisances", 150.0, "bulk", 20.0, nu=tuple(moved.items()))
    direct = exponential_nuisances.draw_data(np.random.default_rng(3), 150.0, exponential.BULK, 20.0, nu)
    assert data(np.random.default_rng(3)).fingerprint() == direct.fingerprint()
    assert data.settings()["nu"] == {"scale": 0.2}
    # Those that know none draw as ever, and have the plans that they had.
    assert require_nu(exponential, {"scale": 0.0}, "toys.exponential") == {}
    assert "nu" not in ProblemData("toys.exponential", 150.0).settings()
    with pytest.raises(ValueError, match=r"toys\.exponential cannot draw data at scale = 0\.2: it has no NUISANCES"):
        require_nu(exponential, nu, "toys.exponential")
    with pytest.raises(ValueError, match="at lumi = 1: its NUISANCES are scale, norm"):
        require_nu(exponential_nuisances, {"lumi": 1.0}, "it")


def test_nuisances_are_named_by_their_module(here: Path) -> None:
    (here / "my_nuisances.py").write_text(
        "from toys.exponential_nuisances import nuisances\n"
        "BOTH = nuisances()\nNUMBER = 3\ndef fails(): raise RuntimeError('no licence')\n"
    )
    assert load_nuisances("my_nuisances:BOTH").names == ("scale", "norm")
    assert load_nuisances("my_nuisances:nuisances").names == ("scale", "norm")
    for name, message in (
        ("my_nuisances:NUMBER", "is of type int: it must be Nuisances, or a function that makes them"),
        ("my_nuisances:fails", "made no nuisances: no licence"),
        ("my_nuisances:absent", "the module my_nuisances has no 'absent'"),
    ):
        with pytest.raises(ValueError, match=message):
            load_nuisances(name)
