"""The command `nplm test`: reads samples, runs the test, writes its results."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from shlex import join
from typing import TYPE_CHECKING, cast

from nplm.cli.commands.family import run_family
from nplm.cli.commands.test_input import Samples, folder_of, provenance, read_samples
from nplm.cli.commands.test_options import Options, command_of
from nplm.cli.commands.toys.run import going_on
from nplm.cli.commands.toys.status import open_stores
from nplm.cli.commands.widths import run_widths
from nplm.cli.commands.without_toys import toys_of
from nplm.cli.errors import DataFitError, ExitCode, InputError
from nplm.cli.models import test_of
from nplm.cli.output import say
from nplm.cli.processes import processes_of
from nplm.cli.reading import known_yield, refusing_bad_input
from nplm.cli.terminal import Reporter
from nplm.report.run_folder import RunFolder

if TYPE_CHECKING:
    from nplm.calibration.methods import Calibrate
    from nplm.hypotest.result import Result
    from nplm.hypotest.test import NPLMTest
    from nplm.toys.table import ToyTable


def run_test(options: Options) -> int:
    """Runs `nplm test`; all input is checked before anything is fitted or written.

    Returns:
        The exit code: done or interrupted.

    Raises:
        CommandError: if the input, the output folder or the fit is bad.
    """
    if options.widths is not None:
        return run_widths(options)
    if options.model == "family":
        return run_family(options)
    reporter = Reporter(options.quiet)
    resume = options.toys > 0 and options.null is None and options.calibrate != "importance"
    folder = folder_of(options, resume)
    samples = read_samples(options, reporter.note)
    toys = toys_of(options, samples)
    if folder is not None:
        folder.create()
    try:
        test = _prepare(options, samples)
        result = _run(test, options, toys, samples, folder, reporter)
        _deliver(result, test, options, samples, folder)
    finally:
        if folder is not None:
            folder.discard()
    return ExitCode.DONE if result.complete else ExitCode.INTERRUPTED


def _prepare(options: Options, samples: Samples) -> NPLMTest:
    """The test, once all input is known to be good."""
    with refusing_bad_input():
        return test_of(options, samples.reference, known_yield(options, samples.reference))


def _run(
    test: NPLMTest, options: Options, number: int, samples: Samples, folder: RunFolder | None, reporter: Reporter
) -> Result:
    """Fits and runs toys, which are written as they come; on Ctrl-C the result holds those that were done.

    Weighted toys are few and quick: they are not stored, and Ctrl-C ends them without a result.
    """
    from nplm.calibration.importance.run import require_importance
    from nplm.calibration.null_toys import NullToys
    from nplm.hypotest.assembly import with_impacts
    from nplm.hypotest.test import Interrupted
    from nplm.statistic import FitError
    from nplm.stats.asymptotic import AsymptoticNullError
    from nplm.stats.importance import ImportanceError

    toys: int | NullToys = number
    known, per_toy = None, options.reference_per_toy
    if options.null is not None:
        with refusing_bad_input():
            toys = NullToys.of(open_stores([options.null])[0], test, len(samples.data)).like(samples.data)
    elif options.calibrate == "importance":
        with refusing_bad_input():
            require_importance(test.prepared, test.reference, samples.data, options.toys)
    elif number:
        with refusing_bad_input():
            drawn = partial(test.campaign, samples.data, seed=options.seed, pool=samples.pool)
            campaign = drawn(reference_per_toy=per_toy)
            if folder is not None and folder.unfinished and per_toy is None:
                # One that had one reference for all toys goes on with it.
                campaign = going_on(folder.path / "toys", [campaign, drawn(reference_per_toy=False)])
            per_toy = campaign.reference_sampler is not None
            if folder is None:
                campaign.plan()  # refuses what no toys can be drawn from
            else:
                about = {"data": samples.data.fingerprint(), "command": join(command_of(options))}
                known = folder.expect(campaign, number, about)
                if len(known):
                    reporter.note(f"going on with the {len(known)} toys of the unfinished run in {folder.path}")

    def on_toys(table: ToyTable) -> None:
        if folder is not None:
            folder.add_toys(table)
        reporter.advance(table)

    try:
        with reporter.expect(0 if options.null else number - (0 if known is None else len(known))):
            result = test.run(
                samples.data,
                toys,
                seed=options.seed,
                pool=samples.pool,
                reference_per_toy=per_toy,
                calibrate=cast("Calibrate | None", options.calibrate),
                known=known,
                notify=reporter.note,
                on_toys=on_toys,
                on_weighted_toys=reporter.advance_by,
            )
    except (FitError, ImportanceError) as error:
        raise DataFitError(str(error)) from error
    except AsymptoticNullError as error:
        raise InputError(str(error)) from error
    except Interrupted as interruption:
        result = interruption.result
        if folder is not None:
            folder.complete_toys(result.toys)
    if options.impacts and result.complete and result.nuisances is not None and result.nuisances.impact is None:
        reporter.note(f"one more fit for each of {len(result.nuisances.names)} nuisances: its impact on t")
        result = with_impacts(test, samples.data, result)
    return replace(result, configuration={**result.configuration, **provenance(options, samples)})


def _deliver(result: Result, test: NPLMTest, options: Options, samples: Samples, folder: RunFolder | None) -> None:
    """Writes the result into the folder and prints it."""
    from nplm.hypotest.result_text import result_line

    report = None
    if folder is not None:
        from nplm.report.write_run import write_run

        try:
            with folder.writing():
                folder.begin()
                report = write_run(
                    folder.path,
                    test,
                    samples.data,
                    result,
                    top=options.top,
                    rows=samples.rows,
                    leave_one_out=options.leave_one_out and result.complete,
                    processes=processes_of(options, samples.reference),
                )
                folder.finish(result.complete)
        except KeyboardInterrupt:
            say(f"nplm: interrupted while {folder.path} was written; its toys are complete", sys.stderr)
            raise
    if not result.complete:
        kept = "printed" if folder is None else f"in {folder.path}"
        say(
            f"nplm: interrupted after {len(result.toys)} of {options.toys} toys; the result that they give is {kept}",
            sys.stderr,
        )
    if options.json:
        say(result.to_json())
    else:
        say(f"{result!r}\n\n{result_line(result)}\nreport: {report}")
