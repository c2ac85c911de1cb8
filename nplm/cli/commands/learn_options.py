"""The options of `nplm learn`: their names, their defaults, and which may stand together."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nplm.cli.errors import UsageError
from nplm.cli.options import FLAG, add_output_option, output_or_refuse
from nplm.cli.style import add_style_option
from nplm.cli.types import text


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `nplm learn` was asked to do."""

    file: str
    output: Path
    plots: bool = True
    style: str | None = None
    quiet: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Options:
        """The options, with defaults for those that are not in `values`.

        Raises:
            UsageError: if something is missing.
        """
        if not values.get("file"):
            raise UsageError("FILE is missing; give the YAML file that names the samples: nplm learn FILE -o OUT")
        output_or_refuse(values, "the learned log-ratios")
        return cls(**{name: values[name] for name in ("file", "output", "plots", "style", "quiet") if name in values})


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `nplm learn`; what is not given stays None."""
    parser.add_argument("file", nargs="?", type=text, metavar="FILE", help="YAML file, see below")
    control = parser.add_argument_group("output and control")
    add_output_option(control, "folder of the learned log-ratios, one file each, and of their plots")
    control.add_argument("--plots", action=FLAG, help="draw validation plots (default: yes)")
    add_style_option(control)
    control.add_argument("--quiet", action=FLAG, help="no notes")
