"""The options that say what a test sees in place of the features."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from nplm.cli.errors import UsageError
from nplm.cli.types import CircularFeature, circular_features


def add_coordinates_option(group: argparse._ArgumentGroup) -> None:
    """Declares --coordinates, and its short forms --standardize and --no-standardize."""
    group.add_argument(
        "--coordinates",
        choices=("normal-scores", "standardized", "raw"),
        help="what one model sees of the features: their ranks in the reference as normal quantiles, whatever units and"
        " tails; shifted and scaled by the reference's mean and deviation; or as they are (default: standardized)",
    )
    group.add_argument(
        "--standardize",
        action=argparse.BooleanOptionalAction,
        help="the same as --coordinates standardized, and --no-standardize as --coordinates raw",
    )


def add_circular_option(group: argparse._ArgumentGroup) -> None:
    """Declares --circular, which families and single models understand alike."""
    group.add_argument(
        "--circular",
        action="extend",
        nargs="+",
        type=circular_features,
        metavar="NAME",
        help="features that are angles, by blanks or commas; NAME=PERIOD for others than 2 pi and 360",
    )


def with_coordinates(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values with --standardize and --no-standardize written as --coordinates.

    Raises:
        UsageError: if both are given.
    """
    found = dict(values)
    if "standardize" in found:
        if "coordinates" in found:
            raise UsageError("--standardize and --coordinates say the same thing; leave one of them out")
        found["coordinates"] = "standardized" if found.pop("standardize") else "raw"
    return found


def require_circular(values: Mapping[str, Any]) -> None:
    """Refuses a circular feature that is named twice, or is not among the features.

    Raises:
        UsageError: naming it.
    """
    from nplm.cuts.expression import split_name

    names = [feature.name for feature in values.get("circular", ())]
    features = {name for text in values.get("features", ()) for name in (text, split_name(text)[0])}
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"--circular names '{name}' twice")
        if features and name not in features:
            raise UsageError(f"--circular names '{name}', which is not among the --features")


def periods(circular: Sequence[CircularFeature]) -> dict[str, float | None]:
    """Circular features with their periods; None where these are to be guessed."""
    return {feature.name: feature.period for feature in circular}


def as_written(name: str) -> str:
    """An option as the command line has it; --coordinates with its short form, as which it may have been given."""
    return "--coordinates (or --standardize)" if name == "coordinates" else f"--{name.replace('_', '-')}"
