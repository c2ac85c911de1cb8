"""The loop: what is kept before a pause, and what a process that was killed did not tell."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from nplm import KernelModel, Monitor, Sample
from nplm.monitor import history as history_module
from nplm.monitor import loop as watch_module
from nplm.monitor.batch import Batch, Unreadable
from nplm.monitor.folder import Arrived
from nplm.monitor.history import History, read_history
from nplm.monitor.loop import Watched, watch
from nplm.monitor.progress import FileProgress, Progress
from nplm.monitor.verdict import Verdict


class Killed(BaseException):
    """As if the process ended here: the loop is not left in order."""


@pytest.fixture(scope="module")
def reference() -> Sample:
    return Sample(np.random.default_rng(1).normal(size=(5000, 1)), features=["pt"])


def _monitor(reference: Sample) -> Monitor:
    return Monitor(reference, KernelModel(width=2.0, centers=20))


def _batch(shift: float = 0.0) -> Arrived:
    events = np.random.default_rng(2).normal(size=(300, 1)) + shift
    return Arrived(Batch(events, np.ones(300), None, "batch"))


def _gone_on(folder: Path, reference: Sample) -> tuple[Watched, list[int]]:
    """What the next process finds and tells where nothing more comes."""
    history = History.open(folder, {})
    assert history.saved is not None
    monitor = _monitor(reference)
    monitor.resume(history.saved.monitor, history.saved.waiting)
    told: list[int] = []
    watched = watch(monitor, [], history, {}, on_verdict=lambda verdict: told.append(verdict.row))
    history.close()
    return watched, told


def test_a_verdict_is_kept_and_told_when_the_source_pauses(tmp_path: Path, reference: Sample) -> None:
    told: list[int] = []

    def arrivals() -> Iterator[Arrived | None]:
        for number in range(3):
            yield _batch()
            yield None
            assert told == list(range(number + 1))
            assert [v.row for v in read_history(tmp_path / "out")] == told

    history = History.open(tmp_path / "out", {})
    watch(_monitor(reference), arrivals(), history, {}, on_verdict=lambda verdict: told.append(verdict.row))
    history.close()


@pytest.mark.parametrize("last", [0, 1, 3])
def test_what_was_kept_and_not_told_is_told_by_the_next_process_and_counted(
    tmp_path: Path, reference: Sample, last: int
) -> None:
    def on_verdict(verdict: Verdict) -> None:
        if verdict.row == last:
            raise Killed
        told.append(verdict.row)

    told: list[int] = []
    history = History.open(tmp_path / "out", {})
    arrivals = [_batch(), _batch(), _batch(5.0), _batch(5.0), None]
    with pytest.raises(Killed):
        watch(_monitor(reference), arrivals, history, {}, on_verdict=on_verdict)
    history.close()
    assert told == list(range(last))
    watched, rest = _gone_on(tmp_path / "out", reference)
    assert rest == list(range(last, 4))
    assert watched == Watched(windows=4 - last, alarms=min(2, 4 - last))
    assert _gone_on(tmp_path / "out", reference) == (Watched(), [])
    assert [v.row for v in read_history(tmp_path / "out")] == [0, 1, 2, 3]


def test_an_interrupt_while_verdicts_are_told_keeps_each_once(tmp_path: Path, reference: Sample) -> None:
    """The loop is left in order here, and tells the others on its way out."""
    told: list[int] = []

    def on_verdict(verdict: Verdict) -> None:
        told.append(verdict.row)
        if told == [0]:
            raise KeyboardInterrupt

    history = History.open(tmp_path / "out", {})
    with pytest.raises(KeyboardInterrupt):
        watch(_monitor(reference), [_batch(), _batch(), None], history, {}, on_verdict=on_verdict)
    history.close()
    assert sorted(set(told)) == [0, 1]
    assert [v.row for v in read_history(tmp_path / "out")] == [0, 1]


def _interrupted(arrivals: list[Arrived], monitor: Monitor, folder: Path, at: int) -> tuple[list[int], bool]:
    """What is told if the process goes on, and an interrupt comes at the line of that number in the loop or history."""
    told: list[int] = []
    lines = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal lines
        if frame.f_code.co_filename not in (watch_module.__file__, history_module.__file__):
            return None
        lines += event == "line"
        if event == "line" and lines == at:
            raise KeyboardInterrupt
        return trace

    history = History.open(folder, {})
    progress: Progress = {}
    if history.saved is not None:
        monitor.resume(history.saved.monitor, history.saved.waiting)
        progress = history.saved.progress
    rest = [a for a in arrivals if progress.get(a.name) != a.mark]
    before = sys.gettrace()
    sys.settrace(trace if at else before)
    try:
        watch(monitor, rest, history, progress, on_verdict=lambda verdict: told.append(verdict.row))
    except KeyboardInterrupt:
        return told, True
    finally:
        sys.settrace(before)
        history.close()
    return told, False


@pytest.mark.slow
@pytest.mark.parametrize("window", [None, 200])
def test_an_interrupt_at_any_line_of_the_loop_loses_and_repeats_nothing(
    tmp_path: Path, reference: Sample, window: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_module, "_COMMIT_SECONDS", -1.0)  # so that each part is kept
    arrivals: list[Arrived] = []
    for number in range(2):
        item = Unreadable("bad", "bad") if number == 1 else _batch().item
        arrivals.append(Arrived(item, f"file{number}", FileProgress("unreadable" if number == 1 else "taken", "1 2")))
    monitor = Monitor(reference, KernelModel(width=2.0, centers=20), window=window)
    start = monitor.state()
    _interrupted(arrivals, monitor, tmp_path / "whole", 0)
    whole = [(v.row, v.source, v.first) for v in read_history(tmp_path / "whole")]
    at, came = 1, True
    while came:
        folder = tmp_path / f"out{at}"
        monitor.resume(*start)
        told, came = _interrupted(arrivals, monitor, folder, at)
        monitor.resume(*start)
        told += _interrupted(arrivals, monitor, folder, 0)[0]
        assert [(v.row, v.source, v.first) for v in read_history(folder)] == whole, at
        assert sorted(set(told)) == list(range(len(whole))), at
        at += 1
    assert at > 50


@pytest.mark.parametrize("content", [b"", b"000", b"x" * 20])
def test_if_nobody_knows_what_was_told_the_last_verdicts_are_told_again(
    tmp_path: Path, reference: Sample, content: bytes
) -> None:
    history = History.open(tmp_path / "out", {})
    watch(_monitor(reference), [_batch(), _batch(), None], history, {})
    history.close()
    (tmp_path / "out/told").write_bytes(content)
    assert _gone_on(tmp_path / "out", reference)[1] == [0, 1]
    assert _gone_on(tmp_path / "out", reference)[1] == []
