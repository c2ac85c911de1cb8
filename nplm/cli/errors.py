"""How a command ends: the exit codes, and the exceptions that carry them."""

from __future__ import annotations

from enum import IntEnum

from nplm._util.printable import printable


class ExitCode(IntEnum):
    """Exit codes of the commands but `nplm doctor`."""

    DONE = 0
    USAGE = 2
    INPUT = 3
    OUTPUT = 4
    FIT = 5
    ENGINE = 6
    ALARM = 7
    UNTESTED = 8
    INTERRUPTED = 130


MEANINGS: dict[int, str] = {
    ExitCode.DONE: "all was done (whatever the p-value)",
    ExitCode.USAGE: "wrong usage: an option, its value, or the file given with --config",
    ExitCode.INPUT: "bad input: a file, a column or a value in it",
    ExitCode.OUTPUT: "the output folder holds another run or toys of another plan, or cannot be written",
    ExitCode.FIT: "the fit of the data failed, so there is no t; or, in tune, the fits of too many toys; or, with"
    " --calibrate importance, the toys do not show p; or a learned log-ratio failed its checks",
    ExitCode.ENGINE: "the workers or the scheduler failed; toys that were done are kept",
    ExitCode.ALARM: "nplm monitor: a window gave an alarm",
    ExitCode.UNTESTED: "nplm monitor: no alarm, but a file could not be read or changed after it was taken, or a window"
    " could not be tested in full",
    ExitCode.INTERRUPTED: "interrupted (Ctrl-C or SIGTERM); toys that were done are kept",
}

DOCTOR_MEANINGS: dict[int, str] = {
    0: "all is in place",
    1: "something deserves a warning (a line that starts with warn)",
}


class CommandError(Exception):
    """Ends the command with a message for the user and an exit code."""

    code: ExitCode

    def __str__(self) -> str:
        """The message on one line."""
        return printable(super().__str__())


class UsageError(CommandError):
    """The command line or the configuration file asks for something that cannot be."""

    code = ExitCode.USAGE


class InputError(CommandError):
    """A file, a column or a value is bad."""

    code = ExitCode.INPUT


class OutputError(CommandError):
    """The output folder or the toys in it cannot be used."""

    code = ExitCode.OUTPUT


class WorkersError(CommandError):
    """What should run the toys failed."""

    code = ExitCode.ENGINE


class DataFitError(CommandError):
    """The data could not be fitted."""

    code = ExitCode.FIT
