"""`nplm test` with a family of tests: reads samples, compares data with reference, writes what it found."""

from __future__ import annotations

from nplm.cli.commands.test_input import folder_of, provenance, read_samples
from nplm.cli.commands.test_options import Options
from nplm.cli.coordinates_options import periods
from nplm.cli.errors import ExitCode
from nplm.cli.processes import processes_of
from nplm.cli.reading import known_yield, refusing_bad_input
from nplm.cli.terminal import Reporter
from nplm.cli.two_sample_output import deliver
from nplm.data.without_copies import rescaled


def run_family(options: Options) -> int:
    """Runs `nplm test` with a family; all input is checked before anything is compared or written.

    Raises:
        CommandError: if the input or the output folder is bad.
    """
    reporter = Reporter(options.quiet)
    folder = folder_of(options)
    samples = read_samples(options, reporter.note)
    reference, data = samples.reference, samples.data
    if options.expected_yield is not None:
        reference = rescaled(reference, options.expected_yield)
    from nplm.family.settings import FamilySettings
    from nplm.family.test import FamilyTest

    if folder is not None:
        folder.create()
    try:
        with refusing_bad_input():
            # Nothing is kept of what is prepared: the report needs the memory.
            result = FamilyTest(
                reference,
                data,
                settings=FamilySettings() if options.family is None else FamilySettings(classes=options.family),
                expected_ratio=None if options.shape_only else 1.0,
                exact_yield=known_yield(options, reference) is not None,
                circular=periods(options.circular),
                seed=options.seed,
                progress=reporter.stages(),
            ).run(resamples=options.toys, notify=reporter.note)
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
            rows=samples.rows,
        )
    finally:
        if folder is not None:
            folder.discard()
    return ExitCode.DONE
