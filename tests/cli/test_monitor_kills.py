"""A monitor that is killed without warning at random moments: no verdict is lost, and none is repeated."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from nplm.monitor.history import read_history
from tests.cli.monitor_runs import MODEL, verdicts_of, write_run, write_runs

_EVENTS = 40_000
_LEAST_KILLS = 10
_WINDOWS = ("--window", "330", "--step", "30")


@pytest.fixture
def runs(folder: Path) -> Path:
    return write_runs(folder)


def _monitor(folder: Path, words: Sequence[str], out: str, stdin: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "nplm", "monitor", "ref.npz", *MODEL, *words, "--no-reports", "-o", out]
    return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=folder)


def _files(folder: Path) -> None:
    """A hundred files of some hundreds of events; two cannot be read."""
    rng = np.random.default_rng(6)
    for i in range(5, 100):
        write_run(folder / "runs" / f"run{i:03d}.npz", rng, n=int(rng.integers(100, 700)))
    for i in (20, 60):
        (folder / "runs" / f"run{i:03d}.npz").write_bytes(b"PK no zip")


def _stream(path: Path) -> None:
    """The events in batches, or lines, of some tens to hundreds; two lines cannot be read."""
    rng = np.random.default_rng(7)
    columns = {"x": rng.exponential(size=_EVENTS), "y": rng.normal(size=_EVENTS)}
    ends = np.cumsum(rng.integers(10, 900, size=2 * _EVENTS // 900)).tolist()
    batches = [{name: values[a:b] for name, values in columns.items()} for a, b in zip([0, *ends], ends, strict=False)]
    if path.suffix == ".arrow":
        tables = [pa.RecordBatch.from_pydict(batch) for batch in batches]
        with pa.ipc.new_stream(path, tables[0].schema) as writer:
            for table in tables:
                writer.write_batch(table)
        return
    lines = [json.dumps({name: values.tolist() for name, values in batch.items()}) for batch in batches]
    lines[7:7], lines[50:50] = ["no JSON"], ['{"x": 1}']
    path.write_text("".join(f"{line}\n" for line in lines))


def _run(folder: Path, words: Sequence[str], out: str, source: Path | None, kill: tuple[int, float] | None) -> str:
    """What a monitor printed until it ended, or was killed so many seconds after so many lines."""
    stdin = os.open(os.devnull if source is None else source, os.O_RDONLY)
    process = _monitor(folder, words, out, stdin)
    os.close(stdin)
    assert process.stdout is not None
    printed = b""
    if kill is not None:
        lines, seconds = kill
        while printed.count(b"\n") < lines and (piece := os.read(process.stdout.fileno(), 1 << 16)):
            printed += piece
        time.sleep(seconds)
        process.kill()
    printed += process.stdout.read()
    process.stdout.close()
    assert process.wait() in (0, 7, 8, -signal.SIGKILL)
    return printed.decode()


@pytest.mark.slow
@pytest.mark.parametrize("source", ["folder", "arrow", "jsonl"])
def test_no_verdict_is_lost_or_repeated_whenever_a_monitor_is_killed(runs: Path, source: str) -> None:
    stream = None if source == "folder" else runs / f"events.{source}"
    if stream is None:
        _files(runs)
        words = ("--folder", "runs", *_WINDOWS)
    else:
        _stream(stream)
        words = ("--stream", source, "--replayed", *_WINDOWS)
    began = time.monotonic()
    _run(runs, words, "whole", stream, None)
    took = time.monotonic() - began
    whole = [(v.row, v.source, v.status, v.first, v.p_shape, v.drift_shape) for v in read_history(runs / "whole")]
    assert len(whole) > 1000
    # By turns at any time of a run, and right after it has printed something.
    chance = random.Random(11)
    printed, kills = [], 0
    while kills < _LEAST_KILLS or kills % 2:
        kill = (0, chance.uniform(0, took)) if kills % 2 else (chance.randrange(1, 40), chance.uniform(0, 0.2))
        text = _run(runs, words, "out", stream, kill)
        # A line that was cut by the kill is not told, and comes again.
        printed += verdicts_of(text[: text.rfind("\n") + 1])
        kills += 1
    printed += verdicts_of(_run(runs, words, "out", stream, None))
    found = read_history(runs / "out")
    assert [(v.row, v.source, v.status, v.first, v.p_shape, v.drift_shape) for v in found] == whole
    # What was printed is what is kept; only a line that a kill met in the act may be there twice.
    by_row = {line["row"]: line for line in printed}
    assert [by_row[row] for row in sorted(by_row)] == [v.to_dict() for v in found]
    assert all(by_row[line["row"]] == line for line in printed)
    assert len(printed) - len(by_row) <= kills


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["arrow", "jsonl"])
def test_a_verdict_is_printed_and_kept_while_a_stream_pauses_in_mid_record(runs: Path, kind: str) -> None:
    rng = np.random.default_rng(7)
    reading, writing = os.pipe()
    process = _monitor(runs, ("--stream", kind, "--window", "300"), "out", reading)
    os.close(reading)
    assert process.stdout is not None
    with os.fdopen(writing, "wb", buffering=0) as pipe:
        sink = pa.BufferOutputStream()
        table = pa.RecordBatch.from_pydict({"x": 3 * rng.exponential(size=300), "y": rng.normal(size=300)})
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_batch(table)
            first = sink.tell()
            writer.write_batch(table)
        data = sink.getvalue().to_pybytes()
        if kind == "jsonl":
            data = json.dumps({name: table[name].to_pylist() for name in "xy"}).encode() + b"\n"
            data, first = data * 2, len(data)
        pipe.write(data[: first + 50])
        (line,) = verdicts_of(process.stdout.readline().decode())
        assert line["status"] == "alarm"
        process.kill()
        process.wait()
    process.stdout.close()
    assert [v.to_dict() for v in read_history(runs / "out")] == [line]
