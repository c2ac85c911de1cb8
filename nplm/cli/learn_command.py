"""The command `nplm learn`: log-ratios from varied samples or weights, checked, stored and drawn."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import yaml

from nplm._atomic import atomic_path, remove_left_over
from nplm.cli.errors import DataFitError, ExitCode, OutputError
from nplm.cli.learn_options import Options
from nplm.cli.progress import Reporter
from nplm.cli.reading import refusing_bad_input
from nplm.cli.refusing import refusing_bad_output
from nplm.cli.say import say
from nplm.nuisance.learn_file import LearnFile
from nplm.nuisance.learned_ratio import LearnedLogRatio
from nplm.nuisance.ratio_store import write_ratio
from nplm.nuisance.validate_ratio import describe_checks

# Of the pictures.
_KINDS = ("png", "pdf")


def run_learn(options: Options) -> int:
    """Runs `nplm learn`.

    Raises:
        InputError: if the file, or a sample that it names, is bad or cannot serve.
        OutputError: if the folder cannot be written.
    """
    reporter = Reporter(options.quiet)
    with refusing_bad_input():
        file = LearnFile.read(options.file)
    _create(options.output)
    with refusing_bad_input(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        learned = file.learn(reporter.note)
    for warning in caught:
        reporter.note(str(warning.message))
    failed = []
    for ratio in learned:
        path = options.output / f"{stem_of(ratio)}.npz"
        try:
            for target in (path, *(options.output / f"{name}.{kind}" for name in ratio.nuisances for kind in _KINDS)):
                remove_left_over(target)
            write_ratio(path, ratio)
            if options.plots:
                _draw(options.output, ratio)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error
        say(_table(path, ratio, file))
        try:
            ratio.require_valid()
        except ValueError as error:
            failed.append(f"{path}: {error}")
    written = _write_nuisances(options.output, learned, file)
    if failed:
        raise DataFitError("; ".join(failed))
    say(written)
    return ExitCode.DONE


def _write_nuisances(folder: Path, learned: Sequence[LearnedLogRatio], file: LearnFile) -> str:
    """Writes what `nplm test --nuisances` reads, unless it is there and may have been edited; says which."""
    path = folder / "nuisances.yaml"
    if path.exists():
        return f"{path} is kept as it is"
    document = {
        "learned": [f"{stem_of(ratio)}.npz" for ratio in learned],
        "sigma": {name: file.sigma_of(name) for ratio in learned for name in ratio.nuisances},
    }
    with refusing_bad_output(folder):
        remove_left_over(path)
        # Whole or not at all: half of it would be kept as it is.
        with atomic_path(path) as temporary:
            temporary.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return f"{path}: for nplm test --nuisances; add normalizations and correlations there"


def stem_of(ratio: LearnedLogRatio) -> str:
    """What the file of a log-ratio is called: after its nuisances, or the set that they are directions of."""
    roots = {name.rpartition("_")[0] for name in ratio.nuisances}
    numbers = [name.rpartition("_")[2] for name in ratio.nuisances]
    if len(roots) == 1 < len(numbers) and numbers == [str(i) for i in range(1, len(numbers) + 1)]:
        return roots.pop()
    return "+".join(ratio.nuisances)


def _create(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be created: {error.strerror or error}") from error


def _draw(folder: Path, ratio: LearnedLogRatio) -> None:
    from nplm.plot.learned_ratio import plot_learned_ratio
    from nplm.plot.style import save_figure

    for name in ratio.nuisances:
        save_figure(plot_learned_ratio(ratio, name), folder / name)


def _table(path: Path, ratio: LearnedLogRatio, file: LearnFile) -> str:
    """What was learned, and every check, as lines of equal columns."""
    validation = ratio.validation
    rows = [("check", "at", "chi2 / dof", "p"), *([] if validation is None else describe_checks(validation))]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    verdict = "all checks passed" if validation is not None and validation.passed else "CHECKS FAILED"
    sizes = ", ".join(f"{name} (sigma {file.sigma_of(name):g})" for name in ratio.nuisances)
    return "\n".join([f"{path}: {sizes}; {ratio.members} networks each; {verdict}", *lines])
