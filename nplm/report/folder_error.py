"""What is wrong with a folder that results are to be written into, in the words of a command line or of Python."""

from __future__ import annotations

from dataclasses import dataclass

from nplm._util.printable import printable


@dataclass(frozen=True)
class Remedies:
    """How a reader is told to go on.

    Arguments:
        another: what chooses another folder.
        replace: what allows to replace an older run.
    """

    another: str
    replace: str


ON_THE_COMMAND_LINE = Remedies("another -o", "--force")
IN_PYTHON = Remedies("another folder", "force=True")


class FolderError(Exception):
    """Raised when a folder cannot be used, or a file in it cannot be written."""

    def __str__(self) -> str:
        """The message on one line."""
        return printable(super().__str__())
