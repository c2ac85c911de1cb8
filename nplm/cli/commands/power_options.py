"""The options of `nplm power`: their names, their defaults, and which may stand together."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nplm.cli.errors import UsageError
from nplm.cli.model_options import ModelOptions, add_model_options, add_prepared_option, require_model
from nplm.cli.options import FLAG, InputOptions, add_config_option, add_reference_options, require_input
from nplm.cli.types import count, named_values, positive_numbers, seed, text, z_threshold

# Signal events that are expected at most: t is of their size, and its distribution is computed in float64.
MOST_EVENTS = 1e12
# Toys of an operator at least: fewer do not tell a median Z.
FEWEST_TOYS = 10


@dataclass(frozen=True, kw_only=True)
class Options(ModelOptions, InputOptions):
    """What `nplm power` was asked to do; the fields are the long options, with their defaults."""

    data: str | None = None
    signal: str | None = None
    n: tuple[float, ...] = ()
    ratio: str | None = None
    at: tuple[Mapping[str, float], ...] = ()
    allow_failed: bool = False
    toys: int = 0
    seed: int = 1
    z: tuple[float, ...] = (2.0, 3.0, 5.0)
    widths: tuple[float, ...] | None = None
    json: bool = False
    quiet: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Options:
        """The options, with defaults for those that are not in `values`.

        Raises:
            UsageError: if something is missing, or options contradict each other.
        """
        of_operator = bool(values.get("ratio") or values.get("at"))
        wanted = (("ratio", "LEARNED.npz"), ("at", "c=0.2")) if of_operator else (("signal", "FILE"), ("n", "10,20,50"))
        for name, example in (("reference", "REF [REF ...]"), *wanted):
            if not values.get(name):
                raise UsageError(f"--{name} is missing; give it: --{name} {example}")
        if values.get("model", "kernel") != "kernel":
            raise UsageError(
                f"--model {values['model']} has no power without toys: run toys with the signal (nplm toys run"
                " --signal), or take --model kernel"
            )
        for other in ("width", "prepared"):
            if "widths" in values and other in values:
                raise UsageError(f"--{other} is for one width and --widths for several; leave one of them out")
        if of_operator:
            for other in ("signal", "n", "data"):
                if values.get(other):
                    shown = "DATA" if other == "data" else f"--{other}"
                    raise UsageError(f"{shown} is for a signal and --ratio for an operator; leave one of them out")
            if values.get("toys") and values["toys"] < FEWEST_TOYS:
                raise UsageError(f"--toys: take {FEWEST_TOYS} or more (or 0), not {values['toys']}")
        elif values.get("toys"):
            raise UsageError("--toys are of an operator: give it with --ratio (nplm closure has toys with a signal)")
        elif (most := max(values["n"])) > MOST_EVENTS:
            raise UsageError(f"--n {most:g} signal events are too many to compute with; take {MOST_EVENTS:g} at most")
        values = {**values, "model": "kernel"}
        require_model(values)
        require_input(values)
        return cls._of(values)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `nplm power`; what is not given stays None."""
    parser.add_argument(
        "data", metavar="DATA", nargs="?", help="data for whose event weights the answer is (default: unit weights)"
    )
    files = parser.add_argument_group("what is expected")
    add_reference_options(files)
    files.add_argument("--signal", type=text, metavar="FILE", help="events of the signal, of any number")
    files.add_argument(
        "--n", type=positive_numbers, metavar="N1,N2,...", help="numbers of signal events that are expected in the data"
    )
    files.add_argument(
        "--ratio",
        type=text,
        metavar="FILE",
        help="of nplm learn: what an operator changes, in place of a signal",
    )
    files.add_argument(
        "--at", type=named_values, nargs="+", metavar="NAME=VALUE[,...]", help="values of its couplings to ask about"
    )
    files.add_argument("--allow-failed", action=FLAG, help="take a ratio that failed its checks")
    files.add_argument(
        "--toys",
        type=count,
        metavar="N",
        help="with --ratio: samples at each value for the default family of tests, beside the kernel (default: 0)",
    )
    files.add_argument("--seed", type=seed, metavar="N", help="seed of these samples (default: 1)")
    model = parser.add_argument_group("test")
    add_model_options(model)
    add_prepared_option(model)
    model.add_argument("--widths", type=positive_numbers, metavar="W1,W2,...", help="kernel: several widths")
    control = parser.add_argument_group("output and control")
    control.add_argument(
        "--z", type=z_threshold, nargs="+", metavar="Z", help="Z-scores to be reached (default: 2 3 5)"
    )
    control.add_argument("--json", action=FLAG, help="print the numbers as JSON on stdout")
    control.add_argument("--quiet", action=FLAG, help="no notes")
    add_config_option(control)
