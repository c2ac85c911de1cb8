"""`nplm monitor` from end to end: exit codes, lines, pages, restarts, a killed process, and bad input."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from nplm.monitor.history import read_history
from tests.cli.monitor_runs import MODEL, verdicts_of, write_run, write_runs


@pytest.fixture
def runs(folder: Path) -> Path:
    return write_runs(folder)


@pytest.mark.slow
def test_one_kernel_sees_other_coordinates(nplm, runs: Path) -> None:
    found = []
    for i, words in enumerate(("", "--coordinates normal-scores", "--circular y=9", "--coordinates raw")):
        done = nplm("monitor", "ref.npz", "--folder", "runs", *MODEL, "--no-drift", *words.split(), "-o", f"out{i}")
        assert done.code == 0, done.err
        found.append(verdicts_of(done.out)[0]["p_shape"])
    assert len(set(found)) == len(found)
    refused = nplm("monitor", "ref.npz", "--folder", "runs", *MODEL, "--circular", "y", "-o", "out")
    assert refused.code == 3
    assert "the period of 'y' cannot be guessed" in refused.err


def test_good_windows_then_nothing_new_then_an_alarm(nplm, runs: Path) -> None:
    words = ("monitor", "ref.npz", "--folder", "runs", *MODEL, "--expected-rate", "400", "-o", "out")
    first = nplm(*words)
    assert first.code == 0, first.err
    assert [line["source"] for line in verdicts_of(first.out)] == [f"run{i}.npz" for i in range(5)]
    assert all(line["status"] == "ok" and 0 < line["p_rate"] <= 1 for line in verdicts_of(first.out))
    again = nplm(*words)
    assert (again.code, again.out) == (0, "")
    write_run(runs / "runs/run5.npz", np.random.default_rng(4), scale=1.5)
    write_run(runs / "runs/run6.npz", np.random.default_rng(4), n=600)
    alarm = nplm(*words)
    assert alarm.code == 7
    shape, rate = verdicts_of(alarm.out)
    assert "shape" in shape["alarms"]
    assert (runs / "out" / shape["report"]).is_file()
    assert rate["alarms"][0] == "rate"
    kept = read_history(runs / "out")
    assert [v.row for v in kept] == list(range(7))
    assert [v.report for v in kept if v.report] == [shape["report"], rate["report"]]
    page = (runs / "out/monitor.html").read_text()
    assert "<strong>Alarm in window 6 (2 of the last 7 windows gave one; this is the worst)</strong>" in page
    assert f'<a href="{shape["report"]}">Window 5</a>' in page
    assert 'src="http' not in page


def test_a_family_names_what_leads_and_reports_it_and_a_history_keeps_to_it(nplm, runs: Path) -> None:
    words = ("monitor", "ref.npz", "--folder", "runs", "-o", "out")
    family = ("--family", "one,products", "--no-drift")
    write_run(runs / "runs/run5.npz", np.random.default_rng(4), scale=2.0)
    found = nplm(*words, *family)
    assert found.code == 7, found.err
    *good, alarm = verdicts_of(found.out)
    assert all(line["status"] == "ok" for line in good)
    assert "most in x alone" in alarm["message"] or "most in the mean of x" in alarm["message"]
    assert (runs / "out" / alarm["report"]).is_file()
    for other in (MODEL, ("--family", "one")):
        refused = nplm(*words, *other)
        assert refused.code == 4
        assert "shape is" in refused.err
    assert nplm(*words, *family).code == 0


def test_bad_files_are_named_and_the_others_tested(nplm, runs: Path) -> None:
    rng = np.random.default_rng(4)
    (runs / "runs/run1.npz").write_bytes(b"PK\x03\x04 no zip")
    np.savez(runs / "runs/run2.npz", x=np.full(400, np.nan), y=rng.normal(size=400))
    np.savez(runs / "runs/run3.npz", x=np.full(400, 2.5), y=rng.normal(size=400))
    write_run(runs / "runs/run5.npz", rng, n=3)
    np.savez(runs / "runs/run6.npz", y=rng.normal(size=400))
    done = nplm("monitor", "ref.npz", "--folder", "runs", *MODEL, "-o", "out")
    assert done.code == 8
    lines = verdicts_of(done.out)
    assert [line["status"] for line in lines] == [
        "ok", "unreadable", "problem", "problem", "ok", "problem", "unreadable"
    ]  # fmt: skip
    for number, words in (
        (1, "run1.npz"),
        (2, "feature 'x' is not a number in any event"),
        (3, "feature 'x' is constant (2.5)"),
        (5, "too few events: 3 of at least 50"),
        (6, "no column 'x'"),
    ):
        assert words in lines[number]["message"]


def test_windows_over_files_with_a_cut(nplm, runs: Path) -> None:
    words = ("--window", "300", "--step", "100", "--where", "x < 3", *MODEL)
    done = nplm("monitor", "ref.npz", "--folder", "runs", *words, "-o", "out")
    assert done.code == 0, done.err
    firsts = [line["first"] for line in verdicts_of(done.out)]
    assert firsts == list(range(0, firsts[-1] + 1, 100))
    assert "events wait for their window" in done.err
    rng = np.random.default_rng(8)
    write_run(runs / "runs/run5.npz", rng)
    more = verdicts_of(nplm("monitor", "ref.npz", "--folder", "runs", *words, "-o", "out").out)
    assert more[0]["first"] == firsts[-1] + 100


def test_a_stream_of_lines_and_its_replay(nplm, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(5)
    text = "".join(
        json.dumps({"x": x, "y": y}) + "\n"
        for x, y in zip(rng.exponential(size=1000), rng.normal(size=1000), strict=True)
    )
    words = ("monitor", "ref.npz", "--stream", "jsonl", "--window", "300", *MODEL, "-o", "out")

    def give(data: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data.encode())))

    give(text[: len(text) // 2])
    first = nplm(*words)
    assert first.code == 8  # it stops in mid-record
    assert "mid-record" in verdicts_of(first.out)[-1]["message"]
    give(text)
    rest = nplm(*words, "--replayed")
    assert rest.code == 0
    firsts = [line["first"] for line in verdicts_of(first.out + rest.out) if line["first"] is not None]
    assert firsts == [0, 300, 600]


@pytest.mark.slow
def test_a_killed_process_goes_on_where_it_was(runs: Path) -> None:
    # Killed without warning again and again, while files come; the history is that of one undisturbed run.
    rng = np.random.default_rng(6)
    for i in range(5, 40):
        write_run(runs / "runs" / f"run{i:03d}.npz", rng)
    command = [sys.executable, "-m", "nplm", "monitor", "ref.npz", "--folder", "runs", "--window", "350", *MODEL, "-o"]
    subprocess.run([*command, "whole"], check=False, capture_output=True, cwd=runs)
    killed = 0
    for _ in range(2):
        process = subprocess.Popen([*command, "out"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=runs)
        assert process.stdout is not None
        process.stdout.readline()  # the first verdict is kept
        os.kill(process.pid, signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        process.stdout.close()
    subprocess.run([*command, "out"], check=False, capture_output=True, cwd=runs)
    whole, found = read_history(runs / "whole"), read_history(runs / "out")
    assert killed >= 1
    assert [(v.row, v.first, v.source, v.p_shape, v.drift_shape) for v in found] == [
        (v.row, v.first, v.source, v.p_shape, v.drift_shape) for v in whole
    ]
    assert len(whole) == 40 * 400 // 350


def test_following_a_folder_with_a_reference_that_is_replaced(runs: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "nplm",
        "monitor",
        "ref.npz",
        "--folder",
        "runs",
        *MODEL,
        "--follow",
        "--poll",
        "0.1",
    ]
    process = subprocess.Popen(
        [*command, "-o", "out"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=runs
    )
    assert process.stdout is not None
    first = [json.loads(process.stdout.readline()) for _ in range(5)]
    assert 'http-equiv="refresh"' in (runs / "out/monitor.html").read_text()
    rng = np.random.default_rng(9)
    np.savez(runs / "new.npz", x=2 * rng.exponential(size=20_000), y=rng.normal(size=20_000))
    (runs / "new.npz").replace(runs / "ref.npz")
    time.sleep(1.5)
    write_run(runs / "late.npz", rng, scale=2.0)
    (runs / "late.npz").replace(runs / "runs/run9.npz")
    last = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert last["status"] == "ok", last
    assert last["reference"] != first[0]["reference"]


@pytest.mark.parametrize(
    ("words", "culprits"),
    [
        ((), ("REFERENCE",)),
        (("ref.npz",), ("-o",)),
        (("ref.npz", "-o", "out"), ("--folder", "--stream")),
        (("ref.npz", "-o", "runs", "--folder", "runs"), ("--folder", "-o")),
        (("ref.npz", "-o", "out", "--folder", "runs", "--stream", "arrow"), ("--folder", "--stream")),
        (("ref.npz", "-o", "out", "--stream", "jsonl"), ("--window",)),
        (("ref.npz", "-o", "out", "--stream", "arrow", "--follow"), ("--follow",)),
        (("ref.npz", "-o", "out", "--folder", "runs", "--replayed"), ("--replayed",)),
        (("ref.npz", "-o", "out", "--folder", "runs", "--step", "10"), ("--step", "--window")),
        (("ref.npz", "-o", "out", "--folder", "runs", "--step", "99", "--window", "60"), ("--step", "--window")),
        (("ref.npz", "-o", "out", "--folder", "runs", "--alpha", "0"), ("0 false alarms",)),
        (("ref.npz", "-o", "out", "--folder", "runs", "--shift", "9"), ("--shift",)),
        (("ref.npz", "-o", "out", "--folder", "runs", "--false-alarms-per-day", "1"), ("--windows-per-day",)),
        (("ref.npz", "-o", "out", "--folder", "runs", "--expected-rate", "1", "--window", "99"), ("--time",)),
        (("ref.npz", "-o", "out", "--folder", "runs", "--exposure", "1", "--time", "t"), ("--exposure", "--time")),
        (
            ("ref.npz", "-o", "out", "--folder", "runs", "--expected-rate", "1", "--reference-exposure", "1"),
            ("--expected-rate", "--reference-exposure"),
        ),
        (("ref.npz", "-o", "out", "--folder", "runs", "--expected-yield", "1"), ("--expected-rate",)),
        (("ref.npz", "-o", "out", "--folder", "runs", "--family", "one", "--width", "1"), ("--family", "--width")),
        (
            ("ref.npz", "-o", "out", "--folder", "runs", "--family", "one", "--no-standardize"),
            ("--family", "--coordinates (or --standardize)"),
        ),
        (("ref.npz", "-o", "out", "--folder", "runs", "--circular", "y", "y"), ("--circular names 'y' twice",)),
    ],
)
def test_usage_errors_name_the_option(nplm, runs: Path, words: tuple[str, ...], culprits: tuple[str, ...]) -> None:
    done = nplm("monitor", *words)
    assert done.code == 2
    assert all(culprit in done.err for culprit in culprits), done.err
    assert not (runs / "out").exists()


def test_bad_input_and_output(nplm, runs: Path) -> None:
    for words, code, culprit in (
        (("absent.npz", "--folder", "runs", "-o", "out"), 3, "absent.npz"),
        (("ref.npz", "--folder", "absent", "-o", "out"), 3, "absent is not a folder"),
        (("ref.npz", "--folder", "runs", "--window", "20", "-o", "out"), 3, "below the 50"),
        (("ref.npz", "--folder", "runs", "--window", "30000", "-o", "out"), 3, "larger reference"),
        (("ref.npz", "--folder", "runs", "-o", "ref.npz"), 4, "is not a folder"),
        (("ref.npz", "--folder", "runs", "-o", "."), 4, "holds other files"),
    ):
        done = nplm("monitor", *words, *MODEL)
        assert done.code == code, done.err
        assert culprit in done.err
        assert not (runs / "out").exists()


def test_an_interrupt_that_is_dropped_ends_a_monitor_that_follows(
    nplm, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a callback of the garbage collector: here the exception is caught where a verdict is told."""

    def dropping(text: str) -> None:
        with suppress(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)

    def give_up(*arguments: object) -> None:
        raise TimeoutError("the interrupt was lost")

    monkeypatch.setattr("nplm.cli.commands.monitor.say", dropping)
    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    try:
        outcome = nplm("monitor", "ref.npz", "--folder", "runs", *MODEL, "--follow", "--poll", "0.05", "-o", "out")
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    assert outcome.code == 130
    assert 1 <= len(read_history(runs / "out")) <= 5  # what was told is kept


def test_overflow_is_for_one_kernel_and_far_events_are_named(nplm, runs: Path) -> None:
    with np.load(runs / "runs/run2.npz") as run:
        x = run["x"].copy()
        x[0] = -999.0
        np.savez(runs / "runs/run2.npz", x=x, y=run["y"])
    words = ("monitor", "ref.npz", "--folder", "runs", "--no-drift", "--overflow")
    refused = nplm(*words, "-o", "out")
    assert refused.code == 2
    assert "a family compares ranks in the reference" in refused.err
    done = nplm(*words, *MODEL, "-o", "out")
    assert done.code == 0, done.err
    assert [line["far"] for line in verdicts_of(done.out)] == [0, 0, 1, 0, 0]
    assert "1 event has x = -999, beyond the range of" in (runs / "out/monitor.html").read_text()
