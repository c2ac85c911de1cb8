"""The command `nplm closure`: signals injected into a user's own reference, next to the best test."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Any, Literal, cast

from nplm.cli.commands.closure_options import Options, command_of
from nplm.cli.errors import ExitCode, OutputError
from nplm.cli.models import test_of
from nplm.cli.output import say
from nplm.cli.reading import Reader, known_yield, refusing_bad_input
from nplm.cli.refusing import refusing_bad_output
from nplm.cli.terminal import Reporter
from nplm.report.manifest import manifest_of, some, written_into
from nplm.wording.projected import QUICKER_TOYS, projection

if TYPE_CHECKING:
    from nplm.data.sample import Sample
    from nplm.hypotest.test import NPLMTest
    from nplm.sensitivity.closures import Closure
    from nplm.sensitivity.optimal_test import KnownRatio

_PROGRAM, _TOYS = "nplm closure", "toys"


def run_closure(options: Options) -> int:
    """Runs `nplm closure`.

    Raises:
        InputError: if a file is bad, or no toys can be drawn.
        OutputError: if the folder holds other files, or cannot be written.
    """
    from nplm.sensitivity.closures import closure

    reporter = Reporter(options.quiet)
    if options.output is not None:
        _usable(options.output)
    reference, (signal, pool) = Reader(options, reporter.note).read(options.signal, options.pool)
    command = join(command_of(options))
    with refusing_bad_input():
        test = test_of(options, reference, known_yield(options, reference))
        ideal = _ideal(options.ideal)
        counted = options.calibrate == "toys" or (options.calibrate is None and test.model.null_is_tuned)
        toys = options.toys * (len(options.n) + 1 + counted)
        reporter.note(_projection(test, reference, pool, toys))
        try:
            with reporter.expect(toys), _keeping(options.output, command):
                found = closure(
                    test,
                    signal,
                    options.n,
                    options.toys,
                    options.seed,
                    ideal=ideal,
                    calibrate=cast("Literal['asymptotic', 'toys'] | None", options.calibrate),
                    pool=pool,
                    on_toys=reporter.advance,
                    folder=None if options.output is None else options.output / _TOYS,
                )
        except KeyboardInterrupt:
            if options.output is None:
                raise
            say(f"nplm: interrupted; the same command goes on with the toys in {options.output}", sys.stderr)
            return ExitCode.INTERRUPTED
    document = json.dumps({**found.to_dict(), "command": command}, indent=2, allow_nan=False)
    if options.output is not None:
        assert signal is not None
        subject = f"{signal.name} in {reference.name} ({reference.total_weight:,.0f} events expected)"
        _write(options.output, found, document, subject, command)
    say(document if options.json else repr(found))
    return ExitCode.DONE


@contextmanager
def _keeping(folder: Path | None, command: str) -> Iterator[None]:
    """Around toys that are stored in the folder, if there is one."""
    if folder is None:
        yield
        return
    with refusing_bad_output(folder), written_into(folder, _PROGRAM, command):
        yield


def _projection(test: NPLMTest, reference: Sample, pool: Sample | None, toys: int) -> str:
    """How long so many toys are projected to take, and what would be quicker."""
    without_signal = test.campaign(reference, pool=pool, reference_per_toy=False).draw(0)
    seconds = test.prepared.projected_seconds(without_signal, toys)
    return projection(seconds, toys, f"{toys} toys", QUICKER_TOYS.get(test.model.name, ()))


def _ideal(word: str) -> KnownRatio | Literal["classifier"] | None:
    if word == "classifier":
        return "classifier"
    if word == "none":
        return None
    from nplm.toys.problem import load

    ratio: Any = load(word)
    if not callable(ratio):
        raise ValueError(f"--ideal {word} is no function of events: give classifier, none or MODULE:FUNCTION")
    return cast("KnownRatio", ratio)


def _usable(folder: Path) -> None:
    """Refuses a folder with other files in it."""
    if others := manifest_of(folder, _PROGRAM).others():
        raise OutputError(f"{folder} holds other files ({some(others)}); choose another -o")


def _write(folder: Path, found: Closure, document: str, subject: str, command: str) -> None:
    from nplm.plot.closure import plot_closure
    from nplm.plot.style import save_figure
    from nplm.report.closure_report import closure_page
    from nplm.report.pictures import Picture

    with refusing_bad_output(folder), written_into(folder, _PROGRAM, command):
        # The numbers first: they are not lost if a picture cannot be drawn.
        _write_text(folder / "closure.json", document)
        _write_text(folder / "closure.txt", repr(found))
        picture = Picture(
            save_figure(plot_closure(found), folder / "closure")[0],
            "Z of injected signals",
            "Points: median and central 68% of toys. Lines: what the test should find, where that is known, and"
            " what a test finds that knows what to look for.",
        )
        _write_text(folder / "report.html", closure_page(found, picture, subject, command))


def _write_text(path: Path, content: str) -> None:
    from nplm._util.files import atomic_path

    with atomic_path(path) as temporary:
        temporary.write_text(content + "\n", encoding="utf-8")
