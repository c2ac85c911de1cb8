"""The options of `nplm channels`: combine, regions, graph and explain."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nplm.cli.errors import UsageError
from nplm.cli.options import (
    FLAG,
    add_control_options,
    add_output_option,
    known,
    require_output,
    to_command,
)
from nplm.cli.style import add_style_option
from nplm.cli.types import count, positive_count, positive_number, positive_numbers, seed, text

_HOWS = ("min-p", "fisher", "sum")
_ERRORS = ("gaussian", "lognormal", "gamma")
_LIKELIHOODS = ("simplified", "full")


@dataclass(frozen=True, kw_only=True)
class OutputOptions:
    """What the commands write."""

    output: Path | None = None
    style: str | None = None
    json: bool = False
    force: bool = False
    quiet: bool = False


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """A table of counting regions."""

    table: str
    covariances: str | None = None
    workspaces: tuple[str, ...] = ()
    likelihood: str = "simplified"
    error_factor: float = 1.0

    @property
    def files(self) -> Mapping[str, str]:
        """The workspaces by analysis."""
        return dict(tuple(each.split("=", 1)) for each in self.workspaces)  # type: ignore[misc]


@dataclass(frozen=True, kw_only=True)
class CombineOptions(OutputOptions):
    """What `nplm channels combine` was asked to do; the fields are the long options, with their defaults."""

    results: tuple[str, ...]
    how: str = "fisher"
    overlap: str | None = None
    events: tuple[str, ...] = ()
    seed: int = 1

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> CombineOptions:
        """The options, with defaults for those that are not in `values`.

        Raises:
            UsageError: if something is missing, or options contradict each other.
        """
        given = tuple(values.get("results", ()))
        if len(given) < 2:
            raise UsageError("give two results or more: nplm channels combine RESULT.json RESULT.json -o OUT")
        twice = [name for name in given if given.count(name) > 1]
        if twice:
            raise UsageError(f"{twice[0]} is given twice; leave it out once")
        if "overlap" in values and "events" in values:
            raise UsageError("--overlap and --events both say what results share; leave one out")
        if "events" in values and len(values["events"]) != len(given):
            raise UsageError(f"--events needs the data of each of the {len(given)} results, in their order")
        require_output(values)
        return cls(**known(cls, values))


@dataclass(frozen=True, kw_only=True)
class RegionsOptions(OutputOptions, TableOptions):
    """What `nplm channels regions` was asked to do; the fields are the long options, with their defaults."""

    errors: str = "gaussian"
    templates: str | None = None
    by: tuple[str, ...] = ("analysis",)
    factors: tuple[float, ...] = (1.0, 1 / 1.3, 0.5, 1.3)
    bins: int = 20
    most: int = 10
    draws: int = 2000
    seed: int = 1

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> RegionsOptions:
        """The options, with defaults for those that are not in `values`.

        Raises:
            UsageError: if something is missing.
        """
        _require_table(values, "regions TABLE -o OUT")
        if "templates" in values and values.get("likelihood") != "full":
            raise UsageError("--templates are for limits by workspaces: give --likelihood full, too")
        require_output(values)
        return cls(**known(cls, values))


@dataclass(frozen=True, kw_only=True)
class GraphOptions(OutputOptions, TableOptions):
    """What `nplm channels graph` was asked to do; the fields are the long options, with their defaults."""

    compatible: str
    templates: str | None = None
    template: str | None = None
    subsets: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> GraphOptions:
        """The options, with defaults for those that are not in `values`.

        Raises:
            UsageError: if something is missing, or options contradict each other.
        """
        _require_table(values, 'graph TABLE --compatible "experiment energy"')
        _require_rule(values)
        if ("templates" in values) != ("template" in values):
            raise UsageError("--templates FILE and --template NAME go together: whose signal the analyses are to see")
        return cls(**known(cls, values))


@dataclass(frozen=True, kw_only=True)
class ExplainOptions(OutputOptions, TableOptions):
    """What `nplm channels explain` was asked to do; the fields are the long options, with their defaults."""

    templates: str
    compatible: str
    errors: str = "gaussian"
    limits: bool = True
    walkers: int = 10
    steps: int = 60
    most: int = 5
    fakes: int = 100
    seed: int = 1
    store: Path | None = None
    workers: int | None = None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ExplainOptions:
        """The options, with defaults for those that are not in `values`.

        Raises:
            UsageError: if something is missing.
        """
        _require_table(values, "explain TABLE --templates FILE --compatible RULE -o OUT")
        if "templates" not in values:
            raise UsageError("--templates is missing; give a file with the columns template, region and yield")
        _require_rule(values)
        require_output(values)
        return cls(**known(cls, values))


def add_combine_options(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `nplm channels combine`; what is not given stays None."""
    parser.add_argument(
        "results", metavar="RESULT", nargs="*", type=text, help="result.json of a run, or what result.save wrote (.npz)"
    )
    group = parser.add_argument_group("combination")
    group.add_argument(
        "--how",
        choices=_HOWS,
        help="smallest p-value, product of p-values, or sum of t (default: fisher); choose it before you look",
    )
    group.add_argument(
        "--overlap", type=text, metavar="FILE", help="JSON file with shared events, or with correlations of Z-scores"
    )
    group.add_argument(
        "--events",
        nargs="+",
        type=text,
        metavar="FILE",
        help="data of each result, in order: events with the same values of all features are shared",
    )
    group.add_argument("--seed", type=seed, metavar="N", help="of draws, where no closed form is known (default: 1)")
    _add_output(parser)


def add_regions_options(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `nplm channels regions`; what is not given stays None."""
    _add_table(parser)
    group = parser.add_argument_group("p-values")
    _add_errors(group, "how what is expected is uncertain")
    _add_likelihood(group)
    group.add_argument("--templates", type=text, metavar="FILE", help="signals whose strengths full likelihoods limit")
    group.add_argument(
        "--by",
        nargs="+",
        type=text,
        metavar="COLUMN",
        help="columns by which the best factor of the errors is given, too (default: analysis)",
    )
    group.add_argument(
        "--factors",
        type=positive_numbers,
        metavar="F1,F2,...",
        help="true errors over those of the table, for which the histogram is predicted (default: 1, 1/1.3, 0.5, 1.3)",
    )
    group.add_argument("--bins", type=positive_count, metavar="N", help="of the histogram (default: 20)")
    group.add_argument("--most", type=positive_count, metavar="N", help="extremes on each side (default: 10)")
    group.add_argument("--draws", type=positive_count, metavar="N", help="of whole tables (default: 2000)")
    group.add_argument("--seed", type=seed, metavar="N", help="of the draws (default: 1)")
    _add_output(parser)


def add_graph_options(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `nplm channels graph`; what is not given stays None."""
    _add_table(parser)
    group = parser.add_argument_group("combination")
    _add_compatible(group)
    _add_likelihood(group)
    group.add_argument("--templates", type=text, metavar="FILE", help="signals, see nplm channels explain")
    group.add_argument(
        "--template",
        type=text,
        metavar="NAME",
        help="whose best combination is wanted (default: of most analyses)",
    )
    group.add_argument("--subsets", action=FLAG, help="also sets to which analyses could be added")
    _add_output(parser)


def add_explain_options(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `nplm channels explain`; what is not given stays None."""
    _add_table(parser)
    group = parser.add_argument_group("signals")
    group.add_argument(
        "--templates",
        type=text,
        metavar="FILE",
        help="CSV or Parquet file with the columns template, region, yield, and analysis and cost if needed",
    )
    _add_compatible(group)
    _add_likelihood(group)
    _add_errors(group, "how expectations of fake tables are uncertain")
    group.add_argument(
        "--limits", action=FLAG, help="signals stay below what regions outside of a combination exclude (default)"
    )
    walks = parser.add_argument_group("walks")
    walks.add_argument("--walkers", type=positive_count, metavar="N", help="independent walks (default: 10)")
    walks.add_argument("--steps", type=positive_count, metavar="N", help="of each (default: 60)")
    walks.add_argument("--most", type=positive_count, metavar="N", help="templates together, at most (default: 5)")
    walks.add_argument("--fakes", type=count, metavar="N", help="fake tables for the p-value (default: 100)")
    walks.add_argument("--seed", type=seed, metavar="N", help="of all random numbers (default: 1)")
    walks.add_argument(
        "--store",
        type=Path,
        metavar="FOLDER",
        help="keep walks and fake tables there: the same command goes on, and more can be added",
    )
    walks.add_argument("--workers", type=positive_count, metavar="N", help="run on N processes of this machine")
    _add_output(parser)


def command_of(name: str, options: Any) -> list[str]:
    """The shortest command that asks for the same."""
    positional = ("results",) if name == "combine" else ("table",)
    return to_command(f"nplm channels {name}", options, positional=positional, hidden=("force", "quiet", "workers"))


def _add_table(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "table",
        metavar="TABLE",
        nargs="?",
        type=text,
        help="CSV or Parquet file with the columns region, analysis, observed, expected, error; or a workspace of pyhf"
        " (.json)",
    )
    group = parser.add_argument_group("table")
    group.add_argument(
        "--covariances",
        type=text,
        metavar="FILE",
        help='JSON file: by analysis "order", names of regions, and "covariance" or "correlation"',
    )
    group.add_argument(
        "--workspaces",
        nargs="+",
        type=text,
        metavar="ANALYSIS=FILE",
        help="workspaces of pyhf (.json) whose bins stand for the regions of these analyses",
    )
    group.add_argument(
        "--error-factor", type=positive_number, metavar="F", help="multiply all errors with this (default: 1)"
    )


def _add_likelihood(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--likelihood",
        choices=_LIKELIHOODS,
        help="of workspaces: their bins with a covariance, or with all nuisances (default: simplified)",
    )


def _add_compatible(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--compatible",
        type=text,
        metavar="RULE",
        help='columns, as "experiment energy": analyses that differ in one of them may be combined; or a CSV file of'
        " allowed pairs with the columns first and second",
    )


def _add_errors(group: argparse._ArgumentGroup, what: str) -> None:
    group.add_argument("--errors", choices=_ERRORS, help=f"{what} (default: gaussian, cut off at zero)")


def _add_output(parser: argparse.ArgumentParser) -> None:
    output = parser.add_argument_group("output and control")
    add_output_option(output, "folder for result.json, report.html and plots")
    add_style_option(output)
    add_control_options(output)


def _require_table(values: Mapping[str, Any], usage: str) -> None:
    if "table" not in values:
        raise UsageError(f"give the table of regions: nplm channels {usage}")
    named = [each.split("=", 1)[0] for each in values.get("workspaces", ()) if "=" in each]
    for each in values.get("workspaces", ()):
        if "=" not in each:
            raise UsageError(f"--workspaces takes ANALYSIS=FILE, such as stop={each}, not {each}")
        if named.count(each.split("=", 1)[0]) > 1:
            raise UsageError(f"--workspaces names {each.split('=', 1)[0]} twice; leave one out")
    if values.get("likelihood") == "full" and values.get("error_factor", 1.0) != 1.0:
        raise UsageError("--error-factor scales errors of tables, which a full likelihood has none of; leave one out")


def _require_rule(values: Mapping[str, Any]) -> None:
    if "compatible" not in values:
        raise UsageError(
            '--compatible is missing; say which analyses may be combined, such as --compatible "experiment energy"'
        )
