"""The command `nplm test --widths`: a kernel test for each width, and one p-value for all."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from nplm.cli.commands.test_input import Samples, folder_of, provenance, read_samples
from nplm.cli.commands.test_options import Options
from nplm.cli.commands.without_toys import toys_of
from nplm.cli.coordinates_options import periods
from nplm.cli.errors import DataFitError, ExitCode, InputError
from nplm.cli.models import model_of, nuisances_of
from nplm.cli.output import say
from nplm.cli.processes import processes_of
from nplm.cli.reading import known_yield, refusing_bad_input
from nplm.cli.terminal import Reporter
from nplm.report.run_folder import RunFolder

if TYPE_CHECKING:
    from nplm.calibration.methods import Calibrate
    from nplm.data.coordinates import CoordinateKind
    from nplm.hypotest.multiple import MultipleTest
    from nplm.hypotest.multiple_result import MultipleResult
    from nplm.models.kernel.model import KernelModel
    from nplm.stats.combination import Combine
    from nplm.toys.table import ToyTable


def run_widths(options: Options) -> int:
    """Runs `nplm test --widths`; all input is checked before anything is fitted or written.

    Returns:
        The exit code: done or interrupted.

    Raises:
        CommandError: if the input, the output folder or a fit is bad.
    """
    reporter = Reporter(options.quiet)
    folder = folder_of(options)
    samples = read_samples(options, reporter.note)
    toys = toys_of(options, samples)
    if folder is not None:
        folder.create()
    try:
        test = _prepare(options, toys, samples)
        result = _run(test, options, toys, samples, reporter)
        _deliver(result, test, options, samples, folder)
    finally:
        if folder is not None:
            folder.discard()
    return ExitCode.DONE if result.complete else ExitCode.INTERRUPTED


def _prepare(options: Options, toys: int, samples: Samples) -> MultipleTest:
    from nplm.hypotest.multiple import MultipleTest, kernel_widths

    assert options.widths is not None
    with refusing_bad_input():
        tests = kernel_widths(
            samples.reference,
            options.widths,
            cast("KernelModel", model_of(options)),
            expected_yield=known_yield(options, samples.reference),
            shape_only=options.shape_only,
            coordinates=cast("CoordinateKind", options.coordinates),
            circular=periods(options.circular),
            nuisances=nuisances_of(options),
            overflow=options.overflow,
        )
        test = MultipleTest(tests, cast("Combine", options.combine or "min-p"))
        if toys:
            for one in tests:
                one.sampler(samples.data, samples.pool)  # refuses what no toys can be drawn from
    return test


def _run(test: MultipleTest, options: Options, toys: int, samples: Samples, reporter: Reporter) -> MultipleResult:
    """Fits and runs joint toys; on Ctrl-C the result holds those that were done."""
    from nplm.hypotest.multiple import MultipleInterrupted
    from nplm.statistic import FitError
    from nplm.stats.asymptotic import AsymptoticNullError

    def on_toys(tables: Sequence[ToyTable]) -> None:
        reporter.advance(tables[0])

    try:
        with reporter.expect(toys):
            result = test.run(
                samples.data,
                toys,
                seed=options.seed,
                pool=samples.pool,
                reference_per_toy=options.reference_per_toy,
                calibrate=cast("Calibrate | None", options.calibrate),
                notify=reporter.note,
                on_toys=on_toys,
            )
    except FitError as error:
        raise DataFitError(str(error)) from error
    except AsymptoticNullError as error:
        raise InputError(str(error)) from error
    except MultipleInterrupted as interruption:
        result = interruption.result
    return replace(result, configuration={**result.configuration, **provenance(options, samples)})


def _deliver(
    result: MultipleResult, test: MultipleTest, options: Options, samples: Samples, folder: RunFolder | None
) -> None:
    """Writes the result and the toys of each test into the folder, and prints the result."""
    from nplm.hypotest.multiple_text import multiple_line

    report = None
    if folder is not None:
        from nplm.report.multiple import write_multiple_run
        from nplm.report.write_folder import write_toys

        with folder.writing():
            folder.begin()
            write_toys(folder.path, {name: one.toys for name, one in zip(result.names, result.tests, strict=True)})
            report = write_multiple_run(
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
    if not result.complete:
        kept = "printed" if folder is None else f"in {folder.path}"
        say(
            f"nplm: interrupted after {result.toys} of {options.toys} joint toys; the result that they give is {kept}",
            sys.stderr,
        )
    if options.json:
        say(result.to_json())
    else:
        say(f"{result!r}\n\n{multiple_line(result)}\nreport: {report}")
