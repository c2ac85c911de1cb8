"""Windows from the files of a folder, looked at once or for as long as files come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from nplm.monitor.batch import Batch, Unreadable
from nplm.monitor.progress import FileProgress, stamp_of

_SUFFIXES = (".npz", ".npy", ".csv", ".h5", ".hdf5", ".parquet", ".root")


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
    """The files of a folder in the order of their names; those that were done are passed over, whatever is in them now.

    A file that could not be read is tried again once its size or time has changed. With `follow` a file is taken when
    it has not changed between two looks, and None is given after each look.

    Arguments:
        folder: where the files are.
        read: reads one; ValueError or OSError if it cannot be.
        progress: of the files, by name.
        pattern: of names that are looked at; names that begin with a dot are not.
        follow: go on until interrupted.
        poll: seconds between two looks.
        note: told of files of a format that is not known.
    """
    settling: dict[str, str] = {}
    unknown: set[str] = set()
    while True:
        for path in sorted(p for p in folder.iterdir() if fnmatch(p.name, pattern) and not p.name.startswith(".")):
            name, known = path.name, progress.get(path.name)
            if path.is_dir() or (known is not None and known.state == "taken"):
                continue
            if path.suffix.lower() not in _SUFFIXES:
                if name not in unknown:
                    note(f"{path} is passed over: its suffix '{path.suffix}' is that of no format that is known")
                    unknown.add(name)
                continue
            stamp = stamp_of(path)
            if known == FileProgress("unreadable", stamp):
                continue
            if follow and settling.get(name) != stamp:
                settling[name] = stamp
                continue
            try:
                yield Arrived(read(path), name, FileProgress("taken", stamp))
            except (ValueError, OSError) as error:
                yield Arrived(Unreadable(name, str(error)), name, FileProgress("unreadable", stamp))
        if not follow:
            return
        yield None
        time.sleep(poll)
