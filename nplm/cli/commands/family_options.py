"""The option of a family of tests that several commands have."""

from __future__ import annotations

import argparse

from nplm.cli.types import classes


def add_family_option(group: argparse._ArgumentGroup) -> None:
    """Declares the option that chooses classes of tests."""
    group.add_argument(
        "--family",
        type=classes,
        metavar="C1,C2,...",
        help="which classes of tests: one (each feature), two (pairs), products, all (features together), raw (the"
        " same, not of ranks), moments (of features as they are), intervals (of one feature); the smallest p-value of"
        " all of them counts (default: all classes)",
    )
