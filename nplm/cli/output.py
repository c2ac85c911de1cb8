"""The folder of a run: what may be written there, and what may be removed."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

from nplm.cli.errors import OutputError

if TYPE_CHECKING:
    from nplm.ensemble.table import ToyTable

# All that a run writes, relative to its folder; a killed run may leave the names with a dot, see `atomic_path`.
_RUN_FILES = re.compile(
    r"result\.json|\.result-[0-9a-f]{16}\.json"
    r"|report\.html|\.report-[0-9a-f]{16}\.html"
    r"|plots/\.?(feature-\d|null|log-ratio)[^/]*\.(png|pdf)"
    r"|toys/\.?part-\d{5,}(-[0-9a-f]{16})?\.parquet"
)
_RUN_FOLDERS = ("plots", "toys")
# Few files, and each is quickly written again.
_ROWS_OF_A_PART = 10_000


@dataclass
class RunFolder:
    """The output folder of one run.

    An older run in it stays untouched until this one has something to write.

    Arguments:
        path: the folder.
    """

    path: Path
    _created: list[Path] = field(default_factory=list)
    _parts: list[ToyTable] = field(default_factory=list)
    _begun: bool = False

    @classmethod
    def check(cls, path: Path, force: bool) -> RunFolder:
        """The folder, once it is known that a run may be written there; nothing is changed yet.

        Raises:
            OutputError: if it is not a folder, holds an older run and `force` is not given, or holds other things
                and no run.
        """
        try:
            if path.is_symlink() and not path.exists():
                raise OutputError(f"{path} is a link that leads nowhere; remove it or choose another -o")
            if path.exists() and not path.is_dir():
                raise OutputError(f"{path} is not a folder; choose another -o")
            content = sorted(path.iterdir()) if path.exists() else []
        except OSError as error:
            raise OutputError(f"{path} cannot be used as output folder: {error.strerror}; choose another -o") from error
        if content and not _holds_run(path):
            raise OutputError(
                f"{path} holds other files ({_some(content)}) and no run of nplm; choose another -o, nothing is mixed"
                " or overwritten"
            )
        if content and not force:
            raise OutputError(f"{path} holds another run; choose another -o, or give --force to replace that run")
        for name in _RUN_FOLDERS:
            if (path / name).is_symlink():
                raise OutputError(f"{path / name} is a link; remove it or choose another -o")
        return cls(path)

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

    def begin(self) -> None:
        """Removes the older run, file by file, once; anything else in the folder is left alone."""
        if self._begun:
            return
        for file in _run_files(self.path):
            file.unlink()
        for name in _RUN_FOLDERS:
            folder = self.path / name
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        self._begun = True

    def add_toys(self, table: ToyTable) -> None:
        """Adds a finished batch of toys to the last part, or to the next one if that is full.

        A part is replaced as a whole: a reader sees each toy once at any time, and a killed run keeps what it has done.

        Raises:
            OutputError: if the part cannot be written.
        """
        parts = list(self._parts)
        if parts and len(parts[-1]) < _ROWS_OF_A_PART:
            table = type(table).concatenate([parts.pop(), table])
        with self.writing():
            self.begin()
            folder = self.path / "toys"
            folder.mkdir(exist_ok=True)
            table.write(folder / f"part-{len(parts):05d}.parquet")
        self._parts = [*parts, table]

    def complete_toys(self, toys: ToyTable) -> None:
        """Writes the last toys of an interrupted run, if Ctrl-C came before they were on disk.

        Arguments:
            toys: all toys of the run, in order.
        """
        written = self._toys
        if len(toys) > written:
            self.add_toys(type(toys)(*(getattr(toys, f.name)[written:] for f in fields(toys))))

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turns the OSError of a write in the block, such as that of a full disk, into the end of the command.

        Raises:
            OutputError: says what the folder keeps.
        """
        try:
            yield
        except OSError as error:
            kept = [f"{self._toys} toys"] if self._parts else []
            kept += ["result.json"] if self._begun and (self.path / "result.json").is_file() else []
            raise OutputError(
                f"{error.filename or self.path} cannot be written: {error.strerror or error};"
                f" {' and '.join(kept) or 'nothing of this run'} kept in {self.path}"
            ) from error

    @property
    def _toys(self) -> int:
        """How many toys are on disk."""
        return sum(map(len, self._parts))


def _run_files(folder: Path) -> list[Path]:
    candidates = (file for place in (folder, *(folder / name for name in _RUN_FOLDERS)) for file in place.glob("*"))
    ours = (f for f in candidates if _RUN_FILES.fullmatch(f.relative_to(folder).as_posix()))
    return [f for f in ours if f.is_file() or f.is_symlink()]


def _holds_run(folder: Path) -> bool:
    """Whether there is a result of nplm, or toys of a run that was killed before it could write its result."""
    if any(file.parent.name == "toys" for file in _run_files(folder)):
        return True
    try:
        document = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and str(document.get("schema")).startswith("nplm-result/")


def _some(paths: list[Path]) -> str:
    names = ", ".join(path.name for path in paths[:3])
    return names if len(paths) <= 3 else f"{names}, ..."
