"""Reads the samples that a command needs, and refuses what does not fit together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from jaxtyping import Int64

from nplm.cli.errors import InputError
from nplm.cli.options import InputOptions
from nplm.cli.types import ReferenceFile
from nplm.cuts.expression import columns_are_there
from nplm.data.sample import Sample, in_order, require_varying
from nplm.io.processes import BeforeCut, matching_files, read_reference
from nplm.io.read import column_names, read_sample, row_numbers


@contextmanager
def refusing_bad_input() -> Iterator[None]:
    """Turns the ValueError of a function that checks input into the end of the command.

    It belongs around reading and checking only: a ValueError from anywhere else is a bug and deserves its traceback.
    """
    try:
        yield
    except ValueError as error:
        raise InputError(str(error)) from error


@dataclass(frozen=True, eq=False)
class Reader:
    """Reads the files of a command: the reference, and others that must have its features.

    Arguments:
        options: files, features, weights and cut.
        note: told which files the weight column was taken from, and which columns are no features by default.
        empty: a file that may hold no events, as data may where few are expected.
        score: a column that is read as a feature and is none.
    """

    options: InputOptions
    note: Callable[[str], None]
    empty: str | None = None
    score: str | None = None

    def read(self, *paths: str | None) -> tuple[Sample, list[Sample | None]]:
        """The reference, and a sample for each path, with the features in the order of the reference; None for None.

        Raises:
            InputError: if a file, a column or a value is bad, or the files do not fit together.
        """
        options = self.options
        after = any(f.expected_yield and not f.before_cut and not f.unit for f in options.reference)
        if options.where and (options.expected_yield or after):
            self.note("the expected yield is taken to be that after the cut (FILE=YIELD@before-cut: before it)")
        with refusing_bad_input():
            # All headers first: a misspelt name should not wait for the large files before it.
            everything = [*(path for path in paths if path is not None), *self._reference_files()]
            columns = {path: column_names(path, **access_of(self.options)) for path in everything}
            reference = read_reference(
                [f.path for f in options.reference],
                [_yield_of(f, options) for f in options.reference],
                features=options.features,
                weights=options.weights,
                where=options.where,
                notify=self.note,
                **access_of(self.options),
            )
            others = [name for name in reference.features if name != self.score]
            # Without a score no copy is made.
            require_varying(reference if self.score is None or not others else reference[others])
            samples = [None if path is None else self._like(reference, path, columns[path]) for path in paths]
        return reference, samples

    def rows(self, path: str) -> Int64[np.ndarray, " n"] | None:
        """The row in its file of each event that `read` gives, counted from 0; None without a cut.

        Raises:
            InputError: if the file is bad.
        """
        with refusing_bad_input():
            return row_numbers(
                path,
                features=self.options.features,
                where=self.options.where,
                allow_empty=path == self.empty,
                **access_of(self.options),
            )

    def _reference_files(self) -> list[str]:
        """The files of the reference, those of patterns too."""
        return [file for given in self.options.reference for file in matching_files(given.path)]

    def _like(self, reference: Sample, path: str, columns: Sequence[str]) -> Sample:
        """The sample in a file, which must have the features of the reference."""
        weights = self.options.weights
        weighted = weights is not None and columns_are_there(weights, columns)
        if weights is not None:
            found = "its weights are" if weighted else "every event has weight one, as there is no column"
            self.note(f"{path}: {found} '{weights}'")
        sample = read_sample(
            path,
            features=self.options.features,
            weights=weights if weighted else None,
            where=self.options.where,
            allow_empty=path == self.empty,
            notify=self.note,
            **access_of(self.options),
        )
        return ordered_like(reference, sample, path, "the reference")


def known_yield(options: InputOptions, reference: Sample) -> float | None:
    """The expected yield if it is known from elsewhere, by `--expected-yield` or with every file of the reference.

    Of a yield before the cut, what passes is known no better than the number of events that do.
    """
    named = options.reference and all(
        file.expected_yield is not None and not file.unit and not (file.before_cut and options.where)
        for file in options.reference
    )
    return reference.total_weight if options.expected_yield is None and named else options.expected_yield


def _yield_of(file: ReferenceFile, options: InputOptions) -> float | BeforeCut | None:
    """What is expected of a file, after the cut or before it."""
    if file.expected_yield is None or not (file.unit or file.before_cut):
        return file.expected_yield
    if not file.unit:
        return BeforeCut(file.expected_yield)
    assert options.luminosity is not None, "require_input refuses a cross-section without it"
    return BeforeCut(options.luminosity.events(file.expected_yield, file.unit), generated=True)


class AccessOptions(Protocol):
    """Options of a command that opens files."""

    @property
    def tree(self) -> str | None: ...
    @property
    def allow_remote(self) -> bool: ...
    @property
    def allow_external_links(self) -> bool: ...


def access_of(options: AccessOptions) -> dict[str, Any]:
    """How files are opened, as arguments of the functions that read them."""
    return {
        "tree": options.tree,
        "allow_remote": options.allow_remote,
        "allow_external_links": options.allow_external_links,
    }


def ordered_like(expected: Sample, sample: Sample, path: str, called: str = "") -> Sample:
    """The sample with its features in the order of another.

    Arguments:
        expected: whose features it must have.
        sample: read from the file `path`.
        called: what the other is to the user; default: its name.

    Raises:
        ValueError: if they have different features.
    """
    missing = [f for f in expected.features if f not in sample.features]
    extra = [f for f in sample.features if f not in expected.features]
    if missing or extra:
        other, named = (called, f"{called} ({expected.name})") if called else (expected.name, expected.name)
        lacks = [f"{path} lacks {', '.join(missing)}"] if missing else []
        lacks += [f"{other} lacks {', '.join(extra)}"] if extra else []
        raise ValueError(
            f"{path} and {named} have different columns: {'; '.join(lacks)}. Name the features to compare with"
            " --features"
        )
    return in_order(sample, expected.features)
