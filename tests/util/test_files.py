"""A file appears whole or not at all."""

import stat
from pathlib import Path

import pytest

from nplm._util.files import atomic_path, is_temporary_of, watching, write_new


def test_the_file_appears_when_the_block_succeeds(tmp_path: Path) -> None:
    target = tmp_path / "toys.npz"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".npz"
        assert not target.exists()
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("interruption", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_no_rubbish(tmp_path: Path, interruption: type[BaseException]) -> None:
    target = tmp_path / "toys.npz"
    target.write_text("old")

    def write() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise interruption

    with pytest.raises(interruption):
        write()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_two_writers_do_not_meet(tmp_path: Path) -> None:
    target = tmp_path / "toys.npz"
    with atomic_path(target) as first, atomic_path(target) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert target.read_text() == "first"  # the outer block ends last


def test_the_umask_decides_who_may_read(tmp_path: Path) -> None:
    plain, atomic = tmp_path / "plain", tmp_path / "atomic"
    plain.write_text("")
    with atomic_path(atomic) as temporary:
        temporary.write_text("")
    assert stat.S_IMODE(atomic.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere does not exist"), atomic_path(tmp_path / "nowhere" / "a.npz"):
        pass


def test_a_folder_is_no_target(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="it is a folder"), atomic_path(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_one_of_several_writes_a_new_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*arguments: object) -> None:
        raise PermissionError("this file system has none")

    for target in (tmp_path / "first", tmp_path / "second"):
        write_new(target, "mine")
        with pytest.raises(FileExistsError):
            write_new(target, "yours")
        assert target.read_text() == "mine"
        monkeypatch.setattr("nplm._util.files.os.link", no_links)
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second"}


def test_who_watches_is_told_of_each_file_and_may_forbid_it(tmp_path: Path) -> None:
    told: list[str] = []

    def watcher(target: Path) -> None:
        told.append(target.name)
        if target.name == "forbidden":
            raise RuntimeError

    with watching(watcher):
        with atomic_path(tmp_path / "one") as temporary:
            temporary.touch()
        write_new(tmp_path / "two", "")
        with pytest.raises(RuntimeError), atomic_path(tmp_path / "forbidden") as temporary:
            temporary.touch()
    write_new(tmp_path / "three", "")
    assert told == ["one", "two", "forbidden"]
    assert {path.name for path in tmp_path.iterdir()} == {"one", "two", "three"}


def test_the_remains_of_a_killed_process_are_known(tmp_path: Path) -> None:
    target = tmp_path / "null.png"
    with atomic_path(target) as temporary:
        assert is_temporary_of(temporary, target)
        temporary.touch()
    for name in ("null.png", ".null-mine.png", f".null-{'0' * 16}.pdf", f".null2-{'0' * 16}.png"):
        assert not is_temporary_of(tmp_path / name, target)
