"""The options of `nplm test`: their names, their defaults, and which may stand together."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nplm.cli.commands.family_options import add_family_option
from nplm.cli.commands.scored_options import ScoreOptions, add_score_options, require_score
from nplm.cli.coordinates_options import as_written, require_circular
from nplm.cli.errors import UsageError
from nplm.cli.model_options import (
    MODEL_OPTIONS,
    ModelOptions,
    add_model_options,
    add_nuisances_option,
    add_prepared_option,
    require_model,
)
from nplm.cli.options import (
    FLAG,
    InputOptions,
    add_control_options,
    add_output_option,
    add_pool_option,
    add_reference_options,
    require_input,
    require_output,
    require_shape_or_yield,
    to_command,
)
from nplm.cli.style import add_label_option, add_style_option
from nplm.cli.types import Label, count, number_of_toys, positive_numbers, seed, text
from nplm.wording.standing import calibration_name

# Toys where nobody says how many: USUAL_WEIGHTED_TOYS of nplm.calibration.methods, which is imported when it is needed.
_WEIGHTED_TOYS = 5000
# Samples without a difference that calibrate a family: RESAMPLES of nplm.family.test.
FAMILY_TOYS, FEWEST_OF_A_FAMILY = 999, 99
# Options that are those of one model, not of a family of tests.
ONE_MODEL = (
    *dict.fromkeys(name for names in MODEL_OPTIONS.values() for name in names),
    *(
        "calibrate",
        "null",
        "pool",
        "nuisances",
        "impacts",
        "coordinates",
        "overflow",
        "reference_exact",
        "reference_per_toy",
    ),
)
# What can calibrate several widths together.
WIDTHS_CALIBRATIONS = ("toys", "asymptotic", "asymptotic+toys")


@dataclass(frozen=True, kw_only=True)
class Options(ModelOptions, InputOptions, ScoreOptions):
    """What `nplm test` was asked to do; the fields are the long options, with their defaults."""

    data: str
    model: str = "family"
    family: tuple[str, ...] | None = None
    toys: int = 200
    calibrate: str | None = None
    null: str | None = None
    reference_per_toy: bool | None = None
    widths: tuple[float, ...] | None = None
    combine: str | None = None
    impacts: bool = False
    seed: int = 1
    top: int = 200
    leave_one_out: bool = True
    output: Path | None = None
    style: str | None = None
    label: tuple[Label, ...] = ()
    json: bool = False
    force: bool = False
    quiet: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Options:
        """The options, with defaults for those that are not in `values`.

        Arguments:
            values: parsed values by field name.

        Raises:
            UsageError: if something is missing, or options contradict each other.
        """
        files = [str(f) for f in values.get("reference", ())]
        if "data" not in values:
            swallowed = f" ('{files[-1]}' was read as one more file of the reference)" if len(files) > 1 else ""
            raise UsageError(f"DATA is missing{swallowed}; put it first: nplm test DATA --reference REF [REF ...]")
        if not files:
            raise UsageError("--reference is missing; give the file of what is expected: --reference REF [REF ...]")
        require_output(values)
        for name in ("top", "leave_one_out"):
            if name in values and "output" not in values:
                raise UsageError(f"--{name.replace('_', '-')} is about what -o writes: give -o, or leave it out")
        if "null" in values:
            for name in ("toys", "seed", "pool", "reference_per_toy"):
                if name in values:
                    option = name.replace("_", "-")
                    raise UsageError(f"--{option} is that of the toys given with --null; leave it out")
        values = {**values, "model": chosen_model(values)}
        require_score(values)
        if values["model"] == "family":
            return cls._of_family(values)
        if values.get("calibrate") == "asymptotic":
            for name in ("toys", "null", "pool", "reference_per_toy"):
                if values.get(name):
                    raise UsageError(f"--calibrate asymptotic runs no toys: leave out --{name.replace('_', '-')}")
            values = {**values, "toys": 0}
        elif "calibrate" in values and values.get("toys") == 0:
            raise UsageError(f"--calibrate {values['calibrate']} needs toys: leave out --toys 0")
        elif values.get("calibrate") == "importance":
            values = {"toys": _WEIGHTED_TOYS, **values}
        require_model(values)
        require_importance(values)
        require_widths(values)
        if values.get("impacts") and "nuisances" not in values:
            raise UsageError("--impacts is about nuisances: give them with --nuisances FILE")
        require_input(values)
        return cls._of(values)

    @classmethod
    def _of_family(cls, values: Mapping[str, Any]) -> Options:
        """The options of a family of tests."""
        if values.get("leave_one_out"):
            raise UsageError(
                "--leave-one-out fits one model without each feature; the family names the features that lead: leave it"
                " out, or add --model network"
            )
        if values.get("toys", FAMILY_TOYS) < FEWEST_OF_A_FAMILY:
            raise UsageError(
                f"--toys {values['toys']} samples without a difference do not say how many independent tests a family"
                f" has; take {FEWEST_OF_A_FAMILY} or more"
            )
        require_input(values)
        require_circular(values)
        require_shape_or_yield(values)
        return cls._of({"toys": FAMILY_TOYS, **values})


def chosen_model(values: Mapping[str, Any]) -> str:
    """The model that is asked for: a family of tests, unless an option is that of one model.

    Raises:
        UsageError: if --family is given beside such an option.
    """
    model = values.get("model")
    own = [name for name in ONE_MODEL if name in values]
    if model in (None, "kernel", "family") and "family" in values and own:
        raise UsageError(
            f"{as_written(own[0])} is an option of one model and --family one of the family of tests; leave one of"
            " them out"
        )
    if model is None:
        return "network" if own else "family"
    if model == "kernel" and not own:
        return "family"
    if model != "family" and "family" in values:
        raise UsageError(f"--family is for the family of tests, but the model is {model}; leave one of them out")
    if model == "family" and own:
        raise UsageError(
            f"{as_written(own[0])} is an option of one model: add --model network, kernel or histogram, or leave it out"
        )
    return str(model)


def require_importance(values: Mapping[str, Any]) -> None:
    """Refuses options that contradict a calibration with toys that are drawn where t is large.

    Raises:
        UsageError: naming them.
    """
    if values.get("calibrate") != "importance":
        return
    if values.get("model") != "kernel":
        raise UsageError(
            "--calibrate importance is for the kernel model: add --model kernel, or choose another calibration"
        )
    if values.get("solver", "ml") != "ml":
        raise UsageError(f"--calibrate importance fits with --solver ml: leave out --solver {values['solver']}")
    for name, why in (
        ("shape_only", "tests shape and yield"),
        ("pool", "draws toys from the reference"),
        ("reference_per_toy", "draws toys from one reference"),
        ("null", "runs toys of its own"),
        ("nuisances", "does not know nuisances"),
    ):
        if values.get(name):
            raise UsageError(f"--calibrate importance {why}: leave out --{name.replace('_', '-')}")


def require_widths(values: Mapping[str, Any]) -> None:
    """Refuses options that contradict a test of several widths.

    Raises:
        UsageError: naming them.
    """
    if "widths" not in values:
        if "combine" in values:
            raise UsageError("--combine says how several widths become one p-value: give them with --widths")
        return
    widths = values["widths"]
    repeated = [width for width in widths if widths.count(width) > 1]
    if repeated:
        raise UsageError(f"--widths names {repeated[0]:g} twice; leave it out once")
    if "width" in values:
        raise UsageError("--width is for one test and --widths for several together; leave one of them out")
    if "prepared" in values:
        raise UsageError("--prepared holds a model of one width, and --widths are several; leave one of them out")
    if values.get("impacts"):
        raise UsageError("--impacts is for one test, not for several --widths; leave it out")
    if "null" in values:
        raise UsageError("--null holds toys of one test, and --widths needs toys that all its tests fit; leave it out")
    if values.get("calibrate") not in (None, *WIDTHS_CALIBRATIONS):
        raise UsageError(
            f"--calibrate {values['calibrate']} is for one test: with --widths choose {', '.join(WIDTHS_CALIBRATIONS)}"
        )


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `nplm test`; what is not given stays None."""
    parser.add_argument("data", metavar="DATA", nargs="?", help="the data: npz, npy, csv, h5, parquet or root")
    files = parser.add_argument_group("input")
    add_reference_options(files)
    add_pool_option(files)
    test = parser.add_argument_group("test")
    add_model_options(test, family=True)
    add_family_option(test)
    add_score_options(test)
    add_prepared_option(test)
    add_nuisances_option(test)
    test.add_argument(
        "--impacts",
        action=FLAG,
        help="network: what each nuisance does to t, at one more fit for each (other models: always)",
    )
    test.add_argument(
        "--widths",
        type=positive_numbers,
        metavar="W1,W2,...",
        help="kernel: a test for each of these widths, and one global p-value for all; an interrupted run starts anew",
    )
    test.add_argument(
        "--combine",
        choices=("min-p", "product", "average", "smooth-max"),
        help="with --widths, how their p-values become one: the smallest of them, their product or mean, or a smooth"
        " maximum of -log p (default: min-p)",
    )
    test.add_argument(
        "--toys",
        type=number_of_toys,
        metavar="N",
        help="null toys that calibrate t, or samples without a difference for a family (default: 999 for a family, 200"
        " for one model, with --calibrate importance 5000; 0 trusts the asymptotic null of one model, unchecked)",
    )
    test.add_argument(
        "--calibrate",
        type=calibration_name,
        choices=("toys", "asymptotic", "asymptotic+toys", "toys+asymptotic", "importance"),
        help="count toys; or take the asymptotic null, unchecked; or take it if the toys follow it, with its scale"
        " fitted if they follow that, and count them otherwise; or count toys, and take the asymptotic null so only"
        " where none of them reaches t; or (importance, for small p) draw toys where t is as large as in data, and"
        " count them with weights (default: asymptotic+toys for kernels, toys+asymptotic for others)",
    )
    test.add_argument(
        "--null",
        type=text,
        metavar="STORE",
        help="calibrate with the toys that `nplm toys run` has put there, and run none",
    )
    test.add_argument(
        "--reference-per-toy",
        action=FLAG,
        help="divide data and reference anew for each toy, or, with weights that differ, draw both from the reference"
        " (default: where N(R) is more than 5%% of the reference's effective events, without a pool, nuisances, or a"
        " reference that is taken as exact)",
    )
    test.add_argument("--seed", type=seed, metavar="N", help="seed of the toys (default: 1)")
    output = parser.add_argument_group("output and control")
    add_output_option(output, "folder for result.json, report.html, plots and toys; an interrupted run in it goes on")
    output.add_argument(
        "--top",
        type=count,
        metavar="N",
        help="events that go to OUT/events.csv, those of largest log-ratio, with their row numbers (default: 200)",
    )
    output.add_argument(
        "--leave-one-out",
        action=FLAG,
        help="several features: say in the report what is left of t without each, by fits of kernels (default: yes)",
    )
    add_style_option(output)
    add_label_option(output)
    add_control_options(output, "no notes and no progress bar")


def command_of(options: Options) -> list[str]:
    """The shortest command that asks for the same test."""
    return to_command("nplm test", options, positional=("data",), hidden=("force", "quiet"))
