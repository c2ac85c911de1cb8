"""The history: what is kept together, what a killed process leaves, and which folders are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from nplm import KernelModel, Monitor, Sample
from nplm.monitor import history as module
from nplm.monitor.batch import Batch, Unreadable
from nplm.monitor.folder import Arrived, folder_arrivals
from nplm.monitor.history import History, HistoryError, read_history
from nplm.monitor.progress import FileProgress, Progress, stamp_of
from nplm.monitor.verdict import Verdict
from nplm.monitor.watch import watch

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


def test_files_of_a_folder(tmp_path: Path) -> None:
    for name in ("b.npz", "a.npz", "c.npz", ".hidden.npz", "notes.txt", "done.npz"):
        (tmp_path / name).write_text("x")

    def read(path: Path) -> Batch:
        if path.name == "b.npz":
            raise ValueError("b is bad")
        return Batch(np.zeros((2, 1)), np.ones(2), None, path.name)

    notes: list[str] = []
    progress: Progress = {"done.npz": FileProgress("taken", stamp_of(tmp_path / "done.npz"))}
    found = [a for a in folder_arrivals(tmp_path, read, progress, note=notes.append) if a is not None]
    assert [a.name for a in found] == ["a.npz", "b.npz", "c.npz"]
    assert isinstance(found[1].item, Unreadable)
    assert found[1].item.message == "b is bad"
    assert len(notes) == 1
    assert "notes.txt" in notes[0]
    # A bad file that has not changed is not tried again; one that has is.
    assert found[1].mark is not None
    progress |= {a.name: a.mark for a in found if a.mark is not None}
    assert list(folder_arrivals(tmp_path, read, progress)) == []
    (tmp_path / "b.npz").write_text("longer")
    assert [a.name for a in folder_arrivals(tmp_path, read, progress) if a is not None] == ["b.npz"]


def test_a_folder_that_is_followed_takes_files_that_are_whole(tmp_path: Path) -> None:
    progress: Progress = {}
    (tmp_path / "a.npz").write_text("x")
    batch = Batch(np.zeros((2, 1)), np.ones(2), None, "a")
    arrivals = folder_arrivals(tmp_path, lambda path: batch, progress, follow=True, poll=0.01)
    assert next(arrivals) is None  # it has been seen once
    (tmp_path / "a.npz").write_text("xx")
    assert next(arrivals) is None  # it still grows
    arrived = next(arrivals)
    assert arrived is not None
    assert arrived.name == "a.npz"
