"""Files of a folder: which are taken, when, and what is said of those that are half written or change afterwards."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nplm.io.columns import read_columns
from nplm.monitor.batch import Batch, Unreadable
from nplm.monitor.folder import Arrived, folder_arrivals
from nplm.monitor.progress import FileProgress, Progress, stamp_of


def _read(path: Path) -> Batch:
    return Batch.of(read_columns(path, ["x"]), ["x"], source=path.name)


def _looks(folder: Path, progress: Progress) -> Iterator[list[Arrived]]:
    """What each look at a folder that is followed brings; taken as the loop of a monitor does."""
    found: list[Arrived] = []
    for arrived in folder_arrivals(folder, _read, progress, follow=True, poll=0.001):
        if arrived is None:
            yield found
            found = []
        else:
            if arrived.mark is not None:
                progress[arrived.name] = arrived.mark
            found.append(arrived)


def _once(folder: Path, progress: Progress) -> list[Arrived]:
    found = []
    for arrived in folder_arrivals(folder, _read, progress):
        assert arrived is not None
        assert arrived.mark is not None
        progress[arrived.name] = arrived.mark
        found.append(arrived)
    return found


def _told(found: list[Arrived]) -> list[tuple[str, object]]:
    return [(a.name, len(a.item) if isinstance(a.item, Batch) else a.item.status) for a in found]


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
    progress |= {a.name: a.mark for a in found if a.mark is not None}
    assert list(folder_arrivals(tmp_path, read, progress)) == []
    (tmp_path / "b.npz").write_text("longer")
    assert [a.name for a in folder_arrivals(tmp_path, read, progress) if a is not None] == ["b.npz"]


def test_a_folder_that_is_followed_takes_files_that_are_whole(tmp_path: Path) -> None:
    looks = _looks(tmp_path, {})
    (tmp_path / "a.csv").write_text("x\n1\n")
    assert next(looks) == []  # it has been seen once
    (tmp_path / "a.csv").write_text("x\n1\n2\n")
    assert next(looks) == []  # it still grows
    assert _told(next(looks)) == [("a.csv", 2)]
    assert next(looks) == []


def _parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"x": [1.0, 2.0, 3.0]}), sink)
    return sink.getvalue()


def _npz() -> bytes:
    sink = io.BytesIO()
    np.savez(sink, x=np.arange(3.0))
    return sink.getvalue()


@pytest.mark.parametrize(
    ("name", "whole", "half"),
    [
        ("a.csv", b"x\n1.25\n2.5\n3.25\n", b"x\n1.25\n2.5\n3.2"),
        ("a.parquet", _parquet(), _parquet()[:-20]),
        ("a.npz", _npz(), _npz()[:-30]),
    ],
)
def test_a_writer_that_pauses_is_waited_for(tmp_path: Path, name: str, whole: bytes, half: bytes) -> None:
    looks = _looks(tmp_path, {})
    (tmp_path / name).write_bytes(half)
    assert [next(looks) for _ in range(8)] == [[]] * 8
    (tmp_path / name).write_bytes(whole)
    assert next(looks) == []
    assert _told(next(looks)) == [(name, 3)]


@pytest.mark.parametrize(("name", "half"), [("a.csv", b"x\n1.25\n3.2"), ("a.parquet", _parquet()[:-20])])
def test_a_file_that_stays_half_written_is_told_once_and_tried_again(tmp_path: Path, name: str, half: bytes) -> None:
    progress: Progress = {}
    looks = _looks(tmp_path, progress)
    (tmp_path / name).write_bytes(half)
    found = [told for _ in range(30) for told in next(looks)]
    assert _told(found) == [(name, "unreadable")]
    assert isinstance(found[0].item, Unreadable)
    assert str(tmp_path / name) in found[0].item.message
    # Without --follow there are no later looks in which it could be whole.
    other: Progress = {}
    assert _told(_once(tmp_path, other)) == _told(found)
    assert _once(tmp_path, other) == []
    whole = b"x\n1.25\n3.25\n" if name == "a.csv" else _parquet()
    (tmp_path / name).write_bytes(whole)
    assert [type(a.item) for a in _once(tmp_path, other)] == [Batch]
    assert [type(a.item) for _ in range(2) for a in next(looks)] == [Batch]


def test_a_file_that_changes_while_it_is_read_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x\n1\n")

    def growing(path: Path) -> Batch:
        batch = _read(path)
        path.write_text("x\n1\n2\n")
        return batch

    (arrived,) = folder_arrivals(tmp_path, growing, {})
    assert arrived is not None
    assert isinstance(arrived.item, Unreadable)
    assert "changed while it was read" in arrived.item.message
    assert arrived.mark is not None
    assert _told(_once(tmp_path, {"a.csv": arrived.mark})) == [("a.csv", 2)]


@pytest.mark.parametrize("state", ["taken", "begun"])
def test_a_file_that_was_taken_and_changed_is_told_once(tmp_path: Path, state: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x\n1\n")
    mark = FileProgress(state, stamp_of(path), 1 if state == "begun" else 0)  # type: ignore[arg-type]
    path.write_text("x\n1\n2\n")
    for follow in (False, True):
        progress: Progress = {"a.csv": mark}
        looks = _looks(tmp_path, progress)
        (told,) = next(looks) if follow else _once(tmp_path, progress)
        assert isinstance(told.item, Unreadable)
        assert told.item.status == "changed"
        assert "give it another name to have it tested" in told.item.message
        path.write_text("x\n1\n2\n3\n")
        assert (next(looks) if follow else _once(tmp_path, progress)) == []
    path.rename(tmp_path / "b.csv")
    assert _told(_once(tmp_path, progress)) == [("b.csv", 3)]


def test_a_folder_that_is_away_is_told_once_and_looked_at_again(tmp_path: Path) -> None:
    folder, away = tmp_path / "runs", tmp_path / "away"
    folder.mkdir()
    (folder / "a.csv").write_text("x\n1\n")
    looks = _looks(folder, {})
    for _ in range(2):
        assert next(looks) == []
        folder.rename(away)
        (told,) = next(looks)
        assert isinstance(told.item, Unreadable)
        assert told.item.message == f"{folder} cannot be looked at: No such file or directory"
        assert next(looks) == []
        away.rename(folder)
        (folder / "a.csv").write_text("x\n1\n2\n")
    assert next(looks) == []
    assert _told(next(looks)) == [("a.csv", 2)]
    folder.rename(away)
    assert len(list(folder_arrivals(folder, _read, {}))) == 1  # without --follow it is told as well
