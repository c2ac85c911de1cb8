"""The list of what nplm wrote into a folder, which says what it may replace there: manifest.json."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from nplm._util.files import atomic_path, is_temporary_of, watching, write_new
from nplm.report.folder_error import ON_THE_COMMAND_LINE, FolderError, Remedies

MANIFEST_FILE = "manifest.json"
SCHEMA = "nplm-manifest/1"


@dataclass
class Manifest:
    """The files that nplm wrote into a folder; each is listed before it is written, so that a killed run owns up to it.

    Arguments:
        folder: where they are.
        program: that wrote them, such as "nplm test".
        command: the whole command.
        complete: whether it wrote all that it was to write.
        files: their paths, relative to the folder.
        exists: whether it is on disk.
        remedies: in whose words a folder is refused.
    """

    folder: Path
    program: str
    command: str = ""
    complete: bool = False
    files: set[str] = field(default_factory=set)
    exists: bool = False
    remedies: Remedies = ON_THE_COMMAND_LINE

    @classmethod
    def read(cls, folder: Path, remedies: Remedies = ON_THE_COMMAND_LINE) -> Manifest | None:
        """The manifest of a folder; None if there is none.

        Raises:
            FolderError: if it cannot be read, or is no manifest.
        """
        path = folder / MANIFEST_FILE
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            if document["schema"] != SCHEMA:
                raise ValueError(f"its schema is {document['schema']}")
            files = {str(name) for name in document["files"]}
            if outside := [name for name in files if not _is_inside(name)]:
                raise ValueError(f"it lists {outside[0]}, which is not in the folder")
            program, command = str(document["program"]), str(document["command"])
            return cls(folder, program, command, document["complete"] is True, files, exists=True, remedies=remedies)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FolderError(
                f"{path} does not say what nplm wrote there ({' '.join(str(error).split())}); choose {remedies.another}"
            ) from error

    def write(self) -> None:
        """Writes the manifest; of several processes that write the first one of a folder, one succeeds.

        Raises:
            FolderError: if there should be none, and there is one by now.
        """
        if self.exists:
            with atomic_path(self.folder / MANIFEST_FILE) as temporary:
                temporary.write_text(self._text(), encoding="utf-8")
            return
        try:
            write_new(self.folder / MANIFEST_FILE, self._text())
        except FileExistsError as error:
            raise self._overtaken() from error
        self.exists = True

    def remove(self) -> None:
        """Removes the manifest, whose files are gone.

        Raises:
            FolderError: if another run was quicker.
        """
        try:
            (self.folder / MANIFEST_FILE).unlink()
        except FileNotFoundError as error:
            raise self._overtaken() from error

    def _overtaken(self) -> FolderError:
        return FolderError(f"another run has begun in {self.folder} meanwhile; choose {self.remedies.another}")

    def on_disk(self) -> list[Path]:
        """The files that are listed and there, those that were set aside as damaged, and those half written."""
        found = []
        for name in sorted(self.files):
            path = self.folder / name
            found += [p for p in (path, path.with_name(f"{path.name}.corrupt")) if p.is_file() or p.is_symlink()]
            found += [p for p in path.parent.glob(".*") if is_temporary_of(p, path)]
        return found

    def remove_unfinished(self) -> None:
        """Removes what killed processes have left half written."""
        for name in self.files:
            target = self.folder / name
            for path in target.parent.glob(".*"):
                if is_temporary_of(path, target):
                    path.unlink()

    def others(self) -> list[Path]:
        """The files in the folder, and in those within, that are not nplm's."""
        manifest = self.folder / MANIFEST_FILE
        ours = {manifest, *self.on_disk()}
        there = (p for p in self.folder.rglob("*") if p.is_symlink() or not p.is_dir())
        return sorted(p for p in there if p not in ours and not is_temporary_of(p, manifest))

    def require_own(self, target: Path) -> str:
        """The name of a file that nplm may write, relative to the folder.

        Raises:
            FolderError: if it lies elsewhere, or is there and not listed, and so somebody else's.
        """
        name = target.relative_to(self.folder).as_posix() if target.is_relative_to(self.folder) else None
        if name is None or not _is_inside(name):
            raise FolderError(f"{target} is not in the output folder {self.folder}; nothing is written elsewhere")
        if name not in self.files and (target.is_symlink() or target.exists()):
            raise FolderError(
                f"{target} is not replaced, as {self.folder / MANIFEST_FILE} does not list it as written by nplm; move"
                f" it away, or choose {self.remedies.another}"
            )
        return name

    def claim(self, target: Path) -> None:
        """Lists a file that is about to be written.

        Raises:
            FolderError: if it is not nplm's, see `require_own`.
        """
        if target == self.folder / MANIFEST_FILE:
            return
        name = self.require_own(target)
        if name not in self.files:
            self.files.add(name)
            self.write()

    def _text(self) -> str:
        document = {
            "schema": SCHEMA,
            "program": self.program,
            "command": self.command,
            "complete": self.complete,
            "files": sorted(self.files),
        }
        return json.dumps(document, indent=2) + "\n"


@contextmanager
def written_into(folder: Path, program: str, command: str = "") -> Iterator[None]:
    """Around all that a command writes into a folder, which is made; what is there is replaced only if it is listed.

    Raises:
        FolderError: if a file is there that the command did not write, or another command wrote into the folder.
        OSError: if the folder or the list cannot be written.
    """
    manifest = manifest_of(folder, program)
    manifest.command = command
    folder.mkdir(parents=True, exist_ok=True)
    with watching(manifest.claim):
        yield
    manifest.remove_unfinished()
    manifest.complete = True
    manifest.write()


def manifest_of(folder: Path, program: str) -> Manifest:
    """The manifest of a folder for a command that replaces what it wrote before; an empty one if there is none.

    Raises:
        FolderError: if the folder is a file, or another command wrote into it.
    """
    if folder.exists() and not folder.is_dir():
        raise FolderError(f"{folder} is not a folder; choose another -o")
    manifest = Manifest.read(folder)
    if manifest is None:
        return Manifest(folder, program)
    if manifest.program != program:
        raise FolderError(f"{folder} holds what {manifest.program} wrote; choose another -o")
    manifest.complete = False
    return manifest


def some(paths: list[Path]) -> str:
    """The names of the first few files, for a message."""
    names = ", ".join(path.name for path in paths[:3])
    return names if len(paths) <= 3 else f"{names}, ..."


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and name not in ("", ".")
