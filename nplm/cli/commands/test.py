"""The command `nplm test`: reads samples, runs the test, writes its results."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from shlex import join
from typing import TYPE_CHECKING, Any, cast

from nplm.cli.commands.test_options import Options, command_of
from nplm.cli.commands.toys.run import going_on
from nplm.cli.commands.toys.status import open_stores
from nplm.cli.errors import DataFitError, ExitCode, InputError
from nplm.cli.models import test_of
from nplm.cli.output import say
from nplm.cli.processes import processes_of
from nplm.cli.reading import Reader, known_yield, refusing_bad_input
from nplm.cli.style import require_labelled
from nplm.cli.terminal import Reporter
from nplm.cli.types import ReferenceFile
from nplm.cli.without_toys import toys_of
from nplm.data.given_up import rescaled
from nplm.report.run_folder import RunFolder

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Int64

    from nplm.calibration.methods import Calibrate
    from nplm.data.sample import Sample
    from nplm.hypotest.result import Result
    from nplm.hypotest.test import NPLMTest
    from nplm.toys.table import ToyTable


@dataclass(frozen=True, eq=False)
class Samples:
    """Data, reference and (if there is one) pool, with the same features in the same order.

    Arguments:
        rows: of the data's events in their file, if there is a cut.
    """

    data: Sample
    reference: Sample
    pool: Sample | None
    rows: Int64[np.ndarray, " n"] | None = None


def run_test(options: Options) -> int:
    """Runs `nplm test`; all input is checked before anything is fitted or written.

    Returns:
        The exit code: done or interrupted.

    Raises:
        CommandError: if the input, the output folder or the fit is bad.
    """
    if options.widths is not None:
        from nplm.cli.commands.widths import run_widths

        return run_widths(options)
    if options.model == "family":
        from nplm.cli.commands.family import run_family

        return run_family(options)
    reporter = Reporter(options.quiet)
    resume = options.toys > 0 and options.null is None and options.calibrate != "rare"
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


def folder_of(options: Options, resume: bool = False) -> RunFolder | None:
    """The output folder, if there is to be one, once it is known that it can be used; see `RunFolder.check`."""
    if options.output is None:
        return None
    return RunFolder.check(options.output, join(command_of(options)), options.force, resume)


def read_samples(options: Options, note: Callable[[str], None]) -> Samples:
    """Reads the files, and scales the reference to the data in a shape-only test."""
    # Where yields are compared, that nothing was seen is an answer; a shape needs events.
    reader = Reader(options, note, None if options.shape_only else options.data)
    reference, (data, pool) = reader.read(options.data, options.pool)
    assert data is not None
    require_labelled(options.label, reference.features)
    rows = reader.rows(options.data)
    return Samples(data, rescaled(reference, data.total_weight) if options.shape_only else reference, pool, rows)


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
    from nplm.calibration.importance.run import require_rare
    from nplm.calibration.null_toys import NullToys
    from nplm.hypotest.assembly import with_impacts
    from nplm.hypotest.test import Interrupted
    from nplm.statistic import FitError
    from nplm.stats.asymptotic import FormulaError
    from nplm.stats.importance import RareError

    toys: int | NullToys = number
    known, per_toy = None, options.reference_per_toy
    if options.null is not None:
        with refusing_bad_input():
            toys = NullToys.of(open_stores([options.null])[0], test, len(samples.data)).like(samples.data)
    elif options.calibrate == "rare":
        with refusing_bad_input():
            require_rare(test.prepared, test.reference, samples.data, options.toys)
    elif number:
        with refusing_bad_input():
            drawn = partial(test.campaign, samples.data, seed=options.seed, pool=samples.pool)
            campaign = drawn(reference_per_toy=per_toy)
            if folder is not None and folder.unfinished and per_toy is None:
                # Earlier versions kept one reference for all toys.
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
                on_rare_toys=reporter.advance_by,
            )
    except (FitError, RareError) as error:
        raise DataFitError(str(error)) from error
    except FormulaError as error:
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
        from nplm.report.run import write_run

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


def _as_given(file: ReferenceFile) -> dict[str, Any]:
    """A file of the reference as it was asked for; a cross-section is no yield."""
    special = {"given": str(file)} if file.unit or file.before_cut else {}
    return {"path": file.path, "expected_yield": None if file.unit else file.expected_yield, **special}


def provenance(options: Options, samples: Samples) -> dict[str, Any]:
    """What it takes to repeat the test, and to see that the files are still the same."""
    files = {
        "data": options.data,
        "reference": [_as_given(f) for f in options.reference],
        "pool": options.pool,
        "null": options.null,
    }
    fingerprints = {
        "data": samples.data.fingerprint(),
        "reference": samples.reference.fingerprint(),
        "pool": None if samples.pool is None else samples.pool.fingerprint(),
    }
    return {
        "files": files,
        "fingerprints": fingerprints,
        "features": list(samples.reference.features),
        "weights": options.weights,
        "where": options.where,
        "command": join(command_of(options)),
    }
