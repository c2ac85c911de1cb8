"""Yields on the command line: before the cut, as cross-sections, and of patterns of files."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import poisson

from nplm.cli.types import Luminosity, ReferenceFile, luminosity, reference_file

pytestmark = pytest.mark.usefixtures("folder")

BINS = ("--features", "x", "--model", "histogram", "--toys", "0", "--json")


@pytest.mark.parametrize(
    ("word", "file"),
    [
        ("mc.root=3000@before-cut", ReferenceFile("mc.root", 3000.0, before_cut=True)),
        ("mc.root=12.3pb", ReferenceFile("mc.root", 12.3, unit="pb")),
        ("mc.root=1.5e3fb", ReferenceFile("mc.root", 1500.0, unit="fb")),
        ("mc.root=2b", ReferenceFile("mc.root", 2.0, unit="b")),
        ("mc.root=web", ReferenceFile("mc.root=web", None)),
    ],
)
def test_spellings_of_a_yield(word: str, file: ReferenceFile) -> None:
    assert reference_file(word) == file
    assert reference_file(str(file)) == file


@pytest.mark.parametrize(("word", "message"), [("a=-3pb", "cross-section"), ("a=3pb@before-cut", "leave out")])
def test_yields_that_cannot_be(word: str, message: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=message):
        reference_file(word)


def test_spellings_of_a_luminosity() -> None:
    for word in ("140/fb", "140 /fb", "140fb-1", "140 fb^-1", "1.4e2/fb"):
        assert luminosity(word) == Luminosity(140.0, "fb")
    assert luminosity(str(Luminosity(36.1, "pb"))) == Luminosity(36.1, "pb")
    assert Luminosity(140.0, "fb").events(2.0, "pb") == pytest.approx(280_000)
    assert Luminosity(10.0, "nb").events(5.0, "fb") == pytest.approx(5e-5)
    for word in ("140", "140/barn", "-1/fb", "0/fb", "/fb"):
        with pytest.raises(argparse.ArgumentTypeError, match="such as 140/fb"):
            luminosity(word)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("ref.npz=12.3pb",), "add --luminosity"),
        (("ref.npz=400", "--luminosity", "140/fb"), "--luminosity goes with cross-sections"),
        (("ref.npz=2pb", "--luminosity", "140/fb", "--expected-yield", "3"), "contradict each other"),
    ],
)
def test_what_does_not_go_together_is_refused(words: tuple[str, ...], message: str, nplm) -> None:
    outcome = nplm("test", "data.npz", "--reference", *words, *BINS)
    assert outcome.code == 2
    assert message in outcome.err


def test_a_yield_before_the_cut_is_not_taken_for_one_after_it(nplm, folder: Path) -> None:
    with np.load("ref.npz") as reference:
        passing = float((reference["x"] > 1).mean())
    words = ("test", "data.npz", "--where", "x > 1", "--reference")
    outcome = nplm(*words, "ref.npz=400@before-cut", *BINS)
    result = json.loads(outcome.out)
    assert result["expected_yield"] == pytest.approx(400 * passing)
    assert result["rate"]["p_value"] > 1e-3
    assert "taken to be that after the cut" not in outcome.err
    assert "400 events expected of all 8,000 before the cut" in outcome.err
    wrong = nplm(*words, "ref.npz=400", *BINS)
    assert json.loads(wrong.out)["rate"]["p_value"] < 1e-6
    assert "FILE=YIELD@before-cut: before it" in wrong.err
    # The command that is stored asks for the same.
    again = nplm(*shlex.split(result["configuration"]["command"])[1:])
    assert json.loads(again.out)["t"] == result["t"]


def test_a_cross_section_times_luminosity(nplm) -> None:
    words = ("test", "data.npz", "--reference", "wref.npz=2.85fb", "--luminosity", "140/fb", "--weights", "w", *BINS)
    result = json.loads(nplm(*words).out)
    assert result["expected_yield"] == pytest.approx(399)
    assert result["configuration"]["files"]["reference"] == [
        {"path": "wref.npz", "expected_yield": None, "given": "wref.npz=2.85fb"}
    ]
    again = nplm(*shlex.split(result["configuration"]["command"])[1:])
    assert json.loads(again.out)["t"] == result["t"]


def test_a_pattern_of_files(nplm, folder: Path) -> None:
    with np.load("ref.npz") as reference:
        for i in range(4):
            np.savez(folder / f"mc{i}.npz", x=reference["x"][2000 * i : 2000 * (i + 1)])
    whole = json.loads(nplm("test", "data.npz", "--reference", "ref.npz=400", *BINS).out)
    parts = json.loads(nplm("test", "data.npz", "--reference", "mc*.npz=400", *BINS).out)
    assert (parts["t"], parts["n_reference"]) == (pytest.approx(whole["t"]), 8000)
    none = nplm("test", "data.npz", "--reference", "nc*.npz=400", *BINS)
    assert none.code == 3
    assert "no file matches the pattern nc*.npz" in none.err


def test_of_a_yield_before_the_cut_the_family_knows_what_passes_from_the_events_alone(nplm) -> None:
    def rate(given: str) -> float:
        words = ("test", "data.npz", "--features", "x", "--family", "one", "--toys", "99", "--where", "x > 1", "--json")
        found = json.loads(nplm(*words, "--reference", given).out)["rate"]
        return float(found["root"] ** 2)

    with np.load("ref.npz") as reference:
        passing = 400 * float((reference["x"] > 1).mean())
    assert rate("ref.npz=400@before-cut") < rate(f"ref.npz={passing!r}")


def test_a_yield_with_the_file_is_known_to_one_model_as_to_the_family(nplm, folder: Path) -> None:
    """The yield's own p-value is Poisson in both, and with the option; what passes a cut is no better than counted."""
    found = {}
    for name, words in {
        "family": ("--reference", "ref.npz=430", "--toys", "99"),
        "file": ("--reference", "ref.npz=430", "--model", "histogram", "--toys", "0"),
        "option": ("--reference", "ref.npz", "--expected-yield", "430", "--model", "histogram", "--toys", "0"),
        "cut": ("--reference", "ref.npz=430@before-cut", "--where", "x >= 0", "--model", "histogram", "--toys", "0"),
    }.items():
        outcome = nplm("test", "data.npz", *words, "--json")
        assert outcome.code == 0, outcome.err
        found[name] = json.loads(outcome.out)["rate"]["p_value"]
    exact = 2 * float(poisson.cdf(400, 430))
    assert [found[name] for name in ("family", "file", "option")] == pytest.approx([exact] * 3, rel=1e-9)
    assert found["cut"] > 1.02 * exact
