"""Files of the release before modules were moved (tests/data/release/make.sh) are read, and gone on with, as its own.

The command line and names of `nplm` itself alone are used, which stay where they are.
"""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import nplm
from nplm.cli.main import main

RELEASE = Path(__file__).parent / "data" / "release"
# As make.sh has them.
REFERENCE = ("--reference", "reference.npz", "--features", "x", "y", "--weights", "w")
KERNEL = (*REFERENCE, "--model", "kernel", "--centers", "12", "--width", "0.8")
SEVERAL = (*REFERENCE, "--model", "kernel", "--centers", "12", "--widths", "0.8,1.6")
TESTS = {
    "one": ("test", "data.npz", *KERNEL, "--toys", "10"),
    "family": ("test", "data.npz", *REFERENCE, "--family", "one,all", "--toys", "99"),
    "widths": ("test", "data.npz", *SEVERAL, "--toys", "20"),
    "validate": ("validate", "data.npz", "other.npz", "--family", "one", "--permutations", "99"),
}
# A fit ends this close to the minimum; where exactly is rounding, and the way in which sums are taken.
SAME = 2e-7
# The joint null of a family is drawn in directions that each processor rounds in its own way: z has the error of draws.
DRAWN = 0.05
Answer = Callable[..., Any]


@pytest.fixture
def answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Answer:
    """Gives a command in a copy of the files; returns what it prints, of --json the document."""
    shutil.copytree(RELEASE, tmp_path / "release")
    monkeypatch.chdir(tmp_path / "release")

    def run(*words: str, exits: tuple[int, ...] = (0,)) -> Any:
        code = main(list(words))
        out, err = capsys.readouterr()
        assert code in exits, err
        return json.loads(out) if "--json" in words else out

    return run


def statistics(document: dict[str, Any]) -> dict[str, float]:
    """The t and p that a result of any kind has, those of its single tests too."""
    found = {name: document[name] for name in ("t", "statistic", "p_value", "z") if name in document}
    for i, test in enumerate(document.get("tests", ())):
        single = test.get("result", test)
        found |= {f"{name} of test {i}": single[name] for name in ("t", "local_p", "p_value") if name in single}
    return found


def rows(folder: Path, number: str) -> list[dict[str, Any]]:
    """The rows of all parts in a folder, by the number of a toy or window."""
    everything = [row for part in folder.glob("part-*.parquet") for row in pq.read_table(part).to_pylist()]
    return sorted(everything, key=lambda row: row[number])


@pytest.mark.parametrize("name", TESTS)
def test_results_are_those_of_the_release(name: str, answer: Answer) -> None:
    stored = json.loads((RELEASE / name / "result.json").read_text(encoding="utf-8"))
    expected = statistics(stored)
    assert {"p_value", "z"} <= expected.keys()
    assert "t" in expected or "t of test 1" in expected
    found = statistics(answer(*TESTS[name], "--quiet", "--json"))
    if name in ("family", "validate"):
        assert found.pop("z") == pytest.approx(expected["z"], abs=DRAWN)
        assert found.pop("p_value") == pytest.approx(expected["p_value"], rel=0.2)
        assert found == pytest.approx({key: expected[key] for key in found}, rel=SAME)
        assert found.keys() == expected.keys() - {"z", "p_value"}
    else:
        assert found == pytest.approx(expected, rel=SAME)
    saved = nplm.load_result(RELEASE / name / "saved.npz")
    assert isinstance(
        saved,
        nplm.two_sample.TwoSampleResult
        if name in ("family", "validate")
        else nplm.Result | nplm.hypotest.MultipleResult,
    )
    if name == "one":
        assert saved.t == pytest.approx(expected["t"], rel=SAME)
    if name != "family":
        assert (saved.p_value, saved.z) == pytest.approx((expected["p_value"], expected["z"]), rel=SAME)


def test_a_folder_of_the_release_is_the_run_of_the_same_command(answer: Answer) -> None:
    toys = rows(RELEASE / "one" / "toys", "index")
    stored = json.loads((RELEASE / "one" / "result.json").read_text(encoding="utf-8"))
    assert [row["index"] for row in toys] == list(range(10))
    document = answer(*TESTS["one"], "--quiet", "--json", "--force", "-o", "one")
    assert statistics(document) == pytest.approx(statistics(stored), rel=SAME)


def test_toys_go_on_in_a_store_of_the_release(answer: Answer) -> None:
    before = nplm.toys.Store.open("null").read()
    assert before.index.tolist() == list(range(12))
    words = ("toys", "run", *KERNEL, "--batch", "4", "--quiet")
    answer(*words, "--toys", "16", "-o", "null")
    after = nplm.toys.Store.open("null").read()
    assert after.index.tolist() == list(range(16))
    assert after.t[:12].tolist() == before.t.tolist()
    # A store of another plan is refused, so the plan is that of the release; and its toys are drawn and fitted alike.
    answer(*words, "--toys", "12", "-o", "anew")
    anew = nplm.toys.Store.open("anew")
    assert anew.plan.hash == nplm.toys.Store.open(RELEASE / "null").plan.hash
    assert anew.read().t.tolist() == pytest.approx(before.t.tolist(), rel=SAME)


def test_a_store_and_a_prepared_file_of_the_release_serve_a_test(answer: Answer) -> None:
    stored = json.loads((RELEASE / "one" / "result.json").read_text(encoding="utf-8"))
    words = ("test", "data.npz", *KERNEL, "--quiet", "--json")
    counted = answer(*words, "--null", "null")
    assert counted["t"] == pytest.approx(stored["t"], rel=SAME)
    assert counted["calibration"]["toys"] == 12
    prepared = answer(*words, "--prepared", "prepared.npz", "--toys", "0")
    assert prepared["t"] == pytest.approx(stored["t"], rel=SAME)


def test_a_learned_log_ratio_of_the_release_is_read_and_learned_again(answer: Answer) -> None:
    sample = nplm.read_sample(RELEASE / "reference.npz", features=["x", "y"], weights="w")
    ratio = nplm.learning.read_ratio(RELEASE / "learned" / "scale.npz", sample, allow_failed=True)
    assert ratio.nuisances == ("scale",)
    answer("learn", "learn.yaml", "--no-plots", "--quiet", "-o", "anew", exits=(0, 5))
    anew = nplm.learning.read_ratio("anew/scale.npz", sample, allow_failed=True)
    # Of a fit in many steps, whose end is known less well than a sum.
    assert anew.basis(sample.events) == pytest.approx(ratio.basis(sample.events), abs=1e-4)


def test_a_monitor_of_the_release_goes_on(answer: Answer, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows(RELEASE / "monitor" / "history", "row")
    assert [row["row"] for row in before] == [0, 1]
    for folder in ("monitor", "anew"):
        # The whole stream again, of which the monitor has taken two batches.
        batches = io.BytesIO((RELEASE / "batches.jsonl").read_bytes())
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(batches))
        words = (
            "monitor",
            "reference.npz",
            "--features",
            "x",
            "y",
            "--stream",
            "jsonl",
            "--replayed",
            "--width",
            "0.8",
        )
        answer(*words, "--centers", "12", "--window", "100", "--no-reports", "--quiet", "-o", folder, exits=(0, 7))
    after, anew = (rows(Path(folder) / "history", "row") for folder in ("monitor", "anew"))
    assert after[:2] == before
    assert [row["row"] for row in after] == [row["row"] for row in anew] == [0, 1, 2]
    for one, other in zip(after, anew, strict=True):
        numbers = ("t", "p_shape", "drift_shape", "p")
        assert [one[n] for n in numbers] == pytest.approx([other[n] for n in numbers], rel=SAME)


def test_a_closure_of_the_release_has_its_toys(answer: Answer) -> None:
    stored = json.loads((RELEASE / "closure" / "closure.json").read_text(encoding="utf-8"))
    stores = {folder.name for folder in (RELEASE / "closure" / "toys").iterdir()}
    words = ("closure", *KERNEL, "--signal", "other.npz", "--n", "20", "--toys", "50", "--ideal", "none", "--quiet")
    again = answer(*words, "--json", "-o", "closure")
    # Stores have the names of their plans: with others, there would be toys of both.
    assert {folder.name for folder in Path("closure/toys").iterdir()} == stores
    assert len(again["at"]) == len(stored["at"]) > 0
    for one, other in zip(again["at"], stored["at"], strict=True):
        assert (one["events"], one["sampled"]["toys"]) == (other["events"], other["sampled"]["toys"])
        numbers = [
            [point["technical_t"], point["sampled"]["median_z"], *point["sampled"]["band"]] for point in (one, other)
        ]
        assert numbers[0] == pytest.approx(numbers[1], rel=SAME)
