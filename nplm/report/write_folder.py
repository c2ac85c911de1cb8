"""A folder for results in Python, written with the care of a command with -o: nothing of others is replaced."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from nplm.report.folder_error import IN_PYTHON, FolderError
from nplm.report.run_folder import RunFolder

if TYPE_CHECKING:
    from nplm.toys.table import ToyTable

# What the list of files says who wrote them.
PROGRAM = "write_report"


def write_folder(folder: str | Path, write: Callable[[Path], Path], *, force: bool) -> Path:
    """Writes into a folder, which is made if need be; only what nplm wrote there before is ever replaced.

    Arguments:
        folder: where to.
        write: what writes there, and returns the path of report.html.
        force: whether an older run in it may be replaced.

    Returns:
        The path of report.html.

    Raises:
        OSError: if the folder holds other files, or an older run and `force` is not given; or cannot be written.
    """
    try:
        run = RunFolder.check(Path(folder), PROGRAM, force, resume=False, remedies=IN_PYTHON)
        run.create()
        try:
            with run.writing():
                run.begin()
                page = write(run.path)
                run.finish(complete=True)
        finally:
            run.discard()
    except FolderError as error:
        raise OSError(str(error)) from error
    return page


def write_toys(folder: Path, tables: Mapping[str, ToyTable]) -> None:
    """Writes the toys of each test into toys/, one Parquet file for each, if there are any."""
    if not any(len(table) for table in tables.values()):
        return
    toys = folder / "toys"
    toys.mkdir(exist_ok=True)
    for number, (name, table) in enumerate(tables.items()):
        table.write(toys / f"part-{number:05d}.parquet", {"test": name})
