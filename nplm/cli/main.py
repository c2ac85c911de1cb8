"""The command `nplm`: parser, dispatch and exit codes. Nothing slow is imported before it is needed."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO

import nplm
from nplm.cli.errors import DOCTOR_MEANINGS, MEANINGS, CommandError, ExitCode, UsageError
from nplm.cli.options import Options, add_options, given
from nplm.cli.say import say

_EXAMPLES = """examples:
  nplm test data.parquet --reference simulation.parquet --features mll pt --weights w -o run1
  nplm test data.root --reference A.root=1200 B.root=300 --where "mll > 60" -o run2
  nplm test data.npz --reference ref.npz --expected-yield 2000 --model histogram --json | jq .p_value
"""


def _exit_codes(meanings: Mapping[int, str]) -> str:
    return "exit codes:\n" + "\n".join(f"  {code:<5}{meaning}" for code, meaning in meanings.items())


class _Parser(argparse.ArgumentParser):
    """Raises instead of leaving the program, so that every error ends in the same place."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **settings)

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def print_help(self, file: TextIO | None = None) -> None:  # type: ignore[override]
        say(self.format_help().rstrip(), file)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Arguments:
        argv: the words after `nplm`. Default: those that the program was started with.

    Returns:
        The exit code, see `nplm.cli.errors`.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        with _termination_as_interrupt():
            return _dispatch(words)
    except CommandError as error:
        say(f"nplm: error: {error}", sys.stderr)
        if isinstance(error, UsageError):
            say(f"nplm: all options: nplm {'test ' if words[:1] == ['test'] else ''}--help", sys.stderr)
        return error.code
    except KeyboardInterrupt:
        say("nplm: interrupted", sys.stderr)
        return ExitCode.INTERRUPTED


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Makes SIGTERM, with which batch systems end a job, do what Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():  # only that one may handle signals
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _dispatch(words: Sequence[str]) -> int:
    parser, test_parser = _parsers()
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
    if namespace.command == "doctor":
        from nplm.cli.doctor import doctor

        return doctor()
    if namespace.command == "test":
        return _test(namespace, test_parser)
    parser.print_help()
    return ExitCode.USAGE


def _test(namespace: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    values = given(namespace)
    if namespace.config is not None:
        from nplm.cli.config import read_config

        values = {**read_config(namespace.config, parser), **values}
    options = Options.of(values)
    from nplm.cli.test_command import run_test

    return run_test(options)


def _parsers() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """The parser of `nplm`, and that of `nplm test`."""
    parser = _Parser(
        prog="nplm",
        description="New Physics Learning Machine: do two samples agree, and if not, where?",
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("--cite", action="store_true", help="print what to cite, as text and as BibTeX")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    test = commands.add_parser(
        "test",
        usage="nplm test DATA --reference REF [REF ...] -o OUT [options]",
        help="test whether data agree with a reference",
        description="Tests whether DATA agree with a reference: likelihood-ratio test with a calibrated p-value.",
        epilog=f"{_EXAMPLES}\n{_exit_codes(MEANINGS)}",
    )
    add_options(test)
    commands.add_parser(
        "doctor",
        help="check the installation",
        description="Checks the installation.",
        epilog=_exit_codes(DOCTOR_MEANINGS),
    )
    return parser, test


if __name__ == "__main__":
    sys.exit(main())
