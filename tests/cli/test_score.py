"""`nplm test --score`: a column or an ONNX file, what is written, and what is refused."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from nplm.scored import OnnxScore
from tests.scored.onnx_files import squared_distance

FAMILY = ("--family", "products", "--toys", "99")


@pytest.fixture
def scored(folder: Path) -> Path:
    """The current folder: samples with a column rarity, whose rarest tenth has twice as many data events."""
    rng = np.random.default_rng(1)
    for name, n, more in (("mc", 3000, 0), ("seen", 3000, 0), ("found", 1000, 100)):
        x, y = rng.normal(size=(2, n + more))
        rarity = np.concatenate([rng.random(n), 0.9 + 0.1 * rng.random(more)])
        np.savez(folder / f"{name}.npz", x=x, y=y, rarity=rarity)
    return folder


def test_a_column_keeps_the_rarest_events(nplm, scored: Path) -> None:
    words = ("found.npz", "--reference", "mc.npz=1000", "--score", "rarity", "--score-keep", "1", "0.1")
    outcome = nplm("test", *words, *FAMILY, "--score-trained-on", "seen.npz", "-o", "out")
    assert outcome.code == 0, outcome.err
    result = json.loads((scored / "out" / "result.json").read_text())
    assert result["features"] == ["x", "y"]
    everything, rarest = result["kept"]
    assert everything["events"] == [3000, 1100]
    x = {name: np.load(scored / f"{name}.npz")["rarity"] for name in ("mc", "found")}
    assert rarest["threshold"] == np.sort(x["mc"])[-300]
    assert rarest["events"] == [299, int((x["found"] > rarest["threshold"]).sum())]
    assert rarest["rate"]["p_value"] < 1e-6
    assert abs(rarest["trained_share"] - 0.1) < 0.03
    assert result["leading_words"].startswith("in the number of events among the rarest 10% by the score")
    assert "rarest 10%" in outcome.out
    assert "rarest 10%" in (scored / "out" / "report.html").read_text()
    command = result["configuration"]["command"]
    assert "--score rarity" in command
    assert "--score-keep 1.0 0.1" in command
    assert nplm(*command.split()[1:], "--force").code == 0
    assert json.loads((scored / "out" / "result.json").read_text())["p_value"] == result["p_value"]


def test_rare_events_count_more_on_demand_and_lines_fit_a_terminal(nplm, scored: Path) -> None:
    words = ("found.npz", "--reference", "mc.npz=1000", "--score", "rarity", "--score-keep", "1", "0.1")
    family = ("--family", "all", "--toys", "99", "--quiet")
    weighted = nplm("test", *words, *family, "--score-weight", "-o", "out")
    assert weighted.code == 0, weighted.err
    table = weighted.out.splitlines()
    assert any("all features, rare events more, scale" in line for line in table)
    assert max(len(line) for line in table if not line.startswith("report: ")) <= 100
    configuration = json.loads((scored / "out" / "result.json").read_text())["configuration"]
    assert configuration["weighted"] is True
    assert "--score-weight" in configuration["command"]
    plain = nplm("test", *words, *family, "--json")
    assert plain.code == 0, plain.err
    assert "rare events more" not in plain.out


def test_events_of_one_share_have_their_rows_in_the_file(nplm, scored: Path) -> None:
    words = ("found.npz", "--reference", "mc.npz=1000", "--features", "x", "--score", "rarity", "--score-keep", "0.1")
    outcome = nplm("test", *words, *FAMILY, "--where", "y > -1", "-o", "out")
    assert outcome.code == 0, outcome.err
    assert "what the score was trained on is not known" in outcome.err
    data = np.load(scored / "found.npz")
    kept = json.loads((scored / "out" / "result.json").read_text())["kept"][0]
    with (scored / "out" / "events.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == min(200, kept["events"][1]) > 50
    for row in rows:
        number = int(row["row"])
        assert float(row["x"]) == data["x"][number]
        assert data["y"][number] > -1
        assert data["rarity"][number] > kept["threshold"]


def test_an_onnx_file_scores_the_features(nplm, scored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    squared_distance(scored / "far.onnx", 2)
    evaluated: list[int] = []
    called = OnnxScore.__call__

    def counting(self: OnnxScore, events: np.ndarray) -> np.ndarray:
        evaluated.append(len(events))
        return called(self, events)

    monkeypatch.setattr(OnnxScore, "__call__", counting)
    words = ("found.npz", "--reference", "mc.npz=1100", "--features", "x", "y", "--score", "far.onnx")
    outcome = nplm("test", *words, "--score-keep", "1", "0.05", *FAMILY, "--json", "--quiet")
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    assert sum(evaluated) == 3000 + 1100  # each event once
    data = np.load(scored / "found.npz")
    far = data["x"] ** 2 + data["y"] ** 2
    assert result["kept"][1]["events"] == [149, int((far > result["kept"][1]["threshold"]).sum())]
    assert result["configuration"]["score"] == "far.onnx"


@pytest.mark.parametrize(
    ("words", "culprit"),
    [
        (("--score", "rarty"), "mc.npz has no column 'rarty' for the score"),
        (("--score", "rarity", "--score-keep", "0.1", "1"), "--score-keep: the shares .* must decrease"),
        (("--score", "rarity", "--score-keep", "2"), "must be above 0 and at most 1, not 2"),
        (("--score", "rarity", "--score-keep", "1", "0.001"), "0.1% of mc.npz are 2 effective events"),
        (("--score-keep", "1"), "--score-keep is about an anomaly score: give it with --score"),
        (("--score-weight",), "--score-weight is about an anomaly score: give it with --score"),
        (("--score", "rarity", "--features", "x", "rarity"), "'rarity' is both a feature and the score"),
        (("--score", "x", "--weights", "x"), "'x' is both the score and the weight column"),
        (("--score", "rarity", "--model", "histogram"), "--score is for the family of tests, but the model is hist"),
        (("--score", "rarity", "--width", "2"), "--score is for the family of tests, but the model is network"),
        (("--score", "rarity", "--score-trained-on", "mc.npz"), "3,000 of the 3,000 events of mc.npz are among"),
        (("--score", "three.onnx", "--features", "x", "y"), "three.onnx takes 3 features, but 2 are compared"),
        (("--score", "none.onnx"), "none.onnx: there is no such file"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(nplm, scored: Path, words: tuple[str, ...], culprit: str) -> None:
    squared_distance(scored / "three.onnx", 3)
    outcome = nplm("test", "found.npz", "--reference", "mc.npz", *words, "-o", "out")
    assert outcome.code != 0
    errors = [line for line in outcome.err.splitlines() if line.startswith("nplm: error: ")]
    assert len(errors) == 1
    assert re.search(culprit, errors[0]), errors[0]
    assert not (scored / "out").exists()


def test_a_constant_score_and_one_that_is_not_finite_are_refused(nplm, scored: Path) -> None:
    for name, rarity, culprit in (
        ("flat", np.zeros(3000), "the score has one value, 0, at all events of flat.npz: give one that tells"),
        ("nan", np.where(np.arange(3000) == 7, np.nan, 1.0), "rarity"),
    ):
        with np.load(scored / "mc.npz") as file:
            np.savez(scored / f"{name}.npz", x=file["x"], y=file["y"], rarity=rarity)
        outcome = nplm("test", "found.npz", "--reference", f"{name}.npz", "--score", "rarity", "--json")
        assert outcome.code != 0
        assert culprit in outcome.err.splitlines()[-1]
