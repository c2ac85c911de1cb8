"""Which folder a history is of: the same, one that was moved, or another with the same names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from nplm.monitor.progress import FileProgress, OtherFolderError, Progress, require_same_folder, stamp_of


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    folder.mkdir()
    for i in range(3):
        (folder / f"run{i}.npz").write_text("x" * i)
    return folder


def _progress(folder: Path) -> Progress:
    return {path.name: FileProgress("taken", stamp_of(path)) for path in folder.iterdir()}


def test_the_same_folder_by_any_name(runs: Path, tmp_path: Path) -> None:
    progress = _progress(runs)
    (tmp_path / "link").symlink_to(runs)
    (runs / "run0.npz").write_text("has changed")
    for name in (runs, tmp_path / "link", tmp_path / "link" / ".." / "runs"):
        require_same_folder(str(runs), name, progress)


def test_a_folder_that_was_moved_is_recognized_by_what_is_left_of_it(runs: Path, tmp_path: Path) -> None:
    progress = _progress(runs)
    moved = runs.rename(tmp_path / "moved")
    require_same_folder(str(runs), moved, progress)
    (moved / "run1.npz").unlink()
    (moved / "new.npz").write_text("x")
    require_same_folder(str(runs), moved, progress)
    (moved / "run2.npz").write_text("other")
    with pytest.raises(OtherFolderError, match="not those that were taken there"):
        require_same_folder(str(runs), moved, progress)


def test_another_folder_is_refused_even_a_copy_and_an_empty_one(runs: Path, tmp_path: Path) -> None:
    progress = _progress(runs)
    copy = tmp_path / "copy"
    shutil.copytree(runs, copy)  # times of change are copied as well
    with pytest.raises(OtherFolderError, match=f"that of the folder {runs}, not of {copy}"):
        require_same_folder(str(runs), copy, progress)
    shutil.rmtree(runs)
    (tmp_path / "empty").mkdir()
    with pytest.raises(OtherFolderError):
        require_same_folder(str(runs), tmp_path / "empty", progress)
    require_same_folder(str(runs), tmp_path / "empty", {})  # nothing was taken yet


def test_a_stamp_changes_with_size_and_time(runs: Path) -> None:
    path = runs / "run1.npz"
    os.utime(path, ns=(1, 1))
    first = stamp_of(path)
    os.utime(path, ns=(1, 2))
    assert stamp_of(path) != first
    path.write_text("longer")
    os.utime(path, ns=(1, 1))
    assert stamp_of(path) != first
    assert stamp_of(runs / "none.npz") == "absent"
