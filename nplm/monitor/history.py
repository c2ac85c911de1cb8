"""What a monitor keeps in its folder: verdicts in Parquet parts, and the state that a restart goes on with.

    state.npz                   settings, progress, events that wait, and the verdicts that were written last
    history/part-00000.parquet  verdicts, 1000 a part; the last part is written anew until it is full
    told                        the number of verdicts that were told

The state is written first, whole or not at all, and the parts after it: a process that is killed between the two leaves
the missing verdicts in the state, and the next one puts them into the parts. A verdict is told after that, and the next
process tells those that were not.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile

import numpy as np

from nplm._util.files import atomic_path
from nplm._util.json_values import json_value
from nplm.monitor.batch import Batch
from nplm.monitor.progress import FileProgress, Progress
from nplm.monitor.verdict import Verdict

SCHEMA = "nplm-monitor/2"
_STATE, _PARTS, _LOCK, _TOLD = "state.npz", "history", ".lock", "told"
# Digits of the number in `told`: of one length, so that it is replaced in one go.
_DIGITS = 20
_ROWS_OF_A_PART = 1000
# What a file that was cut short may raise.
_CUT_SHORT = (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile, zlib.error)


class HistoryError(ValueError):
    """Raised when a folder cannot be used: it holds other things, another monitor's history, or is in use."""


@dataclass(frozen=True, eq=False)
class Saved:
    """What a former process left.

    Arguments:
        monitor: its state.
        waiting: events that wait for their window.
        progress: of the files, by name.
        folder: resolved path of the folder that they are in; empty for a stream.
    """

    monitor: dict[str, Any]
    waiting: Batch | None
    progress: Progress
    folder: str


@dataclass
class History:
    """The folder of one monitor; one process at a time writes to it.

    Arguments:
        folder: where it is.
        settings: what must stay the same, as JSON values.
        watched: resolved path of the folder whose files are tested; empty for a stream.
        saved: what a former process left; None if there was none.
        untold: verdicts that are kept and were not told yet.
        damaged: a sentence for each part that could not be read, and was set aside.
    """

    folder: Path
    settings: dict[str, Any]
    watched: str = ""
    saved: Saved | None = None
    untold: list[Verdict] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    _last: list[Verdict] = field(default_factory=list)
    _first_of_last: int = 0
    _lock: IO[str] | None = None
    _told: IO[bytes] | None = None

    @classmethod
    def open(cls, folder: Path, settings: Mapping[str, Any], watched: str = "") -> History:
        """Makes the folder, or goes on with what is in it.

        Arguments:
            folder: where the history is kept.
            settings: what must be the same for a history to go on, as JSON values.
            watched: resolved path of the folder whose files are tested; empty for a stream.

        Raises:
            HistoryError: if the folder holds other things, or the history of other settings, or is in use.
            OSError: if it cannot be written.
        """
        if folder.exists() and not folder.is_dir():
            raise HistoryError(f"{folder} is not a folder; choose another -o")
        if folder.is_dir() and any(folder.iterdir()) and not (folder / _STATE).exists() and not _is_new(folder):
            raise HistoryError(f"{folder} holds other files and no history of a monitor; choose another -o")
        (folder / _PARTS).mkdir(parents=True, exist_ok=True)
        history = cls(folder, json_value(settings), watched)
        history._lock = _locked(folder / _LOCK)
        _remove_unfinished(folder)
        if not (folder / _TOLD).exists():
            (folder / _TOLD).write_text("0" * _DIGITS)
        history._told = (folder / _TOLD).open("r+b", buffering=0)
        if (folder / _STATE).exists():
            try:
                history._read_state()
            except HistoryError:
                history.close()
                raise
        return history

    def _read_state(self) -> None:
        try:
            with np.load(self.folder / _STATE, allow_pickle=False) as arrays:
                state = json.loads(str(arrays["state"]))
                waiting = None
                if "events" in arrays:
                    waiting = Batch(arrays["events"], arrays["weights"], arrays.get("times"), state["source"])
        except _CUT_SHORT as error:
            raise HistoryError(
                f"{self.folder / _STATE} cannot be read, as if it was cut short ({error}), and what was tested is no"
                " longer known; choose another -o"
            ) from error
        if state.get("schema") != SCHEMA:
            raise HistoryError(f"{self.folder} holds no history that this version of nplm knows; choose another -o")
        former = state["settings"]
        other = [f"{k} is {self.settings.get(k)}, not {v}" for k, v in former.items() if self.settings.get(k) != v]
        if other:
            raise HistoryError(
                f"{self.folder} holds the history of another monitor ({'; '.join(other)}); choose another -o"
            )
        progress = {name: FileProgress(**values) for name, values in state["progress"].items()}
        self.saved = Saved(state["monitor"], waiting, progress, state["watched"])
        self._read_last_part()
        known = self._last[-1].row + 1 if self._last else 0
        last = list(map(Verdict.of, state["verdicts"]))
        self._append([v for v in last if v.row >= known])
        row = state["monitor"]["row"]
        told = self._read_told(last[0].row if last else row)
        self.untold = [v for v in self.recent(row - told) if v.row >= told] if told < row else []

    def _read_last_part(self) -> None:
        """Reads the last part that is whole; those that are not are set aside, as nothing can be read beside them."""
        import pyarrow.parquet as pq

        for part in sorted(self.folder.glob(f"{_PARTS}/part-*.parquet"), key=_number, reverse=True):
            try:
                if self._last:
                    pq.read_metadata(part)
                else:
                    self._last, self._first_of_last = read_part(part), _number(part)
            except _CUT_SHORT:
                aside = part.with_name(f"{part.name}.damaged")
                part.replace(aside)
                self.damaged.append(
                    f"{part} cannot be read, as if it was cut short: its verdicts are lost, it is set aside as"
                    f" {aside.name}, and the others go on"
                )

    def _read_told(self, otherwise: int) -> int:
        """How many verdicts were told; `otherwise` if the file was cut short, as it may be by a disk that is full."""
        digits = (self.folder / _TOLD).read_bytes()
        return int(digits) if len(digits) == _DIGITS and digits.isdigit() else otherwise

    def tell(self, on_verdict: Callable[[Verdict], None]) -> None:
        """Calls a function with each verdict that was not told yet."""
        assert self._told is not None
        while self.untold:
            on_verdict(self.untold[0])
            told = self.untold.pop(0)
            self._told.seek(0)
            self._told.write(f"{told.row + 1:0{_DIGITS}d}".encode())

    def commit(
        self,
        verdicts: Sequence[Verdict],
        monitor: tuple[dict[str, Any], Batch | None],
        progress: Mapping[str, FileProgress],
    ) -> None:
        """Keeps verdicts, and the state that they lead to; none of it or all of it is there after a crash."""
        values, waiting = monitor
        state = {
            "schema": SCHEMA,
            "settings": self.settings,
            "monitor": values,
            "progress": {name: asdict(of_file) for name, of_file in progress.items()},
            "watched": self.watched,
            "source": "" if waiting is None else waiting.source,
            "verdicts": [v.to_dict() for v in verdicts],
        }
        arrays = {"state": np.array(json.dumps(state))}
        if waiting is not None:
            arrays |= {"events": waiting.events, "weights": waiting.weights}
            if waiting.times is not None:
                arrays["times"] = waiting.times
        with atomic_path(self.folder / _STATE) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        self._append(verdicts)

    def _append(self, verdicts: Sequence[Verdict]) -> None:
        for verdict in verdicts:
            if self._last and verdict.row <= self._last[-1].row:  # an interrupt came after it was kept
                continue
            if len(self._last) >= _ROWS_OF_A_PART:
                self._write_last()
                self._last = []
            if not self._last:
                self._first_of_last = verdict.row
            self.untold.append(verdict)
            self._last.append(verdict)
        if verdicts:
            self._write_last()

    def _write_last(self) -> None:
        with atomic_path(self.folder / _PARTS / f"part-{self._first_of_last:05d}.parquet") as temporary:
            write_part(temporary, self._last)

    def recent(self, count: int) -> list[Verdict]:
        """The last verdicts, at most so many."""
        return read_history(self.folder, count)

    def close(self) -> None:
        """Lets other processes in."""
        for file in (self._lock, self._told):
            if file is not None:
                file.close()
        self._lock = self._told = None


def read_history(folder: Path, count: int | None = None) -> list[Verdict]:
    """The verdicts in a monitor's folder, in order.

    Arguments:
        folder: where the monitor kept them.
        count: the last so many; None for all.
    """
    verdicts: list[Verdict] = []
    for part in sorted(folder.glob(f"{_PARTS}/part-*.parquet"), key=_number, reverse=True):
        verdicts = read_part(part) + verdicts
        if count is not None and len(verdicts) >= count:
            return verdicts[-count:]
    return verdicts


def write_part(path: Path, verdicts: Sequence[Verdict]) -> None:
    """Verdicts as the rows of a Parquet file; alarms are one text, with commas."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [v.to_dict() for v in verdicts]
    for row in rows:
        row["alarms"] = ", ".join(row["alarms"])
    whole = ("row", "first", "events", "not_finite", "far")
    text = ("time", "source", "status", "alarms", "message", "reference", "report")
    kinds = {name: pa.int64() if name in whole else pa.string() if name in text else pa.float64() for name in rows[0]}
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(list(kinds.items()))), path)


def read_part(path: Path) -> list[Verdict]:
    """The verdicts of one file."""
    import pyarrow.parquet as pq

    rows = pq.read_table(path).to_pylist()
    return [Verdict.of({**row, "alarms": tuple(filter(None, row["alarms"].split(", ")))}) for row in rows]


def _number(part: Path) -> int:
    return int(part.stem.partition("-")[2])


def _is_new(folder: Path) -> bool:
    """Whether a process was killed before it wrote a state."""
    names = {p.name for p in folder.iterdir() if not _is_unfinished(p)}
    return names <= {_PARTS, _LOCK, _TOLD} and not any(folder.glob(f"{_PARTS}/part-*"))


def _is_unfinished(path: Path) -> bool:
    """Whether a process was killed while it wrote this file, see `atomic_path`."""
    return re.fullmatch(r"\.(state|part-\d+|monitor)-[0-9a-f]{16}\.\w+", path.name) is not None


def _remove_unfinished(folder: Path) -> None:
    for path in (*folder.iterdir(), *(folder / _PARTS).iterdir()):
        if _is_unfinished(path):
            path.unlink()


def _locked(path: Path) -> IO[str]:
    """A file that one process can hold; the system lets go of it however the process ends."""
    import fcntl

    file = path.open("w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise HistoryError(f"{path.parent} is in use by another process; choose another -o, or end that one") from None
    return file
