"""The option --style of commands that draw."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from nplm.cli.errors import UsageError
from nplm.cli.values import text


def add_style_option(group: argparse._ArgumentGroup) -> None:
    """Declares --style."""
    group.add_argument(
        "--style",
        type=text,
        metavar="NAME",
        help="draw in a style of mplhep: CMS, ATLAS, LHCb2, ALICE, ... (extra hep)",
    )


@contextmanager
def drawing_in(style: str | None) -> Iterator[None]:
    """Pictures that are drawn inside have this style; it is known to exist before anything else is done.

    Raises:
        UsageError: if mplhep is not installed, or has no such style.
    """
    if style is None:
        yield
        return
    from nplm.plot.mplhep_style import mplhep_settings
    from nplm.plot.style import WIDTH, plot_style

    try:
        mplhep_settings(style, WIDTH)
    except ValueError as error:
        raise UsageError(f"--style: {error}") from error
    with plot_style(style):
        yield
