"""What a comparison of two samples leaves: a folder, if there is one, and the answer on stdout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nplm.cli.output import say
from nplm.data.sample import Sample
from nplm.report.run_folder import RunFolder

if TYPE_CHECKING:
    from nplm.two_sample.result import TwoSampleResult
    from nplm.two_sample.sweep import TwoSampleSweep


def deliver(
    folder: RunFolder | None,
    a: Sample,
    b: Sample,
    result: TwoSampleResult,
    document: Mapping[str, Any],
    sweep: TwoSampleSweep | None = None,
    *,
    as_json: bool,
    **settings: Any,
) -> None:
    """Writes the result into the folder and prints it.

    Arguments:
        folder: where to; None to print only.
        a, b: the samples.
        result: of their comparison.
        document: what result.json holds.
        sweep: over the number of events, if there is one.
        as_json: print the document.
        settings: of the report, as `write_two_sample` takes them.
    """
    from nplm.two_sample.result_text import two_sample_line

    report = None
    if folder is not None:
        from nplm.report.two_sample import write_two_sample

        with folder.writing():
            folder.begin()
            report = write_two_sample(folder.path, a, b, result, document, sweep, **settings)
            folder.finish(complete=True)
    if as_json:
        say(json.dumps(document, indent=2, allow_nan=False))
        return
    swept = "" if sweep is None else f"\n\n{sweep!r}"
    say(f"{result!r}{swept}\n\n{two_sample_line(result)}\nreport: {report}")
