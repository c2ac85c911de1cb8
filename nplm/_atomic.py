"""Writing a file so that nobody ever sees half of it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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
    if not target.parent.is_dir():
        raise ValueError(f"cannot write {target}: the folder {target.parent} does not exist; create it first")
    if target.is_dir():
        raise ValueError(f"cannot write {target}: it is a folder; give the name of a file")
    # tempfile.mkstemp would make the file unreadable for everybody else; this way the user's umask decides.
    temporary = target.parent / f".{target.stem[:100]}-{secrets.token_hex(8)}{target.suffix}"
    try:
        yield temporary
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_left_over(target: Path) -> None:
    """Removes what processes that were killed have left of `target`; no other process may be writing it now."""
    name = re.compile(rf"\.{re.escape(target.stem[:100])}-[0-9a-f]{{16}}{re.escape(target.suffix)}")
    for file in target.parent.iterdir():
        if name.fullmatch(file.name):
            file.unlink(missing_ok=True)
