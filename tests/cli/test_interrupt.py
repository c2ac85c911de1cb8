"""Ctrl-C, and SIGTERM from a batch system: what was computed is kept whole, and what was not leaves no trace."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nplm.cli.interrupt import interrupts
from nplm.toys.table import ToyTable

RUN = ("test", "data.npz", "--reference", "ref.npz=400", "--model", "histogram", "-o", "out")


def toys_in(out: Path) -> ToyTable:
    return ToyTable.concatenate([ToyTable.read(part) for part in out.glob("toys/*.parquet")])


def require_consistent(out: Path) -> int:
    """Demands that result and toys in the folder are whole and agree; returns the number of toys."""
    result = json.loads((out / "result.json").read_text())
    toys = toys_in(out)
    assert result["complete"] is False
    assert result["calibration"]["toys"] == len(toys)
    assert toys.index.tolist() == list(range(len(toys)))
    exceeding = int((toys.t >= result["t"]).sum())
    assert result["p_value"] == pytest.approx((1 + exceeding) / (1 + len(toys)))
    assert (out / "report.html").read_text().rstrip().endswith("</html>")
    assert not [p for p in out.rglob("*") if p.name.startswith(".")], "temporary files were left behind"
    return len(toys)


@pytest.mark.parametrize("signal_sent", [signal.SIGINT, signal.SIGTERM])
def test_interruption_during_toys_keeps_those_that_are_done(folder: Path, signal_sent: signal.Signals) -> None:
    command = [sys.executable, "-m", "nplm.cli.main", *RUN, "--toys", "1000000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 120
            while not list(folder.glob("out/toys/part-*.parquet")) and time.monotonic() < deadline:
                assert process.poll() is None, process.communicate()
                time.sleep(0.05)
            process.send_signal(signal_sent)
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 130, err
    toys = require_consistent(folder / "out")
    assert toys > 0
    assert f"interrupted after {toys} of 1000000 toys" in err
    assert "in out" in err
    assert "Traceback" not in err
    assert "report: " in out


@pytest.mark.parametrize("moment", ["before", "after"])
def test_ctrl_c_while_toys_are_written(folder: Path, nplm, monkeypatch, moment: str) -> None:
    write, sizes = ToyTable.write, []

    def interrupted_write(table: ToyTable, path: Path, metadata: dict[str, str] | None = None) -> None:
        sizes.append(len(table))
        if len(sizes) != 2:
            write(table, path, metadata)
            return
        if moment == "after":
            write(table, path, metadata)
        raise KeyboardInterrupt

    monkeypatch.setattr(ToyTable, "write", interrupted_write)
    outcome = nplm(*RUN, "--toys", "100000")
    assert outcome.code == 130
    assert require_consistent(folder / "out") == 2 * sizes[0]


def test_ctrl_c_with_json_prints_the_partial_result(folder: Path, nplm, monkeypatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nplm.cli.terminal.Reporter.advance", interrupt)
    outcome = nplm(*RUN[:-2], "--toys", "100000", "--json")
    assert outcome.code == 130
    result = json.loads(outcome.out)
    assert result["complete"] is False
    assert 0 < result["calibration"]["toys"] < 100000
    assert "interrupted" in outcome.err


def test_ctrl_c_before_toys_leaves_no_folder(folder: Path, nplm, monkeypatch) -> None:
    def interrupt(*arguments: object, **settings: object) -> None:
        assert (folder / "deep" / "out").is_dir()  # it was made, to know that results can be written
        raise KeyboardInterrupt

    monkeypatch.setattr("nplm.models.histogram.model.PreparedHistogram.fit", interrupt)
    outcome = nplm(*RUN[:-1], "deep/out")
    assert outcome.code == 130
    assert outcome.out == ""
    assert "interrupted" in outcome.err
    assert not (folder / "deep").exists()


def test_ctrl_c_before_toys_leaves_the_older_run(folder: Path, nplm, monkeypatch) -> None:
    assert nplm(*RUN, "--toys", "5").code == 0
    before = {p: p.read_bytes() for p in (folder / "out").rglob("*") if p.is_file()}

    def interrupt(*arguments: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nplm.models.histogram.model.PreparedHistogram.fit", interrupt)
    assert nplm(*RUN, "--force").code == 130
    assert {p: p.read_bytes() for p in (folder / "out").rglob("*") if p.is_file()} == before


def test_ctrl_c_while_results_are_written_says_what_is_whole(folder: Path, nplm, monkeypatch) -> None:
    def interrupt(*arguments: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nplm.report.write_run.write_run", interrupt)
    outcome = nplm(*RUN, "--toys", "5")
    assert outcome.code == 130
    assert "its toys are complete" in outcome.err
    assert len(toys_in(folder / "out")) == 5


def test_an_interrupt_that_python_drops_ends_the_run_all_the_same(folder: Path, nplm, monkeypatch) -> None:
    # Whatever is raised in a callback of the garbage collector is dropped; an interrupt is not even printed.
    dropped: list[type[BaseException]] = []
    sent: list[str] = []

    def send(phase: str, info: dict[str, int]) -> None:
        if not sent and list(folder.glob("out/toys/part-*.parquet")):
            sent.append(phase)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: dropped.append(unraisable.exc_type))
    gc.callbacks.append(send)
    try:
        outcome = nplm(*RUN, "--toys", "100000")
    finally:
        gc.callbacks.remove(send)
    assert len(sent) == 1
    assert dropped == []
    assert outcome.code == 130
    assert require_consistent(folder / "out") < 100000


def test_an_interrupt_that_is_dropped_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dropping:
        def __init__(self, error: type[BaseException]) -> None:
            self.error = error

        def __del__(self) -> None:
            raise self.error

    printed: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: printed.append(dropped.exc_type))
    with interrupts():
        for error in (KeyboardInterrupt, ValueError):
            dropped = Dropping(error)
            del dropped
    assert printed == [ValueError]
