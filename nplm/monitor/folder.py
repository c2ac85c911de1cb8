"""Windows from the files of a folder, looked at once or for as long as files come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from nplm.monitor.batch import Batch, Unreadable
from nplm.monitor.progress import FileProgress, stamp_of

_SUFFIXES = (".npz", ".npy", ".csv", ".h5", ".hdf5", ".parquet", ".feather", ".arrow", ".root")
# Looks at a file that stays as it is, and unreadable, until it is said to be so: its writer may only have paused.
_PATIENCE = 10


@dataclass(frozen=True)
class Arrived:
    """What a source brings.

    Arguments:
        item: a batch, or what was unreadable.
        name: of the file; empty for a stream, whose progress is that of the monitor.
        mark: progress once the item was taken, for a file.
    """

    item: Batch | Unreadable
    name: str = ""
    mark: FileProgress | None = None


@dataclass(frozen=True)
class _Seen:
    """A file that was seen and not taken: how it was, why it could not be read then, and how many looks ago."""

    stamp: str
    failure: str = ""
    looks: int = 0


def folder_arrivals(
    folder: Path,
    read: Callable[[Path], Batch],
    progress: Mapping[str, FileProgress],
    *,
    pattern: str = "*",
    follow: bool = False,
    poll: float = 1.0,
    note: Callable[[str], None] = lambda message: None,
) -> Iterator[Arrived | None]:
    """The files of a folder in the order of their names; those that were taken are passed over.

    A file that was taken and has changed since is told once, as "changed". One that could not be read is tried again
    once its size or time has changed. With `follow` a file is taken when it has not changed between two looks, one that
    cannot be read is told after ten looks without a change, and None is given after each look. A folder that cannot be
    looked at, such as one on a disk that is away, is told once until it can be again.

    Arguments:
        folder: where the files are.
        read: reads one; ValueError or OSError if it cannot be.
        progress: of the files, by name.
        pattern: of names that are looked at; names that begin with a dot are not.
        follow: go on until interrupted.
        poll: seconds between two looks.
        note: told of files of a format that is not known.
    """
    seen: dict[str, _Seen] = {}
    unknown: set[str] = set()
    gone = False
    while True:
        try:
            files = sorted(p for p in folder.iterdir() if fnmatch(p.name, pattern) and not p.name.startswith("."))
            gone = False
        except OSError as error:
            files = []
            if not gone:
                yield Arrived(Unreadable(str(folder), f"{folder} cannot be looked at: {error.strerror}"))
            gone = True
        for path in files:
            name, known = path.name, progress.get(path.name)
            if path.is_dir() or (known is not None and known.state == "changed"):
                continue
            if path.suffix.lower() not in _SUFFIXES:
                if name not in unknown:
                    note(f"{path} is passed over: its suffix '{path.suffix}' is that of no format that is known")
                    unknown.add(name)
                continue
            stamp = stamp_of(path)
            if known is not None and known.state in ("begun", "taken") and known.stamp != stamp:
                yield Arrived(_changed(name, known), name, FileProgress("changed", stamp))
            elif known is None or known.state == "begun" or known.stamp != stamp:
                if not follow:
                    yield _arrived(path, stamp, read)
                elif arrived := _followed(path, stamp, read, seen):
                    yield arrived
        if not follow:
            return
        yield None
        time.sleep(poll)


def _followed(path: Path, stamp: str, read: Callable[[Path], Batch], seen: dict[str, _Seen]) -> Arrived | None:
    """What a file brings that may be written while it is looked at; None if it is left for later looks."""
    before = seen.get(path.name)
    if before is None or before.stamp != stamp:
        seen[path.name] = _Seen(stamp)
        return None
    if before.looks == 0:
        arrived = _arrived(path, stamp, read)
        if isinstance(arrived.item, Batch):
            return arrived
        before = replace(before, failure=arrived.item.message)
    seen[path.name] = replace(before, looks=before.looks + 1)
    if before.looks + 1 < _PATIENCE:
        return None
    return Arrived(Unreadable(path.name, before.failure), path.name, FileProgress("unreadable", stamp))


def _arrived(path: Path, stamp: str, read: Callable[[Path], Batch]) -> Arrived:
    """The events of a file, if it is whole."""
    try:
        require_last_line_to_end(path)
        batch = read(path)
        if stamp_of(path) != stamp:
            raise ValueError(f"{path} changed while it was read; it is tried again when it is looked at next")
    except (ValueError, OSError) as error:
        return Arrived(Unreadable(path.name, str(error)), path.name, FileProgress("unreadable", stamp))
    return Arrived(batch, path.name, FileProgress("taken", stamp))


def require_last_line_to_end(path: Path) -> None:
    """Raises ValueError for a CSV file whose last line has no end: what is there may be half of a number."""
    if path.suffix.lower() != ".csv" or not path.stat().st_size:
        return
    with path.open("rb") as file:
        file.seek(-1, 2)
        if file.read(1) not in (b"\n", b"\r"):
            raise ValueError(
                f"{path}: its last line has no end, so it may have been cut short, or may still be written; it is tried"
                " again when it changes, so end it with a newline if it is whole"
            )


def _changed(name: str, known: FileProgress) -> Unreadable:
    what = f"its first {known.events} events were" if known.state == "begun" else "it was"
    return Unreadable(
        name,
        f"{name} has changed since {what} taken, and what is new in it is not tested; give it another name to have it"
        " tested anew",
        status="changed",
    )
