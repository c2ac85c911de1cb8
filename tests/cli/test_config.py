"""Options from a YAML file: the same checks, overridden by the command line."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

USUAL = ("test", "data.npz", "--reference", "ref.npz", "--config", "nplm.yaml", "--json")


@pytest.fixture
def config(folder: Path):
    """Writes nplm.yaml."""

    def write(text: str) -> None:
        (folder / "nplm.yaml").write_text(text, encoding="utf-8")

    return write


def test_options_come_from_the_file_and_the_command_line_overrides_them(nplm, config) -> None:
    config("model: histogram\nbins: 6\nexpected_yield: 400\ntoys: 5\nshape-only: true\nfeatures: [y, x]\nseed: 3\n")
    outcome = nplm(*USUAL, "--toys", "0", "--no-shape-only")
    assert outcome.code == 0, outcome.err
    settings = json.loads(outcome.out)["configuration"]
    assert (settings["model"]["name"], settings["model"]["bins"]) == ("histogram", 6)
    assert (settings["toys"], settings["seed"], settings["shape_only"]) == (0, 3, False)
    assert settings["expected_yield"] == pytest.approx(400)
    assert settings["features"] == ["y", "x"]


def test_the_command_to_reproduce_needs_no_configuration_file(nplm, config, folder: Path) -> None:
    config("model: histogram\nbins: 6\nreference: ref.npz=400\ntoys: 5\nno-standardize: true\nfeatures: y\njson: true")
    first = nplm("test", "data.npz", "--config", "nplm.yaml")
    assert first.code == 0, first.err
    command = json.loads(first.out)["configuration"]["command"]
    (folder / "nplm.yaml").unlink()
    second = nplm(*shlex.split(command)[1:])
    assert json.loads(second.out)["t"] == json.loads(first.out)["t"]
    assert json.loads(second.out)["p_value"] == json.loads(first.out)["p_value"]
    assert json.loads(second.out)["configuration"] == json.loads(first.out)["configuration"]


def test_several_references_and_an_output_folder(nplm, config, folder: Path) -> None:
    config("reference:\n  - ref.npz=300\n  - wref.npz=100\nfeatures: x\nmodel: histogram\ntoys: 0\noutput: out\n")
    outcome = nplm("test", "data.npz", "--config", "nplm.yaml")
    assert outcome.code == 0, outcome.err
    assert json.loads((folder / "out" / "result.json").read_text())["expected_yield"] == pytest.approx(400)


def test_older_names_of_calibrations_are_taken(nplm, config) -> None:
    config("reference: ref.npz=400\nmodel: kernel\nwidth: 1\ncenters: 20\ncalibrate: analytic\njson: true\n")
    settings = json.loads(nplm("test", "data.npz", "--config", "nplm.yaml").out)["configuration"]
    assert settings["calibrate"] == "asymptotic"
    assert "--calibrate asymptotic" in settings["command"]


def test_an_empty_file_changes_nothing(nplm, config) -> None:
    config("# nothing yet\n")
    assert nplm(*USUAL, "--model", "histogram", "--toys", "0").code == 0


@pytest.mark.parametrize(
    ("text", "culprits"),
    [
        ("cilp: 9", ("'cilp'", "did you mean 'clip'")),
        ("expected_yeild: 9", ("'expected_yeild'", "did you mean 'expected-yield'")),
        ("data: data.npz", ("'data'",)),
        ("config: other.yaml", ("'config'",)),
        ("help: true", ("'help'",)),
        ("7: true", ("'7'",)),
        ("clip: -1", ("clip", "positive", "'-1'")),
        ("clip: [9]", ("clip", "a list")),
        ("clip:", ("clip", "nothing")),
        ("clip: true", ("clip", "true")),
        ("toys: 2.5", ("toys", "'2.5'")),
        ("model: kernal", ("model", "'kernal'")),
        ("shape-only: maybe", ("shape-only", "'maybe'")),
        ("shape-only: 1", ("shape-only", "'1'")),
        ("weights: no", ("weights", "false")),
        ("features: []", ("features", "empty")),
        ("features: [x, {y: 1}]", ("features", "a mapping")),
        ("features: [x, x]", ("features", "'x' twice")),
        ("clip: 9\nclip: 8", ("'clip'", "repeats")),
        ("shape-only: true\nshape_only: false", ("'shape_only'", "'shape-only'")),
        ("standardize: true\nno-standardize: true", ("'no-standardize'", "'standardize'")),
        ('clip: 9\n# twice\n"clip": 9', ("line 3 repeats the key 'clip' of line 1",)),
        ("clip 9", ("clip: 9",)),
        ("- clip", ("clip: 9",)),
        ("clip: [9", ("YAML",)),
        ("clip: 2024-13-45", ("YAML",)),
        ("where: !!python/object/apply:os.system ['touch hacked']", ("YAML",)),
        ("model: histogram\nclip: 9", ("--clip", "network")),
    ],
)
def test_bad_configuration_is_refused_by_name(nplm, config, folder: Path, text: str, culprits) -> None:
    config(text)
    outcome = nplm(*USUAL)
    assert outcome.code == 2, outcome.err
    for culprit in culprits:
        assert culprit in outcome.err.splitlines()[0]
    assert not (folder / "hacked").exists()


def test_missing_configuration_file(nplm, folder: Path) -> None:
    outcome = nplm(*USUAL)
    assert outcome.code == 2
    assert "nplm.yaml" in outcome.err


def test_configuration_that_is_no_text(nplm, folder: Path) -> None:
    (folder / "nplm.yaml").write_bytes(b"\xff\xfe\x00clip")
    outcome = nplm(*USUAL)
    assert outcome.code == 2
    assert "UTF-8" in outcome.err
