"""The options of `nplm hunt`: their names, their defaults, and which may stand together."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nplm.cli.coordinates_options import add_circular_option, require_circular
from nplm.cli.errors import UsageError
from nplm.cli.options import (
    add_access_options,
    add_control_options,
    add_features_option,
    add_output_option,
    known,
    require_output,
    to_command,
)
from nplm.cli.style import add_label_option, add_style_option
from nplm.cli.types import CircularFeature, Label, count, number, positive_count, seed, text


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `nplm hunt` was asked to do; the fields are the long options, with their defaults."""

    data: str
    resonance: str
    resolution: str | None = None
    signal_region: tuple[float, float] | None = None
    features: tuple[str, ...] | None = None
    weights: str | None = None
    where: str | None = None
    circular: tuple[CircularFeature, ...] = ()
    tree: str | None = None
    allow_remote: bool = False
    allow_external_links: bool = False
    degree: int | None = None
    draws: int = 500
    seed: int = 1
    output: Path | None = None
    top: int = 200
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
        if "data" not in values:
            raise UsageError("give the events: nplm hunt DATA --resonance NAME --resolution R -o OUT")
        if "resonance" not in values:
            raise UsageError("--resonance is missing; name the feature in which a signal would be a bump")
        if "resolution" not in values and "signal_region" not in values:
            raise UsageError(
                "--resolution is missing; give that of the resonance, such as 2.5 or 0.02*m, or else --signal-region"
            )
        require_output(values)
        given = values.get("features", ())
        twice = [name for name in given if given.count(name) > 1]
        if twice:
            raise UsageError(f"--features names '{twice[0]}' twice; leave it out once")
        require_circular(values)
        weights = values.get("weights")
        if weights is not None and weights in (*given, values["resonance"]):
            raise UsageError(f"'{weights}' is both a feature and the weight column; leave it out of one")
        return cls(**known(cls, values))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `nplm hunt`; what is not given stays None."""
    parser.add_argument("data", metavar="DATA", nargs="?", type=text, help="file with the events")
    files = parser.add_argument_group("input")
    files.add_argument(
        "--resonance", type=text, metavar="NAME", help="column, or expression, in which a signal would be a bump"
    )
    add_features_option(files)
    files.add_argument("--weights", type=text, metavar="COLUMN", help="column with the weights of the events")
    add_access_options(files)
    hunt = parser.add_argument_group("hunt")
    hunt.add_argument(
        "--resolution",
        type=text,
        metavar="R",
        help='of the resonance, in its units: a number, or an expression of its name, such as "0.02*m + 0.5"',
    )
    hunt.add_argument(
        "--signal-region",
        nargs=2,
        type=number,
        metavar=("LOW", "HIGH"),
        help="look there only; what is outside are the sidebands",
    )
    add_circular_option(hunt)
    hunt.add_argument(
        "--degree",
        type=count,
        metavar="D",
        help="of the polynomials that describe how the other features change with the resonance, 0 to 7 (default:"
        " one more than the smallest from 2 to 7 that is enough)",
    )
    hunt.add_argument(
        "--draws", type=positive_count, metavar="N", help="from the joint distribution of all windows (default: 500)"
    )
    hunt.add_argument("--seed", type=seed, metavar="N", help="seed of centres and draws (default: 1)")
    output = parser.add_argument_group("output and control")
    add_output_option(output, "folder for result.json, report.html, events.csv and plots")
    output.add_argument(
        "--top", type=positive_count, metavar="N", help="events that are listed in events.csv (default: 200)"
    )
    add_style_option(output)
    add_label_option(output)
    add_control_options(output)


def command_of(options: Options) -> list[str]:
    """The shortest command that asks for the same."""
    return to_command("nplm hunt", options, positional=("data",), hidden=("force", "quiet"))
