"""The options that say which model is meant, and with which settings."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nplm.cli.coordinates_options import add_circular_option, add_coordinates_option, require_circular
from nplm.cli.errors import UsageError
from nplm.cli.options import FLAG, require_shape_or_yield
from nplm.cli.types import CircularFeature, layers, positive_count, positive_number, text
from nplm.models.registry import model_names

# The options of each model that has its own; a model from outside has those that all share.
MODEL_OPTIONS = {
    "network": ("hidden", "clip", "clip_biases"),
    "kernel": ("width", "widths", "combine", "centers", "penalty", "selection", "solver", "engine", "prepared"),
    "histogram": ("bins",),
    "falkon": ("width", "centers", "penalty", "selection"),
}
# Of these, what is no argument of the model.
_NO_SETTINGS = ("widths", "combine", "prepared")


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """The family of log-ratios, and how samples are compared."""

    model: str = "network"
    hidden: tuple[int, ...] = (4,)
    clip: float = 9.0
    clip_biases: bool = True
    width: float | None = None
    centers: int | None = None
    penalty: float = 1e-6
    selection: str = "uniform"
    solver: str = "ml"
    engine: str = "xla"
    prepared: str | None = None
    nuisances: str | None = None
    bins: int = 10
    reference_exact: bool = False
    shape_only: bool = False
    coordinates: str = "standardized"
    circular: tuple[CircularFeature, ...] = ()
    overflow: bool = False


def settings_of(options: ModelOptions) -> dict[str, Any]:
    """The arguments of the model: options have their names."""
    own = MODEL_OPTIONS.get(options.model, ())
    return {name: getattr(options, name) for name in own if name not in _NO_SETTINGS}


def require_model(values: Mapping[str, Any]) -> None:
    """Refuses options of the model that contradict each other.

    Raises:
        UsageError: naming them.
    """
    model = values.get("model", ModelOptions.model)
    for other, names in MODEL_OPTIONS.items():
        for name in names:
            if name not in MODEL_OPTIONS.get(model, ()) and name in values:
                raise UsageError(
                    f"--{name.replace('_', '-')} is an option of --model {other}, but the model is {model};"
                    " leave one of them out"
                )
    if "reference_exact" in values and model == "falkon":
        raise UsageError("--model falkon always takes the reference as exact: leave out --reference-exact")
    if "nuisances" in values and model == "falkon":
        raise UsageError("--nuisances goes with the models network, kernel and histogram, not with --model falkon")
    if "nuisances" in values and values.get("solver", "ml") != "ml":
        raise UsageError(f"--nuisances needs --solver ml: leave out --solver {values['solver']}")
    require_circular(values)
    require_shape_or_yield(values)


def add_model_options(group: argparse._ArgumentGroup, *, family: bool = False) -> None:
    """Declares the options of `ModelOptions`.

    Arguments:
        family: whether the command can run a family of tests, and does so by default.
    """
    usual = "default: network"
    if family:
        usual = (
            "default: family, a test of all features alone, in pairs and together at several scales, as --model kernel"
            " is without options of its own; with an option that a family lacks, network"
        )
    group.add_argument(
        "--model",
        choices=("family", *model_names()) if family else model_names(),
        help=f"what looks for a difference; falkon for LogisticFalkon itself, if you have that library ({usual})",
    )
    group.add_argument(
        "--hidden",
        type=layers,
        metavar="N[xN...]",
        help="network: neurons of its hidden layers, 5x5 for two layers of five (default: 4)",
    )
    group.add_argument(
        "--clip", type=positive_number, metavar="C", help="network: largest absolute weight (default: 9)"
    )
    add_clip_biases_option(group)
    group.add_argument(
        "--width",
        type=positive_number,
        metavar="W",
        help="kernel, falkon: width of the Gaussian kernels, in the coordinates (default: 90%% quantile of the"
        " distances between pairs of reference events)",
    )
    group.add_argument(
        "--centers",
        type=positive_count,
        metavar="M",
        help="kernel, falkon: number of kernels (default: square root of the number of events, between 100 and 2000)",
    )
    group.add_argument(
        "--penalty",
        type=positive_number,
        metavar="LAMBDA",
        help="kernel, falkon: penalty in Falkon's convention (default: 1e-6)",
    )
    group.add_argument(
        "--selection",
        choices=("uniform", "covering"),
        help="kernel, falkon: centres drawn uniformly from the reference, or such that they cover its tails"
        " (default: uniform)",
    )
    group.add_argument(
        "--solver",
        choices=("ml", "falkon-step"),
        help="kernel: maximum of the penalized likelihood, or the one step that LogisticFalkon takes (default: ml)",
    )
    group.add_argument(
        "--engine",
        choices=("xla", "keops"),
        help="kernel: what sums kernels over events: XLA, or KeOps, for a GPU that JAX does not have (default: xla)",
    )
    group.add_argument("--bins", type=positive_count, metavar="N", help="histogram: number of bins (default: 10)")
    add_reference_exact_option(group)
    group.add_argument("--shape-only", action=FLAG, help="compare shapes, whatever the yields")
    add_coordinates_option(group)
    add_circular_option(group)
    add_overflow_option(group)


def add_prepared_option(group: argparse._ArgumentGroup) -> None:
    """Declares the option that names a prepared model."""
    group.add_argument(
        "--prepared",
        type=text,
        metavar="FILE",
        help="kernel: what nplm prepare has written for the same reference and settings, which saves that time",
    )


def add_nuisances_option(group: argparse._ArgumentGroup) -> None:
    """Declares the option that names the nuisances."""
    group.add_argument(
        "--nuisances",
        type=text,
        metavar="FILE",
        help="how the reference may be wrong, and what is known of it: a YAML file, or MODULE:NAME of nuisances made in"
        " Python (docs/nuisances.md)",
    )


def add_clip_biases_option(group: argparse._ArgumentGroup) -> None:
    """Declares the option that leaves biases free."""
    group.add_argument(
        "--clip-biases",
        action=FLAG,
        help="network: clip biases as the weights are (default: yes; some published results leave them free)",
    )


def add_reference_exact_option(group: argparse._ArgumentGroup) -> None:
    """Declares the option that takes the reference as exact."""
    group.add_argument(
        "--reference-exact",
        action=FLAG,
        help="take the reference as the exact expectation, as published results do (default: no; it is a finite sample,"
        " which fluctuates as the data do)",
    )


def add_overflow_option(group: argparse._ArgumentGroup) -> None:
    """Declares the option that takes events to the range of the reference."""
    group.add_argument(
        "--overflow",
        action=FLAG,
        help="take features of the data beyond the range of the reference to its edge, as outer bins do (default: no;"
        " where no reference event is a network is free to rise, but in normal scores, which end with the reference)",
    )
