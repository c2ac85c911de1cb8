"""nplm test --calibrate importance: its result, its report, and how it ends where it cannot give one."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from nplm.stats.importance import ImportanceError

KERNEL = ("test", "data.npz", "--reference", "ref.npz=400", "--features", "x", "--model", "kernel", "--width", "2.3")
RUN = (*KERNEL, "--calibrate", "importance", "--toys", "1000")


@pytest.fixture
def folder(folder: Path) -> Path:
    """The usual files, with a narrow peak far out in the data."""
    with np.load(folder / "data.npz") as data:
        x, y = data["x"], data["y"]
    peak = np.random.default_rng(1).normal(6.0, 0.1, 8)
    np.savez(folder / "data.npz", x=np.concatenate([x, peak]), y=np.concatenate([y, peak]))
    return folder


@pytest.mark.slow
def test_result_and_report_say_what_p_stands_on(folder: Path, nplm) -> None:
    outcome = nplm(*RUN, "-o", "out")
    assert outcome.code == 0, outcome.err
    assert "(importance sampling)" in outcome.out
    assert "stands on  importance sampling: 1,000 toys with random signals, weighted" in outcome.out
    result = json.loads((folder / "out" / "result.json").read_text())
    jsonschema.validate(result, json.loads(files("nplm").joinpath("schema/result-1.json").read_text(encoding="utf-8")))
    calibration, found = result["calibration"], result["calibration"]["rare"]
    assert calibration["kind"] == "rare"
    assert calibration["toys"] == sum(found["toys_by_rung"]) == 1000
    assert found["effective_toys"] >= 50
    assert result["t"] / (1 + 400 / 8000) <= found["t_for_toys"] < result["t"]
    # The asymptotic null is what it should be near, and nothing that was taken.
    assert 1e-9 < result["p_value"] < 0.02
    assert 0.4 < result["p_value"] / calibration["formula_p_value"] < 2.5
    low, high = result["p_interval"]
    assert high - low == pytest.approx(2 * found["relative_error"] * result["p_value"])
    assert not (folder / "out" / "toys").exists()
    page = (folder / "out" / "report.html").read_text()
    for words in ("mean weight", "neighbouring signals", "drawn where t is large"):
        assert words in page
    assert "--calibrate importance" in result["configuration"]["command"]


@pytest.mark.parametrize(
    ("words", "culprit"),
    [
        (("--model", "histogram"), "--model kernel"),
        (("--model", "kernel", "--solver", "falkon-step"), "--solver falkon-step"),
        (("--model", "kernel", "--shape-only"), "--shape-only"),
        (("--model", "kernel", "--pool", "ref.npz"), "--pool"),
        (("--model", "kernel", "--null", "store"), "--null"),
        (("--model", "kernel", "--toys", "0"), "--toys 0"),
        (("--model", "kernel", "--widths", "1,2"), "--widths"),
    ],
)
def test_what_does_not_go_together_is_refused(folder: Path, nplm, words: tuple[str, ...], culprit: str) -> None:
    outcome = nplm("test", "data.npz", "--reference", "ref.npz=400", "--calibrate", "importance", *words, "-o", "out")
    assert outcome.code == 2
    assert culprit in outcome.err.splitlines()[0]
    assert not (folder / "out").exists()


def test_the_older_name_is_taken(folder: Path, nplm) -> None:
    outcome = nplm(*KERNEL, "--calibrate", "rare", "--toys", "0", "-o", "out")
    assert outcome.code == 2
    assert "--calibrate importance needs toys" in outcome.err


def test_negative_weights_are_refused(folder: Path, nplm) -> None:
    outcome = nplm(*(word.replace("ref.npz", "nref.npz") for word in RUN), "--weights", "w", "-o", "out")
    assert outcome.code == 3
    assert "negative weights" in outcome.err
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("raised", "code", "said"), [(ImportanceError("too few"), 5, "too few"), (KeyboardInterrupt, 130, "")]
)
def test_toys_that_give_no_p_leave_nothing(folder: Path, nplm, monkeypatch, raised, code: int, said: str) -> None:
    def fail(*arguments: object) -> None:
        raise raised

    monkeypatch.setattr("nplm.cli.terminal.Reporter.advance_by", fail)
    outcome = nplm(*RUN, "-o", "out")
    assert outcome.code == code
    assert said in outcome.err
    assert outcome.out == ""
    assert not (folder / "out").exists()
