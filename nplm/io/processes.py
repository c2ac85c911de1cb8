"""The reference as the sum of several processes, each of one file or more, scaled to what is expected of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from glob import has_magic
from pathlib import Path
from typing import Any

from nplm.cuts.columns import ReadError
from nplm.data.sample import Sample, in_order
from nplm.data.without_copies import joined, renamed, rescaled
from nplm.io.read import column_names, read_sample, sum_of_weights

# The tree of NanoAOD that counts what its generator has made, and what the branches are called there.
_RUNS = "Runs"
_SUMS, _COUNTS = ("genEventSumw", "genEventSumw_"), ("genEventCount", "genEventCount_")


@dataclass(frozen=True)
class BeforeCut:
    """The yield of all events of a process, of which a cut lets pass some.

    Arguments:
        events: expected before the cut.
        generated: of all events that the generator has made, as cross-section times luminosity is: if the files are
            NanoAOD, the tree Runs knows the sum of their weights, whatever was skimmed since.
    """

    events: float
    generated: bool = False


def read_reference(
    paths: Sequence[str | Path],
    yields: Sequence[float | BeforeCut | None],
    *,
    features: Sequence[str] | None = None,
    weights: str | None = None,
    where: str | None = None,
    name: str | None = None,
    tree: str | None = None,
    allow_remote: bool = False,
    allow_external_links: bool = False,
    notify: Callable[[str], None] | None = None,
) -> Sample:
    """The sum of several processes, one file (or pattern of files) each, with the features in the order of the first.

    Arguments:
        paths: the files; a pattern such as "mc*.root" is all files that match it together.
        yields: for each path the number of events expected from it after the cut, to which its weights are scaled; or
            that before the cut (`BeforeCut`), of which there is left what the weights of the events that pass say; or
            None for each path, to take the weights as they are.
        name: what to call the sum. Default: the names of the files, joined with +.

    The other arguments are those of `read_sample` and hold for every file.

    Raises:
        ReadError: (a ValueError) if a file cannot be read, a pattern matches none, some files have a yield and others
            have none, a yield is not positive, or the files have different features.
    """
    if not paths:
        raise ReadError("a reference needs at least one file")
    if len(paths) != len(yields):
        raise ReadError(f"{len(paths)} files but {len(yields)} yields; give one yield for each file, or None for each")
    without = [str(path) for path, expected in zip(paths, yields, strict=True) if expected is None]
    if without and len(without) < len(paths):
        raise ReadError(f"no expected yield for {', '.join(without)}; give one for every file, or for none")
    access: dict[str, Any] = {
        "tree": tree,
        "allow_remote": allow_remote,
        "allow_external_links": allow_external_links,
    }
    processes = [matching_files(path) for path in paths]
    samples = [
        [
            # Messages about a mismatch then say which file, even if two folders hold the same name.
            read_sample(f, features=features, weights=weights, where=where, name=f, notify=notify, **access)
            for f in files
        ]
        for files in processes
    ]
    scaled = []
    try:
        order = samples[0][0].features
        for path, files, expected in zip(paths, processes, yields, strict=True):
            process = joined([in_order(part, order) for part in samples.pop(0)])
            if isinstance(expected, BeforeCut):
                total, of = _total(files, expected, features, weights, access)
                after = expected.events * process.total_weight / total
                if notify is not None:
                    notify(f"{path}: {expected.events:,.6g} events expected of {of}, {after:,.6g} after the cut")
                process = rescaled(process, after)
            elif expected is not None:
                process = rescaled(process, expected)
            scaled.append(process)
            del process
        together = joined(scaled)
    except ValueError as error:
        raise ReadError(str(error)) from error
    return renamed(together, name or " + ".join(Path(path).name for path in paths))


def matching_files(path: str | Path) -> list[str]:
    """The files that a pattern matches, in the order of their names; a path that is none is itself.

    Raises:
        ReadError: if a pattern matches no file.
    """
    text = str(path)
    if not has_magic(text) or "://" in text or Path(text).exists():
        return [text]
    pattern, tree = text, ""
    if found := re.fullmatch(r"(.*\.(?:root|h5|hdf5|npz))(:[^:]+)", text, re.DOTALL):
        pattern, tree = found[1], found[2]
        if not has_magic(pattern) or Path(pattern).exists():
            return [text]
    root = Path(Path(pattern).anchor)
    files = sorted(str(file) for file in root.glob(str(Path(pattern).relative_to(root))) if file.is_file())
    if not files:
        raise ReadError(f"no file matches the pattern {pattern}; check folder and name")
    return [file + tree for file in files]


def _total(
    files: Sequence[str],
    expected: BeforeCut,
    features: Sequence[str] | None,
    weights: str | None,
    access: dict[str, Any],
) -> tuple[float, str]:
    """The sum of weights that the yield is of, and what that is of, in words."""
    if expected.generated:
        sums = [_generated(file, weights, access) for file in files]
        known = [each for each in sums if each is not None]
        if len(known) == len(files):
            total, of = sum(known), f"all that was generated (tree {_RUNS}: {sum(known):,.6g})"
            return _positive(total, files), of
        if known:
            lacking = files[sums.index(None)]
            raise ReadError(f"{lacking} has no tree {_RUNS} with sums of weights, but other files of its pattern have")
    total = sum(sum_of_weights(file, features=features, weights=weights, **access) for file in files)
    return _positive(total, files), f"all {total:,.6g} before the cut"


def _positive(total: float, files: Sequence[str]) -> float:
    if total > 0:
        return total
    raise ReadError(f"the weights of all events of {', '.join(files)} add up to {total:g}: no yield is a share of that")


def _generated(file: str, weights: str | None, access: dict[str, Any]) -> float | None:
    """The sum of the generator's weights that a file of NanoAOD has counted, or the number of its events."""
    source = re.sub(r"(\.root):[^:]+$", r"\1", file)
    if not source.partition("?")[0].endswith(".root"):
        return None
    runs = {**access, "tree": _RUNS}
    try:
        columns = column_names(source, **runs)
    except ReadError:  # there is no such tree, or it has no columns
        return None
    column = next((name for name in (_COUNTS if weights is None else _SUMS) if name in columns), None)
    if column is None:
        return None
    return float(read_sample(source, features=[column], **runs).events.sum())
