"""The numbers in what commands write and print, each under a key that does not change from run to run."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml

# Names of what is another each time: durations, dates, versions, devices, names of files and commands.
EXCLUDED = frozenset(
    {
        "seconds",
        "seconds_by_stage",
        "time",
        "created",
        "date",
        "version",
        "versions",
        "nplm_version",
        "devices",
        "environment",
        "platform",
        "command",
        "path",
        "paths",
        "source",
        "digest",
    }
)
# Words that must be the same as well: they say whether toys of one tree are those of the other.
_HASHES = ("plan_hash",)
# What lists the files of a run. Pages, pictures and texts for people are not read either.
_NOT_READ = frozenset({"manifest.json"})

Numbers = Mapping[str, float | str]


def numbers_in(folder: Path, outputs: Iterable[str]) -> Numbers:
    """The numbers that a run has written, by file and place in it.

    Arguments:
        folder: of all runs.
        outputs: names of the files and folders that the run has written there.
    """
    found: dict[str, float | str] = {}
    for root in (folder / name for name in outputs):
        files = [file for file in sorted(root.rglob("*")) if file.is_file()] if root.is_dir() else [root]
        for file in files:
            if file.name not in _NOT_READ:
                found.update(_in_file(file, str(file.relative_to(folder))))
        for parts in sorted({file.parent for file in files if file.match("part-*.parquet")}):
            found.update(_in_parts(parts, str(parts.relative_to(folder))))
    return found


def largest_difference(before: Numbers, after: Numbers) -> tuple[float, str]:
    """The largest relative difference of two runs and where it is; infinity for what one of them lacks."""
    worst, where = 0.0, ""
    for key in sorted(before.keys() | after.keys()):
        size = _difference(before[key], after[key]) if key in before and key in after else math.inf
        if size > worst:
            worst, where = size, key
    return worst, where


def _difference(a: float | str, b: float | str) -> float:
    if a == b or (a != a and b != b):
        return 0.0
    if isinstance(a, str) or isinstance(b, str) or not (math.isfinite(a) and math.isfinite(b)):
        return math.inf
    return abs(a - b) / max(abs(a), abs(b))


def _in_file(file: Path, key: str) -> Iterator[tuple[str, float | str]]:
    match file.suffix:
        case ".json":
            yield from _in_value(json.loads(file.read_text(encoding="utf-8")), key)
        case ".jsonl":
            for i, line in enumerate(file.read_text(encoding="utf-8").splitlines()):
                yield from _in_value(json.loads(line), f"{key}[{i}]")
        case ".yaml":
            yield from _in_value(yaml.safe_load(file.read_text(encoding="utf-8")), key)
        case ".npz":
            with np.load(file, allow_pickle=False) as arrays:
                for name in arrays.files:
                    yield from _in_array(arrays[name], f"{key}/{name}")
        case ".csv":
            table = np.genfromtxt(file, delimiter=",", names=True, dtype=None, encoding="utf-8")
            for name in table.dtype.names or ():
                yield from _in_array(table[name], f"{key}/{name}")


def _in_array(array: np.ndarray, key: str) -> Iterator[tuple[str, float | str]]:
    if key.rpartition("/")[2] in EXCLUDED:
        return
    if array.dtype.kind in "US":  # a header of JSON values, or names
        text = str(array) if array.ndim == 0 else ""
        if text.startswith(("{", "[")):
            yield from _in_value(json.loads(text), key)
    elif array.dtype.kind in "biuf":
        yield from ((f"{key}[{i}]", float(value)) for i, value in enumerate(array.ravel()))


def _in_parts(folder: Path, key: str) -> Iterator[tuple[str, float | str]]:
    """The rows of all parts, whose names are drawn, in the order of their toys or windows."""
    files = sorted(folder.glob("part-*.parquet"))
    rows = [row for file in files for row in pq.read_table(file).to_pylist()]
    order = [name for name in ("index", "row") if rows and name in rows[0]]
    # Those of several widths have a part for each, in the order of its name, and the same numbers of toys.
    rows.sort(key=lambda row: [row[name] for name in order])
    for i, row in enumerate(rows):
        yield from _in_value(row, f"{key}/parts[{i}]")


def _in_value(value: Any, key: str) -> Iterator[tuple[str, float | str]]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            if str(name) in _HASHES:
                yield f"{key}/{name}", str(each)
            elif str(name) not in EXCLUDED:
                yield from _in_value(each, f"{key}/{name}")
    elif isinstance(value, (list, tuple)):
        for i, each in enumerate(value):
            yield from _in_value(each, f"{key}[{i}]")
    elif isinstance(value, (bool, int, float)):
        yield key, float(value)
