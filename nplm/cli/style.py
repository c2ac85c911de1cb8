"""The options --style and --label of commands that draw."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from nplm.cli.errors import InputError, UsageError
from nplm.cli.types import Label, feature_label, text


def add_style_option(group: argparse._ArgumentGroup) -> None:
    """Declares --style."""
    group.add_argument(
        "--style",
        type=text,
        metavar="NAME",
        help="draw in a style of mplhep: CMS, ATLAS, LHCb2, ALICE, ... (extra hep)",
    )


def add_label_option(group: argparse._ArgumentGroup) -> None:
    """Declares --label, which may be given many times."""
    group.add_argument(
        "--label",
        action="append",
        type=feature_label,
        metavar="NAME=TEXT",
        help="what pictures write at the axis of a feature, such as 'mll=m(ll) [GeV]'; again for each feature",
    )


def require_labels(labels: Sequence[Label]) -> None:
    """Refuses two labels for one feature.

    Raises:
        UsageError: naming it.
    """
    names = [label.feature for label in labels]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"--label names '{name}' twice; leave one of them out")


def require_labelled(labels: Sequence[Label], features: Sequence[str]) -> None:
    """Refuses a label of what is no feature, such as one that is misspelt.

    Raises:
        InputError: naming it.
    """
    for label in labels:
        if label.feature not in features:
            raise InputError(f"--label names '{label.feature}', which is no feature: there are {', '.join(features)}")


@contextmanager
def drawing_in(style: str | None, labels: Sequence[Label] = ()) -> Iterator[None]:
    """Pictures that are drawn inside have this style, which is known to exist before anything else is done, and labels.

    Raises:
        UsageError: if mplhep is not installed, or has no such style.
    """
    require_labels(labels)
    if style is None and not labels:
        yield
        return
    from nplm.plot.labels import feature_labels

    with _styled(style), feature_labels({label.feature: label.text for label in labels}):
        yield


@contextmanager
def _styled(style: str | None) -> Iterator[None]:
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
