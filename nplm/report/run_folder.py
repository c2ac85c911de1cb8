"""The folder of a run: what may be written there, and what may be removed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nplm._util.files import watching
from nplm.report.folder_error import ON_THE_COMMAND_LINE, FolderError, Remedies
from nplm.report.manifest import MANIFEST_FILE, Manifest, some
from nplm.toys.store import CAMPAIGN_FILE, Store, StoreError
from nplm.toys.table import ToyTable

if TYPE_CHECKING:
    from nplm.toys.campaign import Campaign

# What nearly every run writes: that somebody else's files have these names is said before anything is computed.
_USUAL_FILES = ("result.json", "report.html", "localization.json", "events.csv")
_RUN_FOLDERS = ("plots", "toys")
# The programs that replace each other's runs; the last is what Python said before it had write_report.
_PROGRAMS = (
    "nplm test",
    "nplm validate",
    "nplm hunt",
    "nplm measure",
    "nplm channels",
    "write_report",
    "result.write",
)
# The schemas of result.json.
_SCHEMAS = (
    "nplm-result/",
    "nplm-multiple/",
    "nplm-two-sample",
    "nplm-regions/",
    "nplm-combined/",
    "nplm-explain/",
    "nplm-graph/",
)


@dataclass
class RunFolder:
    """The output folder of one run.

    An older run in it stays untouched until this one has something to write; an unfinished one goes on.

    Arguments:
        path: the folder.
        command: what writes there.
        unfinished: whether it holds toys of a run that was killed or interrupted, which may go on.
        remedies: in whose words it is refused.
    """

    path: Path
    command: str
    unfinished: bool = False
    remedies: Remedies = ON_THE_COMMAND_LINE
    _older: Manifest | None = None
    _manifest: Manifest | None = None
    _created: list[Path] = field(default_factory=list)
    _store: Store | None = None
    _make_store: Callable[[], Store] | None = None
    _written: int = 0

    @classmethod
    def check(
        cls,
        path: Path,
        command: str,
        force: bool,
        resume: bool = True,
        remedies: Remedies = ON_THE_COMMAND_LINE,
    ) -> RunFolder:
        """The folder, once it is known that a run may be written there; nothing is changed yet.

        Arguments:
            path: the folder.
            command: the whole command; one that was killed is done again by the same.
            force: whether an older run in it may be replaced.
            resume: whether this run has toys that may go on with those of an unfinished run of another command.
            remedies: in whose words it is refused.

        Raises:
            FolderError: if it is not a folder, holds an older run and `force` is not given, or holds other things
                and no run.
        """
        try:
            if path.is_symlink() and not path.exists():
                raise FolderError(f"{path} is a link that leads nowhere; remove it or choose {remedies.another}")
            if path.exists() and not path.is_dir():
                raise FolderError(f"{path} is not a folder; choose {remedies.another}")
            content = sorted(path.iterdir()) if path.exists() else []
        except OSError as error:
            raise FolderError(
                f"{path} cannot be used as output folder: {error.strerror}; choose {remedies.another}"
            ) from error
        older = Manifest.read(path, remedies) if content else None
        if content and older is None:
            raise FolderError(_why_refused(path, content, remedies))
        if older is not None and not older.program.startswith(_PROGRAMS):
            raise FolderError(f"{path} holds what {older.program} wrote; choose {remedies.another}")
        toys = resume and not force and (path / "toys" / CAMPAIGN_FILE).is_file()
        going_on = older is not None and not older.complete and (toys or older.command == command)
        if older is not None and not force and not going_on:
            raise FolderError(
                f"{path} holds another run; choose {remedies.another}, or give {remedies.replace} to replace that run"
            )
        for name in _RUN_FOLDERS:
            if (path / name).is_symlink():
                raise FolderError(f"{path / name} is a link; remove it or choose {remedies.another}")
        for name in _USUAL_FILES:
            if older is not None:
                older.require_own(path / name)
        others = [] if older is None else [file for file in older.others() if file.is_relative_to(path / "toys")]
        if others:
            raise FolderError(f"{path / 'toys'} holds other files ({some(others)}); choose {remedies.another}")
        return cls(path, command, toys and going_on, remedies, older)

    def create(self) -> None:
        """Makes the folder where it does not exist, and proves that files can be written to it."""
        self._created = [p for p in (self.path, *self.path.parents) if not p.exists()]
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass
        except OSError as error:
            self.discard()
            raise FolderError(
                f"{self.path} cannot be written: {error.strerror}; choose {self.remedies.another}"
            ) from error

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
            FolderError: if the unfinished run is not the same.
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
            raise FolderError(
                f"{error}; choose {self.remedies.another}, or give {self.remedies.replace} to replace that run"
            ) from error
        self._written = len(known)
        return known

    def begin(self) -> None:
        """Removes the older run, file by file, once, but the toys that this one goes on with; and nothing else.

        Raises:
            FolderError: if another run has begun in the folder since it was checked.
        """
        if self._manifest is not None:
            return
        manifest = Manifest(self.path, " ".join(self.command.split()[:2]), self.command, remedies=self.remedies)
        if self._older is not None:
            toys = [] if self._store is None else [name for name in self._older.files if name.startswith("toys/")]
            for file in self._older.on_disk():
                if self._store is None or file.parent.name != "toys":
                    file.unlink()
            for name in _RUN_FOLDERS:
                folder = self.path / name
                if folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()
            if toys:
                manifest.files, manifest.exists = set(toys), True
            else:
                self._older.remove()
        manifest.write()
        self._manifest = manifest

    def finish(self, complete: bool) -> None:
        """Notes that all is written; one that was interrupted stays unfinished, and goes on."""
        assert self._manifest is not None, "begin comes first"
        self._manifest.complete = complete
        self._manifest.write()

    def add_toys(self, table: ToyTable) -> None:
        """Adds a finished batch of toys to their store; a killed run keeps what it has done.

        Raises:
            FolderError: if they cannot be written.
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
            FolderError: says what the folder keeps.
        """
        try:
            with watching(self._claim):
                yield
        except OSError as error:
            kept = [f"{self._written} toys"] if self._written else []
            kept += ["result.json"] if self._manifest is not None and (self.path / "result.json").is_file() else []
            raise FolderError(
                f"{error.filename or self.path} cannot be written: {error.strerror or error};"
                f" {' and '.join(kept) or 'nothing of this run'} kept in {self.path}"
            ) from error

    def _claim(self, target: Path) -> None:
        if self._manifest is not None:
            self._manifest.claim(target)


def _why_refused(folder: Path, content: list[Path], remedies: Remedies) -> str:
    """What to say of a folder without a list of what nplm wrote there."""
    if (folder / "toys" / CAMPAIGN_FILE).is_file() or _is_result(folder / "result.json"):
        return (
            f"{folder} holds a run without {MANIFEST_FILE}, the list of the files that may be replaced; choose"
            f" {remedies.another}, or move that run away"
        )
    return (
        f"{folder} holds other files ({some(content)}) and no run of nplm; choose {remedies.another}, nothing is mixed"
        " or overwritten"
    )


def _is_result(file: Path) -> bool:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and str(document.get("schema")).startswith(_SCHEMAS)
