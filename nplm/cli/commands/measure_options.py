"""The options of `nplm measure`: their names, their defaults, and which may stand together."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nplm.cli.errors import UsageError
from nplm.cli.options import (
    FLAG,
    InputOptions,
    add_control_options,
    add_output_option,
    add_reference_options,
    known,
    require_input,
    require_output,
    to_command,
)
from nplm.cli.style import add_label_option, add_style_option
from nplm.cli.types import Label, count, number, positive_count, seed, text

_FEWEST_TOYS, _FEWEST_RESAMPLES = 20, 99


@dataclass(frozen=True, kw_only=True)
class Options(InputOptions):
    """What `nplm measure` was asked to do; the fields are the long options, with their defaults."""

    data: str | None = None
    parameters: str | None = None
    nuisances: str | None = None
    expected: bool = False
    at: tuple[tuple[str, float], ...] = ()
    level: tuple[float, ...] | None = None
    limit: tuple[str, ...] = ()
    limit_level: float = 0.95
    toys: int = 0
    goodness_of_fit: bool = True
    goodness_toys: int = 0
    resamples: int = 999
    seed: int = 1
    output: Path | None = None
    style: str | None = None
    label: tuple[Label, ...] = ()
    json: bool = False
    force: bool = False
    quiet: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Options:
        """The options, with defaults for those that are not in `values`.

        Raises:
            UsageError: if something is missing, or options contradict each other.
        """
        expected = bool(values.get("expected"))
        if "data" not in values and not expected:
            raise UsageError(
                "DATA is missing; give the file: nplm measure DATA --reference REF --parameters FILE -o OUT (only"
                " --expected can do without)"
            )
        if not values.get("reference"):
            raise UsageError("--reference is missing; give the file with the events that are expected")
        if "parameters" not in values and "nuisances" not in values:
            raise UsageError("--parameters is missing; give the YAML file that says what is measured (docs/measure.md)")
        if "parameters" not in values and expected:
            raise UsageError("--expected is about parameters of interest: give them with --parameters FILE")
        require_output(values)
        if expected and "data" in values:
            raise UsageError(f"--expected is about what is known before there are data: leave out {values['data']}")
        if "at" in values and not expected:
            raise UsageError("--at is where --expected takes the truth to be; leave it out")
        for name in ("toys", "goodness_toys"):
            option = f"--{name.replace('_', '-')}"
            if values.get(name) and expected:
                raise UsageError(f"{option} are drawn at what was fitted to data; leave it out with --expected")
            if values.get(name) and values[name] < _FEWEST_TOYS:
                raise UsageError(f"{option}: take {_FEWEST_TOYS} or more (or 0), not {values[name]}")
        if values.get("resamples", _FEWEST_RESAMPLES) < _FEWEST_RESAMPLES:
            raise UsageError(f"--resamples: take {_FEWEST_RESAMPLES} or more, not {values['resamples']}")
        for name in ("level", "limit_level"):
            given = values.get(name, ())
            for level in given if isinstance(given, tuple | list) else (given,):
                if not 0 < level < 1:
                    raise UsageError(f"--{name.replace('_', '-')}: a level lies between 0 and 1, not at {level:g}")
        require_input(values)
        return cls(**known(cls, values))


def value_at(given: str) -> tuple[str, float]:
    """NAME=VALUE.

    Raises:
        argparse.ArgumentTypeError: if it is none.
    """
    name, found, value = given.partition("=")
    if not found or not name.strip():
        raise argparse.ArgumentTypeError(f"'{given}' is no NAME=VALUE, such as mu=1")
    return name.strip(), number(value)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `nplm measure`; what is not given stays None."""
    parser.add_argument("data", metavar="DATA", nargs="?", type=text, help="file with the data")
    add_reference_options(parser.add_argument_group("input"))
    measure = parser.add_argument_group("measurement")
    measure.add_argument(
        "--parameters",
        type=text,
        metavar="FILE",
        help="what is measured: a YAML file, or MODULE:NAME of Parameters made in Python (docs/measure.md)",
    )
    measure.add_argument(
        "--nuisances",
        type=text,
        metavar="FILE",
        help="how the reference may be wrong, and what is known of it: a YAML file, or MODULE:NAME (docs/nuisances.md)",
    )
    measure.add_argument("--expected", action=FLAG, help="errors, intervals and limits before there are data")
    measure.add_argument(
        "--at",
        action="extend",
        nargs="+",
        type=value_at,
        metavar="NAME=VALUE",
        help="with --expected: the truth (default: 0, the reference as given)",
    )
    measure.add_argument(
        "--level",
        action="extend",
        nargs="+",
        type=number,
        metavar="L",
        help="of intervals and contours (default: 0.683 and 0.95)",
    )
    measure.add_argument(
        "--limit",
        action="extend",
        nargs="+",
        type=text,
        metavar="NAME",
        help="parameters that get upper limits, by CLs and plain",
    )
    measure.add_argument("--limit-level", type=number, metavar="L", help="of these limits (default: 0.95)")
    measure.add_argument(
        "--toys",
        type=count,
        metavar="N",
        help="toys at each of some points: they give intervals, contours and limits, and say what asymptotic intervals"
        " cover (default: 0)",
    )
    measure.add_argument(
        "--goodness-of-fit", action=FLAG, help="ask whether anything is left beside the fit (default: yes)"
    )
    measure.add_argument(
        "--goodness-toys",
        type=count,
        metavar="N",
        help="toys of the goodness of fit, each with its own fit, as a check of its p-value (default: 0)",
    )
    measure.add_argument(
        "--resamples", type=positive_count, metavar="N", help="samples without a difference (default: 999)"
    )
    measure.add_argument("--seed", type=seed, metavar="N", help="seed of toys and resamples (default: 1)")
    output = parser.add_argument_group("output and control")
    add_output_option(output, "folder for result.json, report.html and plots")
    add_style_option(output)
    add_label_option(output)
    add_control_options(output)


def command_of(options: Options) -> list[str]:
    """The shortest command that asks for the same."""
    return to_command("nplm measure", options, positional=("data",), hidden=("force", "quiet"))
