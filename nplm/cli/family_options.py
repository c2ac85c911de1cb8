"""The options of a family of tests that several commands have."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from nplm.cli.errors import UsageError
from nplm.cli.values import circular_features, classes


def add_family_option(group: argparse._ArgumentGroup) -> None:
    """Declares the option that chooses classes of tests."""
    group.add_argument(
        "--family",
        type=classes,
        metavar="C1,C2,...",
        help="which classes of tests: one (each feature), two (pairs), products, all (features together), raw (the"
        " same, not of ranks), intervals (of one feature); the smallest p-value of all"
        " of them counts (default: all classes)",
    )


def add_circular_option(group: argparse._ArgumentGroup) -> None:
    """Declares the option that names circular features."""
    group.add_argument(
        "--circular",
        action="extend",
        nargs="+",
        type=circular_features,
        metavar="NAME",
        help="family: features that are angles, by blanks or commas; NAME=PERIOD for others than 2 pi and 360",
    )


def require_circular(values: Mapping[str, Any]) -> None:
    """Refuses a circular feature that is named twice, or is not among the features.

    Raises:
        UsageError: naming it.
    """
    names = [feature.name for feature in values.get("circular", ())]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"--circular names '{name}' twice")
        if "features" in values and name not in values["features"]:
            raise UsageError(f"--circular names '{name}', which is not among the --features")
