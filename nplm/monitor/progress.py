"""How far a monitor is with each file of its folder, and how the file was then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

State = Literal["begun", "taken", "changed", "unreadable"]


@dataclass(frozen=True)
class FileProgress:
    """What became of one file.

    Arguments:
        state: "begun" if some of its events were taken, "taken" if all were, "changed" if it was said that it has
            changed since, or "unreadable".
        stamp: its `stamp_of` at that time.
        events: those that were taken of a file that is begun.
    """

    state: State
    stamp: str
    events: int = 0


Progress = dict[str, FileProgress]


class OtherFolderError(ValueError):
    """Raised when a history is that of another folder."""


def stamp_of(path: Path) -> str:
    """Changes with the file: its size and the time of its last change; "absent" if it is gone, or a link to nothing."""
    try:
        status = path.stat()
    except OSError:
        return "absent"
    return f"{status.st_size} {status.st_mtime_ns}"


def require_same_folder(former: str, folder: Path, progress: Mapping[str, FileProgress]) -> None:
    """Refuses a folder whose files would be taken for those of another one with the same names.

    A folder that was moved is recognized: nothing is left at its former place, and the files that were taken and are
    still there are as they were.

    Arguments:
        former: resolved path of the folder that the history is of.
        folder: what is watched now.
        progress: of its files, by name.

    Raises:
        OtherFolderError: if it is another folder.
    """
    place = Path(former)
    if not progress or (place.exists() and place.samefile(folder)):
        return
    kept = [name for name in progress if (folder / name).exists()]
    same = all(stamp_of(folder / name) == progress[name].stamp for name in kept)
    if not place.exists() and kept and same:
        return
    moved = "" if place.exists() else ", and the files here are not those that were taken there"
    raise OtherFolderError(f"the history is that of the folder {former}, not of {folder.resolve()}{moved}")
