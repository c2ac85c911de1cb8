"""`nplm monitor` called again: on another folder, stream or reference, and after it was killed."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cli.monitor_runs import MODEL, verdicts_of, write_run, write_runs


@pytest.fixture
def runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # Most of the time of these short calls would go into the pictures of their pages.
    monkeypatch.setattr("nplm.monitor.page._pictures", lambda *arguments: [])
    return write_runs(folder)


def test_another_folder_is_refused_and_one_that_was_moved_goes_on(nplm, runs: Path) -> None:
    words = ("monitor", "ref.npz", *MODEL, "-o", "out", "--folder")
    assert nplm(*words, "runs").code == 0
    (runs / "other").mkdir()
    rng = np.random.default_rng(4)
    for i in range(5):
        write_run(runs / "other" / f"run{i}.npz", rng, scale=2.0)
    refused = nplm(*words, "other")
    assert (refused.code, refused.out) == (4, "")
    assert refused.err.endswith(
        f"out: the history is that of the folder {runs / 'runs'}, not of {runs / 'other'}; choose another -o\n"
    )
    (runs / "runs").rename(runs / "moved")
    write_run(runs / "moved/run5.npz", rng)
    moved = nplm(*words, "moved")
    assert moved.code == 0
    assert [line["source"] for line in verdicts_of(moved.out)] == ["run5.npz"]
    assert f"{runs / 'runs'} is now {runs / 'moved'}" in moved.err
    assert nplm(*words, "other").code == 4


def test_a_reference_that_is_replaced_between_two_calls_begins_the_drift_charts_anew(nplm, runs: Path) -> None:
    words = ("monitor", "ref.npz", *MODEL, "--folder", "runs", "-o", "out")
    rng = np.random.default_rng(4)
    write_run(runs / "runs/run5.npz", rng, scale=1.1)
    before = verdicts_of(nplm(*words).out)[-1]
    assert before["drift_shape"] > 0
    np.savez(runs / "ref.npz", y=rng.normal(size=20_000), x=1.1 * rng.exponential(size=20_000))
    write_run(runs / "runs/run6.npz", rng, scale=1.1)
    again = nplm(*words)
    (after,) = verdicts_of(again.out)
    assert "the drift charts begin anew" in again.err
    assert after["reference"] != before["reference"]
    assert after["drift_shape"] == pytest.approx(max(0.0, after["z_shape"] - 0.5))
    write_run(runs / "runs/run7.npz", rng, scale=1.1)
    assert "begin anew" not in nplm(*words).err


def test_a_stream_of_another_kind_and_one_that_is_not_replayed_are_refused(
    nplm, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("monitor", "ref.npz", "--window", "300", *MODEL, "-o", "out", "--stream")

    def give(seed: int, events: int = 700) -> None:
        rng = np.random.default_rng(seed)
        lines = [json.dumps({"x": rng.exponential(), "y": rng.normal()}) for _ in range(events)]
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join([*lines, ""]).encode())))

    give(5)
    assert len(verdicts_of(nplm(*words, "jsonl").out)) == 2
    kind = nplm(*words, "arrow")
    assert kind.code == 4
    assert "source is arrow stream, not jsonl stream" in kind.err
    for seed, events, culprit in ((6, 900, "the first 700 events"), (5, 300, "ends after 300 of the 700")):
        give(seed, events)
        other = nplm(*words, "jsonl", "--replayed")
        assert (other.code, other.out) == (3, "")
        assert culprit in other.err
        assert "--replayed" in other.err
    give(5, 900)
    assert [line["first"] for line in verdicts_of(nplm(*words, "jsonl", "--replayed").out)] == [600]


def test_files_that_are_half_written_or_change_afterwards_are_told(nplm, runs: Path) -> None:
    words = ("monitor", "ref.npz", *MODEL, "--no-reports", "--folder", "runs", "-o", "out")
    assert nplm(*words).code == 0
    write_run(runs / "runs/run3.npz", np.random.default_rng(4), scale=2.0)
    rows = np.random.default_rng(4).normal(size=(400, 2)) ** 2
    text = "x,y\n" + "".join(f"{x},{y}\n" for x, y in rows)
    (runs / "runs/run7.csv").write_text(text[:-4])
    done = nplm(*words)
    assert done.code == 8
    changed, half = verdicts_of(done.out)
    assert (changed["source"], changed["status"], changed["p"]) == ("run3.npz", "changed", None)
    assert "give it another name" in changed["message"]
    assert (half["source"], half["status"]) == ("run7.csv", "unreadable")
    assert "run7.csv: its last line has no end" in half["message"]
    assert "0 windows, 0 alarms, 2 problems" in done.err
    again = nplm(*words)
    assert (again.code, again.out) == (0, "")
    (runs / "runs/run7.csv").write_text(text)
    assert [line["status"] for line in verdicts_of(nplm(*words).out)] == ["alarm"]


def test_names_that_are_no_utf8_do_not_stop_a_monitor(nplm, runs: Path) -> None:
    rng = np.random.default_rng(4)
    name = os.fsdecode(b"run\xff.npz")
    write_run(runs / "runs" / name, rng, scale=2.0)
    (runs / "runs" / os.fsdecode(b"run\xfe.npz")).write_bytes(b"PK no zip")
    (runs / "runs" / os.fsdecode(b"notes\xff.txt")).write_text("x")
    rows = rng.normal(size=(400, 2)) ** 2
    (runs / "runs" / os.fsdecode(b"run\xfd.csv")).write_text("x,y\n" + "".join(f"{x},{y}\n" for x, y in rows))
    (runs / "ref.npz").rename(runs / os.fsdecode(b"ref\xff.npz"))
    words = ("monitor", os.fsdecode(b"ref\xff.npz"), *MODEL, "--no-reports", "--folder", "runs", "-o", "out")
    done = nplm(*words)
    assert done.code == 7, done.err
    assert {line["source"]: line["status"] for line in verdicts_of(done.out)} == {
        **{f"run{i}.npz": "ok" for i in range(5)},
        r"run\xfd.csv": "alarm",
        r"run\xfe.npz": "unreadable",
        r"run\xff.npz": "alarm",
    }
    assert r"notes\xff.txt is passed over" in done.err
    assert r"ref\xff.npz (20,000 events)" in (runs / "out/monitor.html").read_text()
    again = nplm(*words)
    assert (again.code, again.out) == (0, "")


def test_a_history_that_was_cut_short_is_told_and_goes_on(nplm, runs: Path) -> None:
    words = ("monitor", "ref.npz", *MODEL, "--folder", "runs", "-o", "out")
    assert nplm(*words).code == 0
    part = runs / "out/history/part-00000.parquet"
    part.write_bytes(part.read_bytes()[:-100])
    write_run(runs / "runs/run5.npz", np.random.default_rng(4))
    done = nplm(*words)
    assert done.code == 0
    assert [line["row"] for line in verdicts_of(done.out)] == [5]
    assert "part-00000.parquet cannot be read, as if it was cut short" in done.err
    state = runs / "out/state.npz"
    state.write_bytes(state.read_bytes()[:-100])
    refused = nplm(*words)
    assert (refused.code, refused.out) == (4, "")
    assert refused.err.startswith("nplm: error: out/state.npz cannot be read, as if it was cut short")
    assert refused.err.endswith("choose another -o\n")
