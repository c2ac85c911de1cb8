"""The command line says what a model sees in place of the features."""

from __future__ import annotations

import argparse
import json
import shlex
from pathlib import Path

import numpy as np
import pytest

from nplm.cli.commands.test_options import Options, add_options
from nplm.cli.options import given

KERNEL = ["--model", "kernel", "--width", "1", "--centers", "30", "--calibrate", "asymptotic", "--json", "--quiet"]
GOOD = ("test", "data.npz", "--reference", "wref.npz", "--weights", "w")


@pytest.fixture
def azimuth(folder: Path) -> Path:
    """The same files, with an angle in degrees in place of y."""
    for name in ("wref.npz", "data.npz"):
        columns = dict(np.load(folder / name))
        phi = np.random.default_rng(3).uniform(0, 360, size=len(columns["x"]))
        np.savez(folder / name, phi=phi, **{key: columns[key] for key in ("x", "w") if key in columns})
    return folder


@pytest.mark.parametrize(
    ("words", "standardize", "coordinates"),
    [
        ("", True, None),
        ("--coordinates normal-scores", True, "normal-scores"),
        ("--coordinates standardized", True, None),
        ("--standardize", True, None),
        ("--coordinates raw", False, None),
        ("--no-standardize", False, None),
        ("--solver falkon-step", True, None),
    ],
)
def test_what_kernels_see(nplm, folder: Path, words: str, standardize: bool, coordinates: str | None) -> None:
    outcome = nplm(*GOOD, *KERNEL, *words.split())
    assert outcome.code == 0, outcome.err
    configuration = json.loads(outcome.out)["configuration"]
    assert (configuration["standardize"], configuration.get("coordinates")) == (standardize, coordinates)


@pytest.mark.parametrize(("written", "period"), [("phi", 360.0), ("phi=720", 720.0)])
def test_angles_are_named(nplm, azimuth: Path, written: str, period: float) -> None:
    first = nplm(*GOOD, *KERNEL, "--circular", written)
    assert first.code == 0, first.err
    result = json.loads(first.out)
    assert result["configuration"]["circular"] == {"phi": period}
    assert result["standardization"]["circles"][0]["period"] == period
    again = nplm(*shlex.split(result["configuration"]["command"])[1:])
    assert json.loads(again.out)["t"] == result["t"]
    plain = nplm(*GOOD, *KERNEL)
    assert json.loads(plain.out)["t"] != result["t"]


def test_a_configuration_file_names_them(nplm, azimuth: Path) -> None:
    (azimuth / "nplm.yaml").write_text("coordinates: normal-scores\ncircular: [phi=360]\n")
    outcome = nplm(*GOOD, *KERNEL, "--config", "nplm.yaml")
    assert outcome.code == 0, outcome.err
    configuration = json.loads(outcome.out)["configuration"]
    assert configuration["coordinates"] == "normal-scores"
    assert configuration["circular"] == {"phi": 360.0}
    outcome = nplm(*GOOD, *KERNEL, "--config", "nplm.yaml", "--no-standardize")
    assert json.loads(outcome.out)["configuration"]["standardize"] is False


@pytest.mark.parametrize(("written", "period"), [("phi", 360.0), ("phi=720", 720.0)])
def test_the_family_takes_the_same_option_and_the_same_periods(
    nplm, azimuth: Path, written: str, period: float
) -> None:
    for own in ("", "--model kernel", "--family one"):
        outcome = nplm(*GOOD, "--circular", written, *own.split(), "--toys", "99", "--json", "--quiet")
        assert outcome.code == 0, outcome.err
        result = json.loads(outcome.out)
        assert "family" in result["configuration"]
        assert result["configuration"]["circular"] == {"phi": period}
        assert shlex.split(result["configuration"]["command"]).count("--circular") == 1


@pytest.mark.parametrize(
    ("words", "model"),
    [
        ("--circular phi", "family"),
        ("--circular phi --model kernel", "family"),
        ("--circular phi --model kernel --width 1", "kernel"),
        ("--circular phi --model kernel --coordinates raw", "kernel"),
        ("--circular phi --model histogram", "histogram"),
        ("--circular phi --hidden 3", "network"),
        ("--circular phi --no-standardize", "network"),
        ("--coordinates normal-scores", "network"),
        ("--family one --circular phi", "family"),
    ],
)
def test_angles_go_with_every_model_and_coordinates_with_one(words: str, model: str) -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    options = Options.of(given(parser.parse_args(["d", "--reference", "r", "--json", *words.split()])))
    assert options.model == model
    assert [str(feature) for feature in options.circular] == (["phi"] if "--circular" in words else [])


@pytest.mark.parametrize("words", ["--coordinates raw", "--standardize"])
def test_coordinates_are_not_those_of_a_family(nplm, folder: Path, words: str) -> None:
    for family in ("--family one", "--model family"):
        outcome = nplm(*GOOD, "--json", *words.split(), *family.split())
        assert outcome.code == 2
        assert "--coordinates (or --standardize) is an option of one model" in outcome.err


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("--coordinates ranks", 2, "'ranks'"),
        ("--coordinates raw --standardize", 2, "--standardize and --coordinates say the same thing"),
        ("--circular phi phi=360", 2, "--circular names 'phi' twice"),
        ("--circular phi --features x", 2, "--circular names 'phi', which is not among the --features"),
        ("--circular =360", 2, "NAME or NAME=PERIOD, such as phi=6.2832, not '=360'"),
        ("--circular phi=0", 2, "positive number, not '0'"),
        ("--circular eta", 3, "there is no feature 'eta' to be circular"),
        ("--circular x", 3, "the period of 'x' cannot be guessed: it is between 0"),
    ],
)
def test_bad_coordinates_are_refused(nplm, azimuth: Path, words: str, code: int, message: str) -> None:
    roads: tuple[list[str], ...] = (KERNEL,) if "--coordinates" in words else (KERNEL, ["--json"])
    for road in roads:
        outcome = nplm(*GOOD, *road, *words.split())
        assert outcome.code == code, outcome.err
        assert message in outcome.err


ANGLE = ["--model", "kernel", "--width", "1", "--centers", "30", "--circular", "phi", "--quiet"]


def test_what_is_prepared_serves_the_same_coordinates_only(nplm, azimuth: Path) -> None:
    assert nplm("prepare", *GOOD[2:], *ANGLE, "-o", "prepared.npz").code == 0
    words = [*GOOD, *KERNEL, "--circular", "phi"]
    taken = nplm(*words, "--prepared", "prepared.npz")
    assert json.loads(taken.out)["t"] == json.loads(nplm(*words).out)["t"]
    refused = nplm(*GOOD, *KERNEL, "--prepared", "prepared.npz")
    assert refused.code == 3
    assert "test.circular" in refused.err


@pytest.mark.parametrize(
    ("command", "more"), [("power", ""), pytest.param("closure", "--toys 20 --ideal none", marks=pytest.mark.slow)]
)
def test_other_commands_take_them(nplm, azimuth: Path, command: str, more: str) -> None:
    words = [command, *GOOD[2:], *ANGLE, *["--signal", "data.npz", "--n", "40", "--json"], *more.split()]
    answers = [json.loads(nplm(*words, *raw).out) for raw in ([], ["--no-standardize"])]
    assert answers[0] != answers[1]
