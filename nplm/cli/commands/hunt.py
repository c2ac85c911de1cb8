"""The command `nplm hunt`: is anything localized in a resonant feature, on a smooth background without a simulation?"""

from __future__ import annotations

import json
from collections.abc import Callable
from shlex import join
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float64

from nplm.cli.commands.hunt_options import Options, command_of
from nplm.cli.coordinates_options import periods
from nplm.cli.errors import ExitCode
from nplm.cli.output import say
from nplm.cli.reading import access_of, refusing_bad_input
from nplm.cli.style import require_labelled
from nplm.cli.terminal import Reporter
from nplm.cuts.expression import parse_expression, split_name
from nplm.data.sample import Sample
from nplm.io.read import column_names, read_sample, row_numbers
from nplm.report.run_folder import RunFolder

if TYPE_CHECKING:
    from nplm.hunt.windows import Resolution


def run_hunt(options: Options) -> int:
    """Runs `nplm hunt`; all input is read before anything is looked for or written.

    Raises:
        CommandError: if the input or the output folder is bad.
    """
    reporter = Reporter(options.quiet)
    folder = None
    if options.output is not None:
        folder = RunFolder.check(options.output, join(command_of(options)), options.force, resume=False)
    name = split_name(options.resonance)[0]
    sample = _read(options, name, reporter.note)
    require_labelled(options.label, sample.features)
    with refusing_bad_input():
        resolution = _resolution(options.resolution, name)
    if folder is not None:
        folder.create()
    try:
        _hunt(options, sample, name, resolution, folder, reporter)
    finally:
        if folder is not None:
            folder.discard()
    return ExitCode.DONE


def _read(options: Options, name: str, note: Callable[[str], None]) -> Sample:
    with refusing_bad_input():
        features = options.features
        if features is not None and name not in [split_name(each)[0] for each in features]:
            features = (options.resonance, *features)
        elif features is None and options.resonance not in column_names(options.data, **access_of(options)):
            raise ValueError(
                f"{options.data} has no column '{options.resonance}': give one of its columns, or name the others with"
                " --features if --resonance is an expression"
            )
        return read_sample(
            options.data,
            features=features,
            weights=options.weights,
            where=options.where,
            notify=note,
            **access_of(options),
        )


def _resolution(text: str | None, name: str) -> Resolution | None:
    """A number, or a function of the resonance.

    Raises:
        ValueError: if it is neither.
    """
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        expression = parse_expression(text, [name])

    def of(m: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
        return expression({name: m}, len(m))

    return of


def _hunt(
    options: Options,
    sample: Sample,
    name: str,
    resolution: Resolution | None,
    folder: RunFolder | None,
    reporter: Reporter,
) -> None:
    from nplm.hunt.hunt import bump_hunt
    from nplm.hunt.result_text import hunt_line

    with refusing_bad_input():
        result = bump_hunt(
            sample,
            name,
            resolution,
            signal_region=options.signal_region,
            circular=periods(options.circular),
            degree=options.degree,
            seed=options.seed,
            draws=options.draws,
            notify=reporter.note,
        )
    document = result.to_dict()
    document["configuration"] |= {
        "resolution": options.resolution,
        "file": options.data,
        "fingerprint": sample.fingerprint(),
        "weights": options.weights,
        "where": options.where,
        "command": join(command_of(options)),
    }
    report = None
    if folder is not None:
        from nplm.report.hunt import write_hunt

        rows = None
        if options.where is not None:
            with refusing_bad_input():
                rows = row_numbers(options.data, features=options.features, where=options.where, **access_of(options))
        with folder.writing():
            folder.begin()
            report = write_hunt(folder.path, sample, result, document, top=options.top, rows=rows)
            folder.finish(complete=True)
    if options.json:
        say(json.dumps(document, indent=2, allow_nan=False))
        return
    say(f"{result!r}\n\n{hunt_line(result)}\nreport: {report}")
