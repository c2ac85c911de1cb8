"""The command `nplm channels combine`: one p-value for several results, and which of them leads."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from nplm.channels.read import read_document
from nplm.cli.commands.channels.options import CombineOptions
from nplm.cli.commands.channels.writing import finish, output_folder
from nplm.cli.reading import refusing_bad_input
from nplm.cli.terminal import Reporter


def run_combine(options: CombineOptions) -> int:
    """Runs `nplm channels combine`; all input is read before anything is computed or written.

    Raises:
        CommandError: if the input or the output folder is bad.
    """
    folder = output_folder("combine", options)
    with refusing_bad_input():
        names = _names(options.results)
        results = {name: _read(path) for name, path in zip(names, options.results, strict=True)}
        shared, correlation = _overlap(options, names, Reporter(options.quiet))
    from nplm.channels.combine import combine_results
    from nplm.channels.combine_text import combined_line
    from nplm.report.channels import write_combined

    return finish(
        "combine",
        options,
        folder,
        lambda: combine_results(
            results,
            options.how,  # type: ignore[arg-type]
            shared=shared,
            correlation=correlation,
            seed=options.seed,
        ),
        write_combined,
        combined_line,
    )


def _names(paths: tuple[str, ...]) -> list[str]:
    """What distinguishes the files: their folders for many a result.json, else all of their paths."""
    for name in (lambda path: path.parent.name if path.name == "result.json" else path.stem, str):
        names = [str(name(Path(path))) for path in paths]
        if len(set(names)) == len(names) and all(names):
            return names
    return list(paths)


def _read(path: str) -> Any:
    """The JSON values of a result, or a result that was saved.

    Raises:
        ValueError: if it is neither.
    """
    if Path(path).suffix == ".npz":
        from nplm.saved_results import load_result

        try:
            return load_result(path)
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    if Path(path).is_dir():
        raise ValueError(f"{path} is a folder: give the result.json in it")
    if Path(path).suffix != ".json":
        raise ValueError(f"{path} must be the result.json of a run, or what result.save wrote (.npz)")
    return read_document(Path(path))


def _overlap(
    options: CombineOptions, names: list[str], reporter: Reporter
) -> tuple[dict[tuple[str, str], float] | None, np.ndarray | None]:
    """Shared events of pairs, or correlations; None of each where they are not given."""
    if options.events:
        from nplm.channels.channel import shared_events
        from nplm.io.read import read_sample

        samples = [read_sample(path) for path in options.events]
        counted = {
            (names[i], names[j]): float(shared_events(samples[i], samples[j]))
            for i, j in combinations(range(len(names)), 2)
        }
        for (first, second), many in counted.items():
            reporter.note(f"{first} and {second} share {many:,.0f} events")
        return counted, None
    if options.overlap is None:
        return None, None
    document = read_document(Path(options.overlap))
    if document.keys() == {"shared"}:
        return _shared(options.overlap, document["shared"]), None
    if document.keys() == {"order", "correlation"}:
        return None, _correlation(options.overlap, document, names)
    raise ValueError(f"{options.overlap} must have 'shared', or 'order' and 'correlation', and nothing else")


def _shared(path: str, rows: Any) -> dict[tuple[str, str], float]:
    found: dict[tuple[str, str], float] = {}
    for row in rows if isinstance(rows, list) else [rows]:
        try:
            first, second, many = row
            found[str(first), str(second)] = float(many)
        except (TypeError, ValueError):
            raise ValueError(f"{path}: 'shared' must have rows of two channels and a number, not {row!r:.80}") from None
    return found


def _correlation(path: str, document: Mapping[str, Any], names: list[str]) -> np.ndarray:
    order = [str(name) for name in document["order"]]
    if sorted(order) != sorted(names):
        raise ValueError(f"{path}: 'order' must name the channels {', '.join(names)}, not {', '.join(order)}")
    try:
        matrix = np.array(document["correlation"], dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{path}: 'correlation' must be rows of numbers") from None
    if matrix.shape != (len(names), len(names)):
        raise ValueError(f"{path}: 'correlation' must have {len(names)} rows and columns, not shape {matrix.shape}")
    at = [order.index(name) for name in names]
    return matrix[np.ix_(at, at)]
