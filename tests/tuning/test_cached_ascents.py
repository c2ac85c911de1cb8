"""Climbs that are done once: what is remembered, what the file keeps, and when it is made anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import nplm.tuning.cached_ascents as module
from nplm.tuning.cached_ascents import Climbs

TOYS = np.arange(5)
POINTS = np.arange(10.0).reshape(5, 2)


class Climber:
    """Ends at twice the point, with t = clip + toy; remembers what it was asked to climb.

    Arguments:
        batches: how many it climbs before it is interrupted.
    """

    def __init__(self, batches: int = 1000) -> None:
        self.left = batches
        self.climbed: list[tuple[float, int]] = []

    def __call__(self, clip: float, toys: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.climbed += [(clip, int(toy)) for toy in toys]
        return clip + toys, 2 * points


def climbed_at(clip: float, file: Path | None = None, toys_hash: str = "a", points: np.ndarray = POINTS) -> list[int]:
    """The toys that a new object climbs at a clip, which all end where they should."""
    climber = Climber()
    t, ends = Climbs(climber, 2, file, toys_hash)(clip, TOYS, points)
    np.testing.assert_array_equal(t, clip + TOYS)
    np.testing.assert_array_equal(ends, 2 * points)
    return [toy for _, toy in climber.climbed]


def test_the_same_climb_is_done_once() -> None:
    climber = Climber()
    climbs = Climbs(climber, 2)
    first = climbs(6.0, TOYS, POINTS)
    again = climbs(6.0, TOYS[::-1], POINTS[::-1])
    assert climber.climbed == [(6.0, toy) for toy in TOYS]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other[::-1])


def test_another_clip_toy_or_point_is_another_climb() -> None:
    climber = Climber()
    climbs = Climbs(climber, 2)
    climbs(6.0, TOYS, POINTS)
    climbs(7.0, TOYS[:1], POINTS[:1])
    climbs(6.0, TOYS[1:2], POINTS[:1])
    climbs(6.0, TOYS[:1], np.nextafter(POINTS[:1], np.inf))
    assert climber.climbed[5:] == [(7.0, 0), (6.0, 1), (6.0, 0)]


def test_a_file_keeps_them(tmp_path: Path) -> None:
    file = tmp_path / "climbs.npz"
    assert climbed_at(6.0, file) == [0, 1, 2, 3, 4]
    assert climbed_at(6.0, file) == []
    assert climbed_at(7.0, file) == [0, 1, 2, 3, 4]
    assert climbed_at(6.0, file) == climbed_at(7.0, file) == [], "climbs that were added displace none"
    assert [path.name for path in tmp_path.iterdir()] == ["climbs.npz"]


def test_what_was_climbed_before_an_interrupt_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "climbs.npz"
    with pytest.raises(KeyboardInterrupt):
        Climbs(Climber(batches=2), 2, file, "a")(6.0, TOYS, POINTS)
    assert climbed_at(6.0, file) == [4]


def test_a_process_that_is_killed_loses_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is written between batches too; a kill is a climber that sees what is there by then."""
    monkeypatch.setattr(module, "_SECONDS_BETWEEN_SAVES", -1.0)
    file = tmp_path / "climbs.npz"
    kept: list[int] = []

    def climber(clip: float, toys: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if file.exists():
            with np.load(file) as arrays:
                kept.append(len(arrays["t"]))
        return clip + toys, 2 * points

    Climbs(climber, 2, file, "a")(6.0, TOYS, POINTS)
    assert kept == [2, 4]


def test_climbs_of_other_toys_are_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "climbs.npz"
    climbed_at(6.0, file, "a")
    assert climbed_at(6.0, file, "b") == [0, 1, 2, 3, 4]
    assert climbed_at(6.0, file, "b") == []
    assert climbed_at(6.0, file, "a") == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("damage", ["empty", "cut", "changed", "text", "pickled", "other arrays"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "climbs.npz"
    climbed_at(6.0, file)
    whole = file.read_bytes()
    if damage == "pickled":
        np.savez(file, toys_hash=np.array("a"), keys=np.array([{}], dtype=object))
    elif damage == "other arrays":
        np.savez(file, t=np.zeros(3))
    else:
        middle = whole.index((2 * POINTS).tobytes())
        changed = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
        file.write_bytes({"empty": b"", "cut": whole[:-40], "changed": changed, "text": b"thesis"}[damage])
    assert climbed_at(6.0, file) == [0, 1, 2, 3, 4]
    assert climbed_at(6.0, file) == []
