"""Reads the samples that `nplm test` needs, and refuses what does not fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from nplm.cli.errors import InputError
from nplm.cli.options import Options
from nplm.io import column_names, in_order, read_reference, read_sample
from nplm.sample import Sample, require_varying


@dataclass(frozen=True, eq=False)
class Samples:
    """Data, reference and (if there is one) pool, with the same features in the same order."""

    data: Sample
    reference: Sample
    pool: Sample | None


@contextmanager
def refusing_bad_input() -> Iterator[None]:
    """Turns the ValueError of a function that checks input into the end of the command.

    It belongs around reading and checking only: a ValueError from anywhere else is a bug and deserves its traceback.
    """
    try:
        yield
    except ValueError as error:
        raise InputError(str(error)) from error


def read_samples(options: Options, note: Callable[[str], None]) -> Samples:
    """Reads all samples; the reference says which features there are, and in which order.

    Arguments:
        options: files, features, weights and cut.
        note: told which files the weight column was taken from.

    Raises:
        InputError: if a file, a column or a value is bad, or the files do not fit together.
    """
    access: dict[str, Any] = {
        "tree": options.tree,
        "allow_remote": options.allow_remote,
        "allow_external_links": options.allow_external_links,
    }
    paths = [options.data, *([options.pool] if options.pool else []), *(f.path for f in options.reference)]
    if options.where and (options.expected_yield or options.reference[0].expected_yield):
        note("the expected yield is taken to be that after the cut")
    with refusing_bad_input():
        # All headers first: a misspelt name should not wait for the large files before it.
        columns = {path: column_names(path, **access) for path in paths}
        reference = read_reference(
            [f.path for f in options.reference],
            [f.expected_yield for f in options.reference],
            features=options.features,
            weights=options.weights,
            where=options.where,
            **access,
        )
        require_varying(reference)

        def read(path: str) -> Sample:
            has_weights = options.weights in columns[path]
            if options.weights is not None:
                found = "its weights are" if has_weights else "every event has weight one, as there is no column"
                note(f"{path}: {found} '{options.weights}'")
            sample = read_sample(
                path,
                features=options.features,
                weights=options.weights if has_weights else None,
                where=options.where,
                **access,
            )
            return _ordered_like(reference, sample, path)

        data = read(options.data)
        pool = None if options.pool is None else read(options.pool)
        if options.shape_only:
            reference = reference.scaled_to(data.total_weight)
    return Samples(data, reference, pool)


def _ordered_like(reference: Sample, sample: Sample, path: str) -> Sample:
    """The sample with its features in the order of the reference, if they are the same ones."""
    missing = [f for f in reference.features if f not in sample.features]
    extra = [f for f in sample.features if f not in reference.features]
    if missing or extra:
        lacks = [f"{path} lacks {', '.join(missing)}"] if missing else []
        lacks += [f"the reference lacks {', '.join(extra)}"] if extra else []
        raise ValueError(
            f"{path} and the reference ({reference.name}) have different columns: {'; '.join(lacks)}. Name the"
            " features to compare with --features"
        )
    return in_order(sample, reference.features)
