"""The command `nplm prepare`: what does not depend on the data, done once and kept in a file."""

from __future__ import annotations

from nplm.cli.commands.prepare_options import Options
from nplm.cli.errors import ExitCode, OutputError
from nplm.cli.models import test_of
from nplm.cli.output import say
from nplm.cli.reading import Reader, known_yield, refusing_bad_input
from nplm.cli.terminal import Reporter
from nplm.models.kernel.store import is_prepared
from nplm.wording.durations import format_seconds


def run_prepare(options: Options) -> int:
    """Runs `nplm prepare`.

    Raises:
        InputError: if a file of the reference is bad, or cannot serve.
        OutputError: if the file cannot be written.
    """
    if not options.output.parent.is_dir():
        raise OutputError(f"the folder {options.output.parent} does not exist; create it first, or choose another -o")
    if options.output.exists() and not is_prepared(options.output):
        raise OutputError(
            f"{options.output} is there and was not written by nplm prepare, so it is not replaced; move it away, or"
            " choose another -o"
        )
    reporter = Reporter(options.quiet)
    reference, _ = Reader(options, reporter.note).read()
    with refusing_bad_input():
        test = test_of(options, reference, known_yield(options, reference))
    try:
        test.save(options.output)
    except OSError as error:
        raise OutputError(f"{options.output} cannot be written: {error.strerror or error}") from error
    except ValueError as error:
        raise OutputError(str(error)) from error
    asymptotic = test.asymptotic_null()
    say(
        f"{options.output}: {test.prepared.parameters} modes of {len(reference):,} events; null {asymptotic.name};"
        f" prepared in {format_seconds(test.prepare_seconds)}"
    )
    return ExitCode.DONE
