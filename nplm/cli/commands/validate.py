"""The command `nplm validate`: are two samples from one distribution, or which of several are not?"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from shlex import join
from typing import TYPE_CHECKING, Any, cast

from nplm.cli.commands.validate_options import Options, command_of
from nplm.cli.coordinates_options import periods
from nplm.cli.errors import ExitCode, InputError
from nplm.cli.output import say
from nplm.cli.reading import access_of, ordered_like, refusing_bad_input
from nplm.cli.style import require_labelled
from nplm.cli.terminal import Reporter
from nplm.cli.two_sample_output import deliver
from nplm.cuts.expression import columns_are_there
from nplm.data.sample import Sample
from nplm.io.read import column_names, read_sample
from nplm.report.run_folder import RunFolder

if TYPE_CHECKING:
    from nplm.stats.multiple_comparisons import Correction
    from nplm.two_sample.calibration import Calibrate
    from nplm.two_sample.sweep import TwoSampleSweep


@dataclass(frozen=True, eq=False)
class Inputs:
    """The samples by name, and the pool if there is one; all with the same features in the same order."""

    samples: dict[str, Sample]
    pool: Sample | None


def run_validate(options: Options) -> int:
    """Runs `nplm validate`; all input is read before anything is compared or written.

    Raises:
        CommandError: if the input or the output folder is bad.
    """
    reporter = Reporter(options.quiet)
    folder = None
    if options.output is not None:
        folder = RunFolder.check(options.output, join(command_of(options)), options.force, resume=False)
    inputs = read_inputs(options, reporter.note)
    if folder is not None:
        folder.create()
    try:
        if len(inputs.samples) == 2:
            _compare(options, inputs, folder, reporter)
        else:
            _compare_all(options, inputs, folder, reporter)
    finally:
        if folder is not None:
            folder.discard()
    return ExitCode.DONE


def read_inputs(options: Options, note: Callable[[str], None]) -> Inputs:
    """Reads the files; those without the column of weights have weight one.

    Raises:
        InputError: if a file, a column or a value is bad, or the files do not fit together.
    """
    access = access_of(options)
    paths = [*options.samples, *([] if options.pool is None else [options.pool])]
    with refusing_bad_input():
        # All headers first: a misspelt name should not wait for the large files before it.
        columns = {path: column_names(path, **access) for path in paths}
        weights = options.weights
        weighted = [path for path in paths if weights is not None and columns_are_there(weights, columns[path])]
    if options.weights is not None and not weighted:
        raise InputError(f"no file has the column '{options.weights}' that --weights names")
    read: list[Sample] = []
    for path, name in zip(paths, [*(options.names or options.samples), options.pool or ""], strict=False):
        if options.weights is not None and path not in weighted:
            note(f"{path}: every event has weight one, as there is no column '{options.weights}'")
        with refusing_bad_input():
            sample = read_sample(
                path,
                features=options.features,
                weights=options.weights if path in weighted else None,
                where=options.where,
                name=name,
                notify=note,
                **access,
            )
            read.append(ordered_like(read[0], sample, path) if read else sample)
    require_labelled(options.label, read[0].features)
    pool = None if options.pool is None else read.pop()
    return Inputs({sample.name: sample for sample in read}, pool)


def _settings(options: Options) -> dict[str, Any]:
    from nplm.family.validate import KERNEL_SETTINGS

    settings = {name: getattr(options, name) for name in KERNEL_SETTINGS if getattr(options, name) is not None}
    if options.circular:
        settings["circular"] = periods(options.circular)
    return {**settings, "seed": options.seed}


def _provenance(options: Options, inputs: Inputs) -> dict[str, Any]:
    return {
        "files": list(options.samples),
        "fingerprints": [sample.fingerprint() for sample in inputs.samples.values()],
        "pool": options.pool,
        "weights": options.weights,
        "where": options.where,
        "command": join(command_of(options)),
    }


def _compare(options: Options, inputs: Inputs, folder: RunFolder | None, reporter: Reporter) -> None:
    from nplm.family.validate import validate
    from nplm.two_sample.sweep import n_sweep

    a, b = inputs.samples.values()
    sweep: TwoSampleSweep | None = None
    with refusing_bad_input():
        result = validate(
            a,
            b,
            family=options.family,
            calibrate=cast("Calibrate | None", options.calibrate),
            resamples=options.permutations,
            pool=inputs.pool,
            notify=reporter.note,
            progress=reporter.stages(),
            expected_ratio=options.expected_ratio,
            **_settings(options),
        )
        if options.n_sweep is not None:
            settings = {**_settings(options), "statistic": "one-step"}
            sweep = n_sweep(a, b, options.n_sweep, **settings)
    document = result.to_dict()
    document["configuration"] |= _provenance(options, inputs)
    if sweep is not None:
        document["sweep"] = sweep.to_dict()
    deliver(folder, a, b, result, document, sweep, as_json=options.json)


def _compare_all(options: Options, inputs: Inputs, folder: RunFolder | None, reporter: Reporter) -> None:
    from nplm.family.validate import validate_matrix
    from nplm.two_sample.result_text import two_sample_line

    with refusing_bad_input():
        matrix = validate_matrix(
            inputs.samples,
            correction=cast("Correction", options.correction),
            family=options.family,
            calibrate=options.calibrate,
            resamples=options.permutations,
            pool=inputs.pool,
            notify=reporter.note,
            on_pair=lambda first, second, r: reporter.note(f"{first} and {second}: {two_sample_line(r)}"),
            **_settings(options),
        )
    document = matrix.to_dict()
    document["configuration"] = {**matrix.configuration, **_provenance(options, inputs)}
    # Widths and calibration are chosen for each pair anew where none are given.
    document["configuration"] |= {"widths": options.widths, "calibrate": options.calibrate}
    report = None
    if folder is not None:
        from nplm.report.two_sample_many import write_matrix

        with folder.writing():
            folder.begin()
            report = write_matrix(folder.path, matrix, document)
            folder.finish(complete=True)
    say(json.dumps(document, indent=2, allow_nan=False) if options.json else f"{matrix!r}\nreport: {report}")
