"""The history: what is kept together, what a killed process leaves, and which folders are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from nplm import KernelModel, Monitor, Sample
from nplm.monitor import history as module
from nplm.monitor.batch import Batch
from nplm.monitor.folder import Arrived
from nplm.monitor.history import History, HistoryError, read_history
from nplm.monitor.loop import watch
from nplm.monitor.progress import FileProgress
from nplm.monitor.verdict import Verdict

_SETTINGS = {"window": 300}
_TAKEN = FileProgress("taken", "1 2")


def _monitor() -> Monitor:
    reference = Sample(np.random.default_rng(1).normal(size=(20_000, 1)), features=["pt"])
    return Monitor(reference, KernelModel(width=2.0, centers=30), window=300)


def _batches(count: int, size: int = 250) -> list[Arrived]:
    rng = np.random.default_rng(2)
    return [
        Arrived(Batch(rng.normal(size=(size, 1)), np.ones(size), None, f"file{i}"), f"file{i}", _TAKEN)
        for i in range(count)
    ]


def _key(verdicts: list[Verdict]) -> list[tuple[object, ...]]:
    return [(v.row, v.first, v.source, v.p_shape, v.drift_shape) for v in verdicts]


def test_a_restart_after_every_arrival_gives_the_history_of_one_run(tmp_path: Path) -> None:
    arrivals = _batches(8)
    whole = History.open(tmp_path / "whole", _SETTINGS)
    watch(_monitor(), arrivals, whole, {})
    for arrived in arrivals:
        history = History.open(tmp_path / "parts", _SETTINGS)
        monitor, progress = _monitor(), {}
        if history.saved is not None:
            monitor.resume(history.saved.monitor, history.saved.waiting)
            progress = history.saved.progress
        watch(monitor, [arrived], history, progress)
        history.close()
    found = read_history(tmp_path / "parts")
    assert _key(found) == _key(read_history(tmp_path / "whole"))
    assert len(found) == 8 * 250 // 300
    assert progress == {f"file{i}": _TAKEN for i in range(8)}


def test_parts_that_were_not_written_any_more_come_from_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Verdict] = []
    history = History.open(tmp_path / "out", _SETTINGS)
    watch(_monitor(), _batches(4), history, {}, on_verdict=told.append)
    (tmp_path / "out/history/part-00000.parquet").unlink()
    history.close()
    History.open(tmp_path / "out", _SETTINGS).close()
    assert _key(read_history(tmp_path / "out")) == _key(told)


def test_parts_are_closed_and_the_last_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ROWS_OF_A_PART", 3)
    for _ in range(2):
        history = History.open(tmp_path / "out", _SETTINGS)
        monitor, progress = _monitor(), {}
        if history.saved is not None:
            monitor.resume(history.saved.monitor, history.saved.waiting)
        watch(monitor, [Arrived(a.item) for a in _batches(6)], history, progress)
        history.close()
    parts = sorted((tmp_path / "out/history").glob("*.parquet"))
    assert [pq.read_metadata(p).num_rows for p in parts] == [3, 3, 3, 1]
    assert [v.row for v in read_history(tmp_path / "out")] == list(range(10))
    assert [v.row for v in read_history(tmp_path / "out", 4)] == [6, 7, 8, 9]


def test_a_state_that_was_cut_short_is_one_line_wherever_it_ends(tmp_path: Path) -> None:
    history = History.open(tmp_path / "out", _SETTINGS)
    watch(_monitor(), _batches(4), history, {})
    history.close()
    state = (tmp_path / "out/state.npz").read_bytes()
    for cut in (*range(0, 200, 7), *range(200, len(state), 97), len(state) - 1):
        (tmp_path / "out/state.npz").write_bytes(state[:cut])
        with pytest.raises(HistoryError, match=r"state\.npz cannot be read, as if .* choose another -o"):
            History.open(tmp_path / "out", _SETTINGS)
    (tmp_path / "out/state.npz").write_bytes(state)
    History.open(tmp_path / "out", _SETTINGS).close()


@pytest.mark.parametrize("damaged", [[0], [3], [6], [9], [0, 3, 6, 9]])
def test_parts_that_were_cut_short_are_set_aside_and_the_watch_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damaged: list[int]
) -> None:
    monkeypatch.setattr(module, "_ROWS_OF_A_PART", 3)
    history = History.open(tmp_path / "out", _SETTINGS)
    watch(_monitor(), [Arrived(a.item) for a in _batches(12)], history, {})
    history.commit([], history_state := _monitor().state(), {})
    assert history_state[0]["row"] == 0
    history.close()
    state = {"row": 10, **{k: v for k, v in history_state[0].items() if k != "row"}}
    history = History.open(tmp_path / "out", _SETTINGS)
    history.commit([], (state, None), {})
    history.close()
    for row in damaged:
        part = tmp_path / f"out/history/part-{row:05d}.parquet"
        part.write_bytes(part.read_bytes()[:-40])
    history = History.open(tmp_path / "out", _SETTINGS)
    assert len(history.damaged) == len(damaged)
    assert all("cut short" in sentence for sentence in history.damaged)
    assert history.saved is not None
    monitor = _monitor()
    monitor.resume(history.saved.monitor, history.saved.waiting)
    watch(monitor, [Arrived(a.item) for a in _batches(3)], history, {})
    history.close()
    lost = {row + i for row in damaged for i in range(3) if row + i < 10}
    assert [v.row for v in read_history(tmp_path / "out")] == [row for row in range(12) if row not in lost]
    again = History.open(tmp_path / "out", _SETTINGS)
    assert again.damaged == []
    again.close()


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / "out/history").mkdir(parents=True)
    left = [tmp_path / "out" / name for name in (".state-0123456789abcdef.npz", ".monitor-0123456789abcdef.html")]
    left.append(tmp_path / "out/history/.part-00000-0123456789abcdef.parquet")
    for path in left:
        path.write_bytes(b"half")
    History.open(tmp_path / "out", _SETTINGS).close()
    assert not any(path.exists() for path in left)


def test_verdicts_without_a_state_are_not_written_over(tmp_path: Path) -> None:
    history = History.open(tmp_path / "out", _SETTINGS)
    watch(_monitor(), _batches(4), history, {})
    history.close()
    (tmp_path / "out/state.npz").unlink()
    with pytest.raises(HistoryError, match="no history"):
        History.open(tmp_path / "out", _SETTINGS)
    assert len(read_history(tmp_path / "out")) == 3


def test_folders_that_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/thesis.tex").write_text("x")
    for name, words in (("file", "is not a folder"), ("other", "holds other files")):
        with pytest.raises(HistoryError, match=words):
            History.open(tmp_path / name, _SETTINGS)
    history = History.open(tmp_path / "out", _SETTINGS)
    with pytest.raises(HistoryError, match="in use by another process"):
        History.open(tmp_path / "out", _SETTINGS)
    history.commit([], _monitor().state(), {})
    history.close()
    with pytest.raises(HistoryError, match="window is 400, not 300"):
        History.open(tmp_path / "out", {"window": 400})
    (tmp_path / "out/state.npz").write_bytes(b"PK no zip")
    with pytest.raises(HistoryError, match="cannot be read"):
        History.open(tmp_path / "out", _SETTINGS)
