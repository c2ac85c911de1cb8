"""The command `nplm learn`: log-ratios from varied samples or weights, checked, stored and drawn."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from nplm._util.files import atomic_path
from nplm.cli.commands.learn_options import Options
from nplm.cli.errors import DataFitError, ExitCode, OutputError
from nplm.cli.output import say
from nplm.cli.reading import refusing_bad_input
from nplm.cli.refusing import refusing_bad_output
from nplm.cli.terminal import Reporter
from nplm.config.documents import read_document
from nplm.config.learning import LearnFile
from nplm.config.learning_points import is_direction
from nplm.config.operators import Operators
from nplm.learning.checks import describe_checks
from nplm.learning.learned_polynomial import LearnedPolynomialRatio
from nplm.learning.learned_ratio import LearnedLogRatio
from nplm.learning.morphed_sample import MorphedSample
from nplm.learning.store import AnyLearned, write_ratio, write_score
from nplm.learning.validation import RatioValidation
from nplm.report.manifest import manifest_of, written_into

NUISANCES_FILE, PARAMETERS_FILE = "nuisances.yaml", "parameters.yaml"
# What the file of a local score has after the name of the operators.
OF_SCORE = "-score"
_PROGRAM = "nplm learn"


def run_learn(options: Options) -> int:
    """Runs `nplm learn`.

    Raises:
        InputError: if the file, or a sample that it names, is bad or cannot serve.
        OutputError: if the folder cannot be written.
    """
    reporter = Reporter(options.quiet)
    with refusing_bad_input():
        file = LearnFile.read(options.file)
    _require_own_files(options, file)
    with refusing_bad_input(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        learned = file.learn(reporter.note)
        operators = file.learn_operators(reporter.note)
    for warning in caught:
        reporter.note(str(warning.message))
    failed = []
    with refusing_bad_output(options.output), written_into(options.output, _PROGRAM):
        for ratio in learned:
            path = options.output / f"{stem_of(ratio.nuisances)}.npz"
            write_ratio(path, ratio)
            if options.plots:
                _draw(options.output, ratio)
            say(_table(path, ratio, file))
            try:
                ratio.require_valid()
            except ValueError as error:
                failed.append(f"{path}: {error}")
        for given, polynomial, score, morphed in operators:
            path = options.output / f"{given.name}.npz"
            write_ratio(path, polynomial)
            write_score(options.output / f"{given.name}{OF_SCORE}.npz", score)
            if options.plots:
                _draw(options.output, polynomial)
            say(_table_of_operators(path, polynomial, given, morphed))
            try:
                polynomial.require_valid()
            except ValueError as error:
                failed.append(f"{path}: {error}")
        written = [] if not learned else [_write_nuisances(options.output, learned, file)]
        written += [] if not operators else [_write_parameters(options.output, [(g, r) for g, r, _, _ in operators])]
    if failed:
        raise DataFitError("; ".join(failed))
    for line in written:
        say(line)
    return ExitCode.DONE


def _write_nuisances(folder: Path, learned: Sequence[LearnedLogRatio], file: LearnFile) -> str:
    """Writes what `nplm test --nuisances` reads, unless it is there and may have been edited; says which."""
    path = folder / NUISANCES_FILE
    document: dict[str, Any] = {
        "learned": [f"{stem_of(ratio.nuisances)}.npz" for ratio in learned],
        "sigma": {name: file.sigma_of(name) for ratio in learned for name in ratio.nuisances},
    }
    if path.exists():
        for difference in _differences(path, document, file):
            say(f"nplm: {difference}", sys.stderr)
        return f"{path} is kept as it is"
    with atomic_path(path) as temporary:
        temporary.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return f"{path}: for nplm test --nuisances; add normalizations and correlations there"


def _differences(path: Path, document: Mapping[str, Any], file: LearnFile) -> list[str]:
    """Where a file for tests that is kept does not say what was learned now."""
    with refusing_bad_input():
        kept = read_document(path, "nuisances-1")
    sigma, learned = kept.get("sigma") or {}, kept.get("learned") or []
    unnamed = [name for name in document["learned"] if name not in learned]
    found = [f"{path} is kept, but does not name {name}, which was learned: add it" for name in unnamed]
    for name, value in document["sigma"].items():
        if isinstance(sigma, Mapping) and name in sigma and sigma[name] != value:
            found.append(
                f"{path} is kept with sigma {sigma[name]} of '{name}', but {file.path} says {value:g}: correct one, or"
                f" remove {path} and learn again"
            )
    return found


def _require_own_files(options: Options, file: LearnFile) -> None:
    """Makes the folder, once it is known that no file would be replaced there that nplm did not write.

    Raises:
        OutputError: naming a file that would be.
    """
    folder = options.output
    manifest = manifest_of(folder, _PROGRAM)
    if (nuisances := folder / NUISANCES_FILE).exists() and nuisances.samefile(file.path):
        raise OutputError(f"{nuisances} is the file to learn from, and would be that to test with; choose another -o")
    stems = {stem_of(group) for group in file.groups}
    names = [name for group in file.groups for name in group]
    with refusing_bad_output(folder):
        folder.mkdir(parents=True, exist_ok=True)
        # How many directions a set has is known once it is learned.
        for each in file.sets:
            stems.add(each.name)
            directions = [path.stem for path in folder.glob("*") if is_direction(path.stem, each.name)]
            stems.update(directions)
            names += directions
    stems.update(f"{each.name}{end}" for each in file.operators for end in ("", OF_SCORE))
    names += [name for each in file.operators for name in each.morphing.parameters]
    suffixes = ("png", "pdf") if options.plots else ()
    for target in [*(f"{stem}.npz" for stem in sorted(stems)), *(f"{n}.{s}" for n in names for s in suffixes)]:
        manifest.require_own(folder / target)


def stem_of(names: Sequence[str]) -> str:
    """What the file of a log-ratio is called: after its nuisances, or the set that they are directions of."""
    roots = {name.rpartition("_")[0] for name in names}
    numbers = [name.rpartition("_")[2] for name in names]
    if len(roots) == 1 < len(numbers) and numbers == [str(i) for i in range(1, len(numbers) + 1)]:
        return roots.pop()
    return "+".join(names)


def _draw(folder: Path, ratio: AnyLearned) -> None:
    from nplm.plot.learned_ratio import plot_learned_ratio
    from nplm.plot.style import save_figure

    for name in ratio.nuisances:
        save_figure(plot_learned_ratio(ratio, name), folder / name)


def _write_parameters(folder: Path, learned: Sequence[tuple[Operators, LearnedPolynomialRatio]]) -> str:
    """Writes what names the log-ratios of operators as parameters of interest, unless it is there; says which."""
    path = folder / PARAMETERS_FILE
    if path.exists():
        return f"{path} is kept as it is"
    document = {
        "learned": [f"{given.name}.npz" for given, _ in learned],
        "bounds": {name: list(ends) for _, ratio in learned for name, ends in ratio.learned_range.items()},
    }
    with atomic_path(path) as temporary:
        temporary.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return f"{path}: the couplings as parameters of interest, with bounds where the ratios end"


def _table_of_operators(path: Path, ratio: LearnedPolynomialRatio, given: Operators, morphed: MorphedSample) -> str:
    """What was learned, what the weights say of the yield, and every check."""
    lines = []
    for name, (_, end) in ratio.learned_range.items():
        ends = [morphed.yield_at({name: sign * end}) for sign in (-1, 1)]
        words = " and ".join(f"{each.ratio:.4g} +- {each.ratio_error:.2g}" for each in ends)
        lines.append(f"  {name}: from {-end:.4g} to {end:.4g}, where the yield is {words} times that at 0")
    verdict = "all checks passed" if ratio.validation is not None and ratio.validation.passed else "CHECKS FAILED"
    head = f"{path}: {given.morphing.describe()}; {ratio.form} form, {ratio.members} regressions; {verdict}"
    return "\n".join([head, *lines, *_rows_of_checks(ratio.validation)])


def _table(path: Path, ratio: LearnedLogRatio, file: LearnFile) -> str:
    """What was learned, and every check, as lines of equal columns."""
    validation = ratio.validation
    lines = _rows_of_checks(validation)
    verdict = "all checks passed" if validation is not None and validation.passed else "CHECKS FAILED"
    sizes = ", ".join(f"{name} (sigma {file.sigma_of(name):g})" for name in ratio.nuisances)
    left_out = f" ({ratio.left_out} left out)" if ratio.left_out else ""
    return "\n".join([f"{path}: {sizes}; {ratio.members} networks each{left_out}; {verdict}", *lines])


def _rows_of_checks(validation: RatioValidation | None) -> list[str]:
    rows = [("check", "at", "chi2 / dof", "p"), *([] if validation is None else describe_checks(validation))]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
