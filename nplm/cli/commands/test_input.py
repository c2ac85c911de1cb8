"""What a test is given: its samples and its folder, and what it takes to repeat it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from shlex import join
from typing import TYPE_CHECKING, Any

from nplm.cli.commands.test_options import Options, command_of
from nplm.cli.reading import Reader
from nplm.cli.style import require_labelled
from nplm.cli.types import ReferenceFile
from nplm.data.without_copies import rescaled
from nplm.report.run_folder import RunFolder

if TYPE_CHECKING:
    import numpy as np
    from jaxtyping import Int64

    from nplm.data.sample import Sample


@dataclass(frozen=True, eq=False)
class Samples:
    """Data, reference and (if there are any) pool and training events, with the same features in the same order.

    Arguments:
        rows: of the data's events in their file, if there is a cut.
        training: what a score was trained on.
    """

    data: Sample
    reference: Sample
    pool: Sample | None
    rows: Int64[np.ndarray, " n"] | None = None
    training: Sample | None = None


def folder_of(options: Options, resume: bool = False) -> RunFolder | None:
    """The output folder, if there is to be one, once it is known that it can be used; see `RunFolder.check`."""
    if options.output is None:
        return None
    return RunFolder.check(options.output, join(command_of(options)), options.force, resume)


def read_samples(options: Options, note: Callable[[str], None]) -> Samples:
    """Reads the files, and scales the reference to the data in a shape-only test."""
    # Where yields are compared, that nothing was seen is an answer; a shape needs events.
    column = options.score_column
    if column is not None and options.features is not None:
        options = replace(options, features=(*options.features, column))
    reader = Reader(options, note, None if options.shape_only else options.data, column)
    reference, (data, pool, training) = reader.read(options.data, options.pool, options.score_trained_on)
    assert data is not None
    require_labelled(options.label, reference.features)
    rows = reader.rows(options.data)
    reference = rescaled(reference, data.total_weight) if options.shape_only else reference
    return Samples(data, reference, pool, rows, training)


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
        **({"score_trained_on": options.score_trained_on} if options.score else {}),
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
