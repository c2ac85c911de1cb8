"""The command `nplm`: parser, dispatch and exit codes. Nothing slow is imported before it is needed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress

import nplm
from nplm.cli.errors import CommandError, ExitCode, UsageError
from nplm.cli.interrupt import interrupts
from nplm.cli.output import say
from nplm.cli.parser import CommandParser, command_parsers
from nplm.report.folder_error import FolderError


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Arguments:
        argv: the words after `nplm`. Default: those that the program was started with.

    Returns:
        The exit code, see `nplm.cli.errors`.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    parser, commands = command_parsers()
    try:
        with interrupts():
            return _dispatch(words, parser, commands)
    except CommandError as error:
        say(f"nplm: error: {error}", sys.stderr)
        if isinstance(error, UsageError):
            say(f"nplm: all options: nplm {_named_command(words, commands)}--help", sys.stderr)
        return error.code
    except FolderError as error:
        say(f"nplm: error: {error}", sys.stderr)
        return ExitCode.OUTPUT
    except KeyboardInterrupt:
        say("nplm: interrupted", sys.stderr)
        return ExitCode.INTERRUPTED


def _dispatch(words: Sequence[str], parser: argparse.ArgumentParser, commands: dict[str, CommandParser]) -> int:
    try:
        namespace = parser.parse_args(words)
    except SystemExit:  # argparse has printed its help
        return ExitCode.DONE
    if namespace.version:
        say(f"nplm {nplm.__version__}")
        return ExitCode.DONE
    if namespace.cite:
        say(nplm.citation())
        return ExitCode.DONE
    name = " ".join(filter(None, (namespace.command, getattr(namespace, "subcommand", None))))
    if name not in commands:
        # `nplm`, or `nplm toys`, alone; argparse wants to leave the program after its help.
        with suppress(SystemExit):
            parser.parse_args([*name.split(), "--help"])
        return ExitCode.USAGE
    from nplm.cli.compilation_cache import keep_compilations
    from nplm.cli.options import given

    if not namespace.no_compilation_cache:
        keep_compilations()
    del namespace.no_compilation_cache
    values = given(namespace)
    if "config" in values:
        from nplm.cli.config import read_config

        values = {**read_config(values["config"], commands[name].parser), **values}
    return commands[name].run(values)


def _named_command(words: Sequence[str], commands: dict[str, CommandParser]) -> str:
    """The command that the words begin with, followed by a blank; empty if they begin with none."""
    for length in (2, 1):
        name = " ".join(words[:length])
        if name in commands or any(command.startswith(f"{name} ") for command in commands):
            return f"{name} "
    return ""


if __name__ == "__main__":
    sys.exit(main())
