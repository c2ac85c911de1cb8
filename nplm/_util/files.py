"""Writing a file so that nobody ever sees half of it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

_watcher: ContextVar[Callable[[Path], None] | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(told: Callable[[Path], None]) -> Iterator[None]:
    """Calls a function with each file that this module is about to write in the block; it may raise to forbid that."""
    token = _watcher.set(told)
    try:
        yield
    finally:
        _watcher.reset(token)


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary path next to `target`, with the same suffix, which becomes `target` once the block succeeds.

    A reader sees the old file or the new one, never a part. If the block raises, the temporary file is removed and
    `target` is left as it was.

    Arguments:
        target: the file to write.

    Returns:
        The path to write to, as the value of the `with` statement.

    Raises:
        ValueError: if the folder of `target` does not exist, or `target` is a folder.
    """
    temporary = _temporary(target)
    try:
        yield temporary
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_new(target: Path, text: str) -> None:
    """Writes a file that must not be there yet; of several processes that do so at once, one succeeds.

    Raises:
        FileExistsError: if the file is there.
        ValueError: if its folder does not exist.
    """
    temporary = _temporary(target)
    try:
        temporary.write_text(text, encoding="utf-8")
        try:
            os.link(temporary, target)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links: a reader may see half of so small a file
            with target.open("x", encoding="utf-8") as file:
                file.write(text)
    finally:
        temporary.unlink(missing_ok=True)


def is_temporary_of(file: Path, target: Path) -> bool:
    """Whether a file is what a process left that was killed while it wrote a target."""
    head, tail = f".{target.stem[:100]}-", target.suffix
    digits = file.name.removeprefix(head).removesuffix(tail)
    return (
        file.parent == target.parent
        and file.name == f"{head}{digits}{tail}"
        and len(digits) == 16
        and set(digits) <= set("0123456789abcdef")
    )


def _temporary(target: Path) -> Path:
    if not target.parent.is_dir():
        raise ValueError(f"cannot write {target}: the folder {target.parent} does not exist; create it first")
    if target.is_dir():
        raise ValueError(f"cannot write {target}: it is a folder; give the name of a file")
    if (told := _watcher.get()) is not None:
        told(target)
    # tempfile.mkstemp would make the file unreadable for everybody else; this way the user's umask decides.
    return target.parent / f".{target.stem[:100]}-{secrets.token_hex(8)}{target.suffix}"
