"""The options of `nplm prepare`: their names, their defaults, and which may stand together."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nplm.cli.errors import UsageError
from nplm.cli.model_options import ModelOptions, add_model_options, require_model
from nplm.cli.options import (
    FLAG,
    InputOptions,
    add_config_option,
    add_output_option,
    add_reference_options,
    output_or_refuse,
    require_input,
)


@dataclass(frozen=True, kw_only=True)
class Options(ModelOptions, InputOptions):
    """What `nplm prepare` was asked to do; the fields are the long options, with their defaults."""

    output: Path
    quiet: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Options:
        """The options, with defaults for those that are not in `values`.

        Raises:
            UsageError: if something is missing, or options contradict each other.
        """
        if not values.get("reference"):
            raise UsageError("--reference is missing; give the file of what is expected: --reference REF [REF ...]")
        if values.get("model", "kernel") != "kernel":
            raise UsageError(f"nplm prepare is for --model kernel, not for --model {values['model']}")
        values = {**values, "model": "kernel"}
        output_or_refuse(values, "the prepared model", "file")
        require_model(values)
        require_input(values)
        return cls._of(values)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `nplm prepare`; what is not given stays None."""
    add_reference_options(parser.add_argument_group("what is expected"))
    add_model_options(parser.add_argument_group("model"))
    control = parser.add_argument_group("output and control")
    add_output_option(
        control, "file of the prepared model, such as prepared.npz; another prepared model of that name is replaced"
    )
    control.add_argument("--quiet", action=FLAG, help="no notes")
    add_config_option(control)
