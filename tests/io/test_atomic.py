"""A file appears whole or not at all."""

import stat
from pathlib import Path

import pytest

from nplm._atomic import atomic_path, remove_left_over


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


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    target, number = tmp_path / "toys[1].npz", "0123456789abcdef"
    others = [
        target,
        *(tmp_path / f".{name}" for name in (f"other-{number}.npz", "toys[1]-mine.npz", f"toys1-{number}.npz")),
    ]
    for file in (*others, tmp_path / f".toys[1]-{number}.npz"):
        file.touch()
    remove_left_over(target)
    assert sorted(tmp_path.iterdir()) == sorted(others)
