"""The options of `nplm tune`: their names, their defaults, and which may stand together."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nplm.cli.commands.toys.options import (
    EngineOptions,
    SourceOptions,
    add_engine_options,
    add_generator_option,
    add_problem_options,
    require_source,
)
from nplm.cli.coordinates_options import add_circular_option, add_coordinates_option, require_circular
from nplm.cli.errors import UsageError
from nplm.cli.model_options import add_clip_biases_option, add_reference_exact_option
from nplm.cli.options import (
    FLAG,
    InputOptions,
    add_config_option,
    add_output_option,
    add_pool_option,
    add_reference_options,
    output_or_refuse,
    require_input,
    to_command,
    written_layers,
)
from nplm.cli.style import add_style_option
from nplm.cli.types import CircularFeature, layers, positive_number, seed, tuning_toys

# Another one than that of the other commands: toys that check the clip must not be those it was tuned with.
SEED = 1001


@dataclass(frozen=True, kw_only=True)
class Options(EngineOptions, SourceOptions, InputOptions):
    """What `nplm tune` was asked to do; the fields are the long options, with their defaults."""

    output: Path
    hidden: tuple[tuple[int, ...], ...] = ((4,),)
    toys: int = 100
    start: float = 6.0
    clip_biases: bool = True
    reference_exact: bool = False
    coordinates: str = "standardized"
    circular: tuple[CircularFeature, ...] = ()
    seed: int = SEED
    style: str | None = None
    json: bool = False
    quiet: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Options:
        """The options, with defaults for those that are not in `values`.

        Raises:
            UsageError: if something is missing, or options contradict each other.
        """
        output_or_refuse(values, "the toys and the answer")
        require_source(values)
        require_input(values)
        require_circular(values)
        hidden = values.get("hidden", ())
        repeated = [h for h in hidden if hidden.count(h) > 1]
        if repeated:
            raise UsageError(f"--hidden names {written_layers(repeated[0])} twice")
        return cls._of(values)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `nplm tune`; what is not given stays None."""
    files = parser.add_argument_group("what is expected")
    add_reference_options(files)
    add_problem_options(files)
    toys = parser.add_argument_group("toys")
    add_pool_option(toys)
    add_generator_option(toys)
    toys.add_argument("--toys", type=tuning_toys, metavar="N", help="null toys, the same at every clip (default: 100)")
    toys.add_argument(
        "--seed",
        type=seed,
        metavar="N",
        help=f"root of the toys' keys (default: {SEED}, so that toys of other commands are others)",
    )
    networks = parser.add_argument_group("networks")
    networks.add_argument(
        "--hidden",
        type=layers,
        nargs="+",
        metavar="N[xN...]",
        help="one architecture or several, such as 4 5x5 10: the largest whose t is a chi2 is kept (default: 4)",
    )
    networks.add_argument("--start", type=positive_number, metavar="C", help="first clip to look at (default: 6)")
    add_clip_biases_option(networks)
    add_reference_exact_option(networks)
    add_coordinates_option(networks)
    add_circular_option(networks)
    control = parser.add_argument_group("output and control")
    add_output_option(control, "folder for toys, tune.json, tune.md and plots; the same command goes on in it")
    add_style_option(control)
    add_engine_options(control)
    control.add_argument("--json", action=FLAG, help="print the answer as JSON on stdout")
    control.add_argument("--quiet", action=FLAG, help="no notes and no progress")
    add_config_option(control)


def command_of(options: Options) -> list[str]:
    """The shortest command that asks for the same."""
    return to_command("nplm tune", options, hidden=("quiet", "workers", "dask", "batch", "json"))
