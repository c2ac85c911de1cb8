"""Labels of axes: from the command line or a file, in the pictures, and in the command that repeats the test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from matplotlib.axes import Axes

from nplm.plot.labels import feature_labels, label_of, unit_of

USUAL = ("test", "data.npz", "--reference", "ref.npz", "--shape-only", "--toys", "99", "-o", "out")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """What is written at x axes."""
    found: set[str] = set()
    usual = Axes.set_xlabel

    def set_xlabel(axes: Axes, text: str, *arguments, **settings):
        found.add(text)
        return usual(axes, text, *arguments, **settings)

    monkeypatch.setattr(Axes, "set_xlabel", set_xlabel)
    return found


def test_labels_are_at_the_axes_and_in_the_command(nplm, folder: Path, written: set[str]) -> None:
    outcome = nplm(*USUAL, "--family", "one", "--label", "x=m(ll) [GeV]", "--label", "y=$\\eta$")
    assert outcome.code == 0, outcome.err
    assert {"m(ll) [GeV]", "$\\eta$"} <= written
    command = json.loads((folder / "out/result.json").read_text())["configuration"]["command"]
    assert "--label 'x=m(ll) [GeV]' --label" in command


def test_labels_from_a_file_serve_validate_and_monitor(nplm, folder: Path, written: set[str]) -> None:
    (folder / "nplm.yaml").write_text("label: ['x=m(ll) [GeV]', y=angle]\n")
    outcome = nplm("validate", "data.npz", "ref.npz", "--family", "one", "--config", "nplm.yaml", "-o", "out")
    assert outcome.code == 0, outcome.err
    assert {"m(ll) [GeV]", "angle"} <= written
    (folder / "runs").mkdir()
    assert nplm("monitor", "ref.npz", "--folder", "runs", "--config", "nplm.yaml", "-o", "quality").code == 0


@pytest.mark.parametrize("words", [("--label", "x"), ("--label", "=m"), ("--label", "x=1", "--label", "x=2")])
def test_bad_labels_are_refused(nplm, folder: Path, words: tuple[str, ...]) -> None:
    outcome = nplm(*USUAL, *words)
    assert outcome.code == 2
    assert "--label" in outcome.err


@pytest.mark.parametrize(
    "words",
    [
        USUAL,
        ("validate", "data.npz", "ref.npz", "-o", "out"),
        ("monitor", "ref.npz", "--folder", "runs", "-o", "out"),
    ],
)
def test_a_label_of_no_feature_is_refused(nplm, folder: Path, words: tuple[str, ...]) -> None:
    (folder / "runs").mkdir()
    outcome = nplm(*words, "--label", "xx=m")
    assert outcome.code == 3
    assert "--label names 'xx', which is no feature: there are x, y" in outcome.err
    assert not (folder / "out").exists()


def test_a_unit_is_what_stands_in_brackets_at_the_end() -> None:
    with feature_labels({"a": "m(ll) [GeV]", "b": "m[0]: mass", "c": "no unit"}):
        assert [unit_of(name) for name in "abcd"] == ["GeV", "", "", ""]
        assert [label_of(name) for name in "ad"] == ["m(ll) [GeV]", "d"]
    assert label_of("a") == "a"
