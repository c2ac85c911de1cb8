"""The command `nplm measure`: what are the parameters, how well are they known, and is anything left?"""

from __future__ import annotations

import json
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Any

from nplm.cli.commands.measure_options import Options, command_of
from nplm.cli.errors import DataFitError, ExitCode
from nplm.cli.models import IN_PYTHON, nuisances_named
from nplm.cli.output import say
from nplm.cli.reading import Reader, known_yield, refusing_bad_input
from nplm.cli.style import require_labelled
from nplm.cli.terminal import Reporter
from nplm.data.sample import Sample
from nplm.report.run_folder import RunFolder

if TYPE_CHECKING:
    from nplm.measure.measurement import Measurement
    from nplm.measure.parameters import Parameters
    from nplm.measure.result import MeasureResult


def run_measure(options: Options) -> int:
    """Runs `nplm measure`; all input is read before anything is fitted or written.

    Raises:
        CommandError: if the input or the output folder is bad, or the fit fails.
    """
    reporter = Reporter(options.quiet)
    folder = None
    if options.output is not None:
        folder = RunFolder.check(options.output, join(command_of(options)), options.force, resume=False)
    reference, (data,) = Reader(options, reporter.note, empty=options.data).read(options.data)
    require_labelled(options.label, reference.features)
    with refusing_bad_input():
        measurement = _measurement(options, reference)
    if folder is not None:
        folder.create()
    try:
        _measure(options, measurement, data, folder, reporter)
    finally:
        if folder is not None:
            folder.discard()
    return ExitCode.DONE


def _measurement(options: Options, reference: Sample) -> Measurement:
    from nplm.measure.measurement import Measurement

    nuisances = None if options.nuisances is None else nuisances_named(options.nuisances)
    parameters = None if options.parameters is None else _parameters(options.parameters, reference)
    return Measurement(reference, parameters, nuisances, expected_yield=known_yield(options, reference))


def _parameters(name: str, reference: Sample) -> Parameters:
    """Those of a file, or of MODULE:NAME.

    Raises:
        ValueError: if there are none.
    """
    if IN_PYTHON.fullmatch(name) and not Path(name).exists():
        return _from_python(name)
    from nplm.config.parameters import read_parameters

    return read_parameters(name, reference.features)


def _from_python(name: str) -> Parameters:
    from nplm.measure.parameters import Parameters
    from nplm.toys.problem import load_made

    # A log-ratio may be callable itself.
    found = load_made(name, "parameters", lambda each: hasattr(each, "nuisances"))
    if isinstance(found, Parameters):
        return found
    if not (hasattr(found, "nuisances") or isinstance(found, list | tuple)):
        raise ValueError(
            f"'{name}' is of type {type(found).__name__}: it must be Parameters, log-ratios, or a function that makes"
            " them"
        )
    return Parameters(found)


def _measure(
    options: Options, measurement: Measurement, data: Sample | None, folder: RunFolder | None, reporter: Reporter
) -> None:
    from nplm.statistic import FitError

    settings: dict[str, Any] = {"limits": options.limit, "limit_level": options.limit_level}
    if options.level is not None:
        settings["levels"] = options.level
    try:
        with refusing_bad_input():
            result: MeasureResult
            if data is None:
                result = measurement.expected(dict(options.at), **settings)
            else:
                result = measurement.run(
                    data,
                    goodness_of_fit=options.goodness_of_fit,
                    toys=options.toys,
                    goodness_toys=options.goodness_toys,
                    resamples=options.resamples,
                    seed=options.seed,
                    notify=reporter.note,
                    **settings,
                )
    except FitError as error:
        raise DataFitError(str(error)) from error
    document = result.to_dict()
    document["configuration"] |= {
        "reference": [str(file) for file in options.reference],
        "data": options.data,
        "fingerprints": {
            "reference": measurement.reference.fingerprint(),
            "data": None if data is None else data.fingerprint(),
        },
        "weights": options.weights,
        "where": options.where,
        "command": join(command_of(options)),
    }
    report = None
    if folder is not None:
        from nplm.report.measure import write_measure

        with folder.writing():
            folder.begin()
            report = write_measure(folder.path, result, measurement.fitted_reference(result), data, document)
            folder.finish(complete=True)
    if options.json:
        say(json.dumps(document, indent=2, allow_nan=False))
        return
    say(f"{result!r}" + ("" if report is None else f"\nreport: {report}"))
