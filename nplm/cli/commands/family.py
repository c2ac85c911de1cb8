"""`nplm test` with a family of tests: reads samples, compares data with reference, writes what it found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Int64

from nplm.cli.commands.test_input import Samples, folder_of, provenance, read_samples
from nplm.cli.commands.test_options import Options
from nplm.cli.coordinates_options import periods
from nplm.cli.errors import ExitCode
from nplm.cli.processes import processes_of
from nplm.cli.reading import known_yield, refusing_bad_input
from nplm.cli.terminal import Reporter
from nplm.cli.two_sample_output import deliver
from nplm.data.without_copies import rescaled

if TYPE_CHECKING:
    from nplm.data.sample import Sample
    from nplm.two_sample.result import TwoSampleResult


def run_family(options: Options) -> int:
    """Runs `nplm test` with a family; all input is checked before anything is compared or written.

    Raises:
        CommandError: if the input or the output folder is bad.
    """
    reporter = Reporter(options.quiet)
    folder = folder_of(options)
    samples = read_samples(options, reporter.note)
    reference = samples.reference
    if options.expected_yield is not None:
        reference = rescaled(reference, options.expected_yield)
    if folder is not None:
        folder.create()
    try:
        with refusing_bad_input():
            # Nothing is kept of what is prepared: the report needs the memory.
            result, reference, data, rows = _compared(options, reference, samples, reporter)
        document = result.to_dict()
        document["configuration"] |= provenance(options, samples)
        deliver(
            folder,
            reference,
            data,
            result,
            document,
            as_json=options.json,
            processes=() if folder is None else processes_of(options, reference),
            top=options.top,
            rows=rows,
        )
    finally:
        if folder is not None:
            folder.discard()
    return ExitCode.DONE


def _compared(
    options: Options, reference: Sample, samples: Samples, reporter: Reporter
) -> tuple[TwoSampleResult, Sample, Sample, Int64[np.ndarray, " n"] | None]:
    """The result, the reference and the data that it is about, and the rows of these data in their file."""
    from nplm.family.settings import FamilySettings
    from nplm.family.test import FamilyTest

    settings: dict[str, Any] = {
        "settings": FamilySettings() if options.family is None else FamilySettings(classes=options.family),
        "expected_ratio": None if options.shape_only else 1.0,
        "exact_yield": known_yield(options, reference) is not None,
        "circular": periods(options.circular),
        "seed": options.seed,
        "progress": reporter.stages(),
    }
    running: dict[str, Any] = {"resamples": options.toys, "notify": reporter.note}
    data, rows = samples.data, samples.rows
    if options.score is None:
        return FamilyTest(reference, data, **settings).run(**running), reference, data, rows
    from nplm.scored.onnx import OnnxScore
    from nplm.scored.test import ScoredTest

    score = OnnxScore(options.score) if options.score_column is None else options.score
    test = ScoredTest(
        reference, score, options.score_keep, weighted=options.score_weight, trained_on=samples.training, **settings
    )
    result, reference, data, kept = test.run_and_select(data, **running)
    if not kept.all():
        rows = np.flatnonzero(kept) if rows is None else rows[kept]
    return result, reference, data, rows
