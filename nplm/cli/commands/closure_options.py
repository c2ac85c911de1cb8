"""The options of `nplm closure`: their names, their defaults, and which may stand together."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nplm.cli.errors import UsageError
from nplm.cli.model_options import (
    ModelOptions,
    add_model_options,
    add_nuisances_option,
    add_prepared_option,
    require_model,
)
from nplm.cli.options import (
    FLAG,
    InputOptions,
    add_config_option,
    add_output_option,
    add_pool_option,
    add_reference_options,
    require_input,
    to_command,
)
from nplm.cli.style import add_style_option
from nplm.cli.types import positive_count, positive_numbers, seed, text
from nplm.wording.standing import calibration_name


@dataclass(frozen=True, kw_only=True)
class Options(ModelOptions, InputOptions):
    """What `nplm closure` was asked to do; the fields are the long options, with their defaults."""

    model: str = "kernel"
    signal: str
    n: tuple[float, ...]
    toys: int = 200
    seed: int = 1
    ideal: str = "classifier"
    calibrate: str | None = None
    output: Path | None = None
    style: str | None = None
    json: bool = False
    quiet: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Options:
        """The options, with defaults for those that are not in `values`.

        Raises:
            UsageError: if something is missing, or options contradict each other.
        """
        for name, example in (("reference", "REF [REF ...]"), ("signal", "FILE"), ("n", "10,20,50")):
            if not values.get(name):
                raise UsageError(f"--{name} is missing; give it: --{name} {example}")
        if values.get("shape_only") and "nuisances" in values:
            raise UsageError(
                "--shape-only and --nuisances contradict each other: let the yield be a normalization with a wide"
                " constraint instead"
            )
        if values.get("toys", 200) < 20:
            raise UsageError(f"--toys: closure needs 20 or more at each number of events, not {values['toys']}")
        values = {"model": "kernel", **values}
        require_model(values)
        require_input(values)
        return cls._of(values)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `nplm closure`; what is not given stays None."""
    files = parser.add_argument_group("what is expected")
    add_reference_options(files)
    add_pool_option(files)
    files.add_argument("--signal", type=text, metavar="FILE", help="events of the signal, of any number")
    files.add_argument(
        "--n", type=positive_numbers, metavar="N1,N2,...", help="numbers of signal events that are expected in the data"
    )
    model = parser.add_argument_group("test")
    add_model_options(model)
    add_nuisances_option(model)
    add_prepared_option(model)
    toys = parser.add_argument_group("toys")
    toys.add_argument(
        "--toys", type=positive_count, metavar="N", help="toys at each number, and without a signal (default: 200)"
    )
    toys.add_argument("--seed", type=seed, metavar="N", help="seed of the toys (default: 1)")
    toys.add_argument(
        "--calibrate",
        type=calibration_name,
        choices=("toys", "asymptotic"),
        help="read Z from the asymptotic null, or count as many toys without a signal (default: toys for networks, else"
        " asymptotic)",
    )
    toys.add_argument(
        "--ideal",
        type=text,
        metavar="WHAT",
        help="the best test to compare with: classifier learns the signal from half of the events, none leaves it out,"
        " MODULE:FUNCTION gives log s(x)/b(x) of the normalized densities (default: classifier)",
    )
    control = parser.add_argument_group("output and control")
    add_output_option(control, "folder for closure.json, closure.txt and the plot")
    add_style_option(control)
    control.add_argument("--json", action=FLAG, help="print the numbers as JSON on stdout")
    control.add_argument("--quiet", action=FLAG, help="no notes and no progress bar")
    add_config_option(control)


def command_of(options: Options) -> list[str]:
    """The shortest command that asks for the same."""
    words = to_command("nplm closure", options, hidden=("n", "quiet", "json"))
    return [*words, "--n", ",".join(map(repr, options.n))]
