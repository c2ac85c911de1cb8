"""`nplm test` says where: events with their rows in the file, regions, and t without each feature."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

GOOD = ("test", "data.npz", "--reference", "wref.npz", "--weights", "w")
HISTOGRAM = ("--model", "histogram", "--toys", "0")


def events(folder: Path) -> list[dict[str, str]]:
    with (folder / "events.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_rows_are_those_of_the_file(nplm, folder: Path) -> None:
    outcome = nplm(*GOOD, *HISTOGRAM, "--where", "y > 0", *["--top", "30", "--no-leave-one-out", "-o", "out"])
    assert outcome.code == 0, outcome.err
    data = np.load(folder / "data.npz")
    rows = events(folder / "out")
    assert len(rows) == 30
    for row in rows:
        assert float(row["y"]) == data["y"][int(row["row"])] > 0
        assert float(row["x"]) == data["x"][int(row["row"])]
    document = json.loads((folder / "out" / "localization.json").read_text())
    assert document["events_ranked"] == int((data["y"] > 0).sum())
    assert document["left_out"] is None
    result = json.loads((folder / "out" / "result.json").read_text())
    assert "--top 30 --no-leave-one-out" in result["configuration"]["command"]
    # A run is replaced with all its files.
    assert nplm(*GOOD, *HISTOGRAM, *["--top", "0", "--no-leave-one-out", "-o", "out", "--force"]).code == 0
    assert events(folder / "out") == []


def test_kernels_leave_features_out(nplm, folder: Path) -> None:
    outcome = nplm(*GOOD, *["--model", "kernel", "--centers", "20", "--calibrate", "asymptotic", "-o", "out"])
    assert outcome.code == 0, outcome.err
    left_out = json.loads((folder / "out" / "localization.json").read_text())["left_out"]
    assert (left_out["method"], left_out["centers"]) == ("refit", 20)
    result = json.loads((folder / "out" / "result.json").read_text())
    assert [row["feature"] for row in left_out["rows"]] == [None, "x", "y"]
    assert left_out["rows"][0]["t"] == pytest.approx(result["t"])
    assert "t without a difference" in (folder / "out" / "report.html").read_text()


def test_several_widths_say_where_by_the_leading_one(nplm, folder: Path) -> None:
    kernels = ("--model", "kernel", "--centers", "20", "--widths", "1,2", "--calibrate", "asymptotic")
    outcome = nplm(*GOOD, *kernels, "--top", "5", "--no-leave-one-out", "-o", "out")
    assert outcome.code == 0, outcome.err
    assert len(events(folder / "out")) == 5
    assert "Where is it, by the leading test?" in (folder / "out" / "report.html").read_text()


@pytest.mark.parametrize("option", ["--top 5", "--leave-one-out", "--no-leave-one-out"])
def test_what_only_a_folder_holds_needs_one(nplm, option: str) -> None:
    outcome = nplm(*GOOD, *HISTOGRAM, "--json", *option.split())
    assert outcome.code == 2
    assert "is about what -o writes" in outcome.err
