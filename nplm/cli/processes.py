"""Which events of a reference come from which of its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nplm.cli.options import InputOptions
from nplm.cli.reading import access_of
from nplm.data.sample import Sample
from nplm.io.processes import matching_files
from nplm.io.read import ReadError, read_sample, row_numbers

if TYPE_CHECKING:
    from nplm.plot.two_sample_bins import Process


def processes_of(options: InputOptions, reference: Sample) -> tuple[Process, ...]:
    """The parts of a reference of several files (or patterns) in their order, for pictures; none of a single one.

    The columns of the cut, or one feature, of each file are read again, for the number of events that pass.

    Arguments:
        options: of the command that has read the reference.
        reference: that was read; where the files hold another number of events by now, or cannot be read any more,
            there are no parts: a picture is no reason to lose an answer.
    """
    from nplm.plot.two_sample_bins import Process

    if len(options.reference) < 2:
        return ()
    # As it was asked for: an expression has the name of its feature before it, or is that name.
    features = (reference.features if options.features is None else options.features)[:1]
    try:
        counts = [
            sum(_events(path, options, features) for path in matching_files(file.path)) for file in options.reference
        ]
    except ReadError:
        return ()
    if sum(counts) != len(reference):
        return ()
    return tuple(Process(Path(file.path).stem, n) for file, n in zip(options.reference, counts, strict=True))


def _events(path: str, options: InputOptions, features: Sequence[str]) -> int:
    """How many events of a file pass the cut, which may name any of the features."""
    rows = row_numbers(path, features=options.features, where=options.where, **access_of(options))
    return len(read_sample(path, features=features, **access_of(options)) if rows is None else rows)
