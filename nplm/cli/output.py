"""The folder of a run: what may be written there, and what may be removed."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nplm.cli.errors import OutputError
from nplm.ensemble.store import CAMPAIGN_FILE, Store, StoreError
from nplm.ensemble.table import ToyTable

if TYPE_CHECKING:
    from nplm.ensemble.campaign import Campaign

# All that a run writes, relative to its folder; a killed run may leave the names with a dot, see `atomic_path`.
_RUN_FILES = re.compile(
    r"result\.json|\.result-[0-9a-f]{16}\.json"
    r"|report\.html|\.report-[0-9a-f]{16}\.html"
    r"|localization\.json|\.localization-[0-9a-f]{16}\.json|events\.csv|\.events-[0-9a-f]{16}\.csv"
    r"|plots/\.?(feature-\d|pair-\d|learned-\d|null|log-ratio|nuisances|tests|matrix|sweep)[^/]*\.(png|pdf)"
    r"|toys/\.?part-\d{5,}(-[0-9a-f]+)*\.parquet(\.corrupt)?"
    r"|toys/campaign\.json|toys/\.campaign-[0-9a-f]{16}\.json"
)
_RUN_FOLDERS = ("plots", "toys")
# What a run writes when all else is written.
_LAST = "report.html"
# The schemas of result.json.
_SCHEMAS = ("nplm-result/", "nplm-multiple/", "nplm-two-sample")


@dataclass
class RunFolder:
    """The output folder of one run.

    An older run in it stays untouched until this one has something to write; an unfinished one goes on.

    Arguments:
        path: the folder.
        unfinished: whether it holds a run that was killed or interrupted before all its toys were done.
    """

    path: Path
    unfinished: bool = False
    _created: list[Path] = field(default_factory=list)
    _store: Store | None = None
    _make_store: Callable[[], Store] | None = None
    _written: int = 0
    _begun: bool = False

    @classmethod
    def check(cls, path: Path, force: bool, resume: bool = True) -> RunFolder:
        """The folder, once it is known that a run may be written there; nothing is changed yet.

        Arguments:
            path: the folder.
            force: whether an older run in it may be replaced.
            resume: whether an unfinished run in it may go on.

        Raises:
            OutputError: if it is not a folder, holds an older run and `force` is not given, or holds other things
                and no run.
        """
        try:
            if path.is_symlink() and not path.exists():
                raise OutputError(f"{path} is a link that leads nowhere; remove it or choose another -o")
            if path.exists() and not path.is_dir():
                raise OutputError(f"{path} is not a folder; choose another -o")
            content = sorted(p for p in path.iterdir() if not _is_left_over(p, path)) if path.exists() else []
        except OSError as error:
            raise OutputError(f"{path} cannot be used as output folder: {error.strerror}; choose another -o") from error
        if content and not _holds_run(path):
            raise OutputError(
                f"{path} holds other files ({_some(content)}) and no run of nplm; choose another -o, nothing is mixed"
                " or overwritten"
            )
        unfinished = resume and not force and _is_unfinished(path)
        if content and not force and not unfinished and not _is_half_written(path):
            raise OutputError(f"{path} holds another run; choose another -o, or give --force to replace that run")
        for name in _RUN_FOLDERS:
            if (path / name).is_symlink():
                raise OutputError(f"{path / name} is a link; remove it or choose another -o")
        others = sorted({*(path / "toys").glob("*")} - {*_run_files(path)})
        if others:
            raise OutputError(f"{path / 'toys'} holds other files ({_some(others)}); choose another -o")
        return cls(path, unfinished)

    def create(self) -> None:
        """Makes the folder where it does not exist, and proves that files can be written to it."""
        self._created = [p for p in (self.path, *self.path.parents) if not p.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            self.discard()
            raise OutputError(f"{self.path} cannot be written: {error.strerror}; choose another -o") from error

    def discard(self) -> None:
        """Removes the folders that `create` made, as far as they are empty."""
        for path in self._created:
            with suppress(OSError):  # a folder that is not empty stays
                path.rmdir()

    def expect(self, campaign: Campaign, toys: int, about: dict[str, Any]) -> ToyTable:
        """Says which toys will come; returns those that an unfinished run in the folder has done.

        Arguments:
            campaign: of the toys.
            toys: how many are wanted.
            about: remarks for the store of the toys, with the fingerprint of the data as "data".

        Raises:
            OutputError: if the unfinished run is not the same.
        """
        plan, folder = campaign.plan(), self.path / "toys"
        self._make_store = lambda: Store.create(folder, plan, range(toys), {**about, **campaign.describe()})
        if not self.unfinished:
            return ToyTable.empty()
        try:
            store = Store.open(folder).require_plan(plan)
            if store.about.get("data") != about["data"]:
                raise StoreError(f"{self.path} holds the unfinished run of other data")
            self._store = self._make_store()
            known = self._store.read()
        except StoreError as error:
            raise OutputError(f"{error}; choose another -o, or give --force to replace that run") from error
        self._written = len(known)
        return known

    def begin(self) -> None:
        """Removes the older run, file by file, once, but the toys that this one goes on with; and nothing else."""
        if self._begun:
            return
        # What makes it a run of nplm goes last: a process that is killed here is no reason to refuse the folder.
        for file in sorted(_run_files(self.path), key=lambda file: file.name == "result.json"):
            if self._store is None or file.parent.name != "toys" or file.name.startswith("."):
                file.unlink()
        for name in _RUN_FOLDERS:
            folder = self.path / name
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        self._begun = True

    def add_toys(self, table: ToyTable) -> None:
        """Adds a finished batch of toys to their store; a killed run keeps what it has done.

        Raises:
            OutputError: if they cannot be written.
        """
        with self.writing():
            self.begin()
            if self._store is None:
                assert self._make_store is not None, "expect comes first"
                self._store = self._make_store()
            self._store.add(table)
        self._written += len(table)

    def complete_toys(self, toys: ToyTable) -> None:
        """Writes the last toys of an interrupted run, if Ctrl-C came before they were on disk.

        Arguments:
            toys: all toys of the run.
        """
        if len(toys) > self._written:
            on_disk = (ToyTable.empty() if self._store is None else self._store.read()).index
            self.add_toys(toys.select(~np.isin(toys.index, on_disk)))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turns the OSError of a write in the block, such as that of a full disk, into the end of the command.

        Raises:
            OutputError: says what the folder keeps.
        """
        try:
            yield
        except OSError as error:
            kept = [f"{self._written} toys"] if self._written else []
            kept += ["result.json"] if self._begun and (self.path / "result.json").is_file() else []
            raise OutputError(
                f"{error.filename or self.path} cannot be written: {error.strerror or error};"
                f" {' and '.join(kept) or 'nothing of this run'} kept in {self.path}"
            ) from error


def _run_files(folder: Path) -> list[Path]:
    candidates = (file for place in (folder, *(folder / name for name in _RUN_FOLDERS)) for file in place.glob("*"))
    ours = (f for f in candidates if _RUN_FILES.fullmatch(f.relative_to(folder).as_posix()))
    return [f for f in ours if f.is_file() or f.is_symlink()]


def _is_left_over(path: Path, folder: Path) -> bool:
    """Whether a process was killed while it wrote this file of a run, or before it wrote one into this folder."""
    if path.is_dir() and not path.is_symlink() and path.parent == folder and path.name in _RUN_FOLDERS:
        return all(_is_left_over(file, folder) for file in path.iterdir())
    return path.name.startswith(".") and bool(_RUN_FILES.fullmatch(path.relative_to(folder).as_posix()))


def _holds_run(folder: Path) -> bool:
    """Whether there is a result of nplm, or toys of a run that was killed before it could write its result."""
    if any(file.parent.name == "toys" for file in _run_files(folder)):
        return True
    try:
        document = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and str(document.get("schema")).startswith(_SCHEMAS)


def _is_unfinished(folder: Path) -> bool:
    """Whether the folder holds toys of a run that was killed, or interrupted before it had all."""
    if not (folder / "toys" / CAMPAIGN_FILE).is_file():
        return False
    if not (folder / _LAST).exists():
        return True
    try:
        return json.loads((folder / "result.json").read_text(encoding="utf-8"))["complete"] is False
    except FileNotFoundError:
        return True
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _is_half_written(folder: Path) -> bool:
    """Whether the folder holds the result of a run that was killed while it wrote it, and no toys to lose."""
    return not (folder / _LAST).exists() and not any(file.parent.name == "toys" for file in _run_files(folder))


def _some(paths: list[Path]) -> str:
    names = ", ".join(path.name for path in paths[:3])
    return names if len(paths) <= 3 else f"{names}, ..."
