"""The options of `nplm toys`: run, status, merge and show."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nplm.cli.commands.toys.nuisances import NuisanceOptions, add_nuisance_options, require_nuisances
from nplm.cli.errors import UsageError
from nplm.cli.model_options import ModelOptions, add_model_options, add_prepared_option, require_model
from nplm.cli.options import (
    FLAG,
    InputOptions,
    add_config_option,
    add_output_option,
    add_pool_option,
    add_reference_options,
    known,
    output_or_refuse,
    require_input,
    to_command,
)
from nplm.cli.style import add_style_option
from nplm.cli.types import (
    count,
    number,
    positive_count,
    positive_number,
    seed,
    shard,
    text,
    toys_of_a_plan,
    z_threshold,
)

DASK_HERE = "local"
N_REFERENCE = 100_000
# Toys are numbered by 32 bits, of which the last number is taken.
MOST_TOYS = 2**32 - 1


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """What runs the toys."""

    workers: int | None = None
    dask: str | None = None
    batch: int | None = None


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """Where reference and toys come from, if not from files."""

    problem: str | None = None
    n_reference: int = N_REFERENCE
    reference_seed: int = 1
    generator: str | None = None


@dataclass(frozen=True, kw_only=True)
class RunOptions(NuisanceOptions, EngineOptions, SourceOptions, ModelOptions, InputOptions):
    """What `nplm toys run` was asked to do; the fields are the long options, with their defaults."""

    output: Path
    signal: str | None = None
    signal_yield: float | None = None
    toy_yield: float | None = None
    events: int | None = None
    expectation: bool = False
    reference_per_toy: bool | None = None
    parameters: bool = False
    toys: int = 200
    first: int = 0
    seed: int = 1
    shard: tuple[int, int] = (1, 1)
    quiet: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> RunOptions:
        """The options, with defaults for those that are not in `values`.

        Raises:
            UsageError: if something is missing, or options contradict each other.
        """
        require_source(values)
        require_nuisances(values)
        output_or_refuse(values, "the toys")
        last = values.get("first", cls.first) + values.get("toys", cls.toys)
        if last > MOST_TOYS:
            raise UsageError(f"--first and --toys add up to {last}, but toys are numbered up to {MOST_TOYS - 1}")
        if values.get("shape_only") and "events" not in values:
            raise UsageError("--shape-only needs --events, the number of events of each toy (that of the data)")
        if "signal" in values and "problem" not in values and "signal_yield" not in values:
            raise UsageError("--signal FILE needs --signal-yield, the number of events that the signal adds")
        require_model(values)
        require_input(values)
        return cls._of(values)

    @classmethod
    def null_like(cls, options: Any) -> RunOptions:
        """Null toys of a command that shares some of these options, such as `nplm tune`."""
        own = {f.name for f in fields(cls)} - {f.name for f in fields(ModelOptions)}
        return cls(**{f.name: getattr(options, f.name) for f in fields(options) if f.name in own})


_EXCLUSIVE = (
    ("problem", ("reference", "pool", "generator", "features", "weights", "where", "tree")),
    ("generator", ("pool", "signal", "toy_yield", "expectation", "events")),
    ("expectation", ("pool", "events", "reference_per_toy", "toy_yield")),
    ("shape_only", ("toy_yield",)),
    ("dask", ("workers",)),
)
_NEEDED = (
    ("signal_yield", "signal"),
    ("n_reference", "problem"),
    ("reference_seed", "problem"),
    ("events", "shape_only"),
)


def require_source(values: Mapping[str, Any]) -> None:
    """Refuses options of the toys' source and of the engine that contradict each other.

    Raises:
        UsageError: naming them.
    """
    if "reference" not in values and "problem" not in values:
        raise UsageError("say what is expected: --reference REF [REF ...], or --problem MODULE[:NAME]")
    for one, others in _EXCLUSIVE:
        for other in others:
            if values.get(one) and values.get(other):
                raise UsageError(f"{_option(one)} and {_option(other)} contradict each other; leave one of them out")
    for one, other in _NEEDED:
        if one in values and other not in values:
            raise UsageError(f"{_option(one)} needs {_option(other)}")


def _option(field: str) -> str:
    return "--" + field.replace("_", "-")


def add_problem_options(group: argparse._ArgumentGroup) -> None:
    """Declares the options that name a problem."""
    group.add_argument(
        "--problem",
        type=text,
        metavar="MODULE[:NAME]",
        help="instead of files: a problem with known truth, such as toys.exponential in a clone of nplm",
    )
    group.add_argument(
        "--n-reference", type=positive_count, metavar="N", help=f"problem: events of its reference ({N_REFERENCE})"
    )
    group.add_argument("--reference-seed", type=seed, metavar="N", help="problem: seed of its reference (default: 1)")


def add_generator_option(group: argparse._ArgumentGroup) -> None:
    """Declares the option that names a function which draws toys."""
    group.add_argument(
        "--generator",
        type=text,
        metavar="MODULE:FUNCTION",
        help="draw each toy with this function of a NumPy generator; it returns the events",
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Declares the options of `nplm toys run`; what is not given stays None."""
    files = parser.add_argument_group("what is expected")
    add_reference_options(files)
    add_problem_options(files)
    toys = parser.add_argument_group("toys")
    add_pool_option(toys)
    add_generator_option(toys)
    add_nuisance_options(toys)
    toys.add_argument(
        "--signal",
        type=text,
        metavar="FILE|NAME",
        help="inject a signal: a file of its events, or the name of one of the problem's",
    )
    toys.add_argument(
        "--signal-yield", type=positive_number, metavar="N", help="expected number of signal events, drawn in each toy"
    )
    toys.add_argument(
        "--toy-yield",
        type=positive_number,
        metavar="N",
        help="expected background events of a toy (default: what the reference expects), where all nuisances are 0",
    )
    toys.add_argument("--events", type=positive_count, metavar="N", help="shape-only: events of each toy")
    toys.add_argument(
        "--expectation", action=FLAG, help="technical: the expectation itself is the data, without fluctuations"
    )
    toys.add_argument(
        "--reference-per-toy",
        action=FLAG,
        help="draw a reference for each toy, of files with replacement (default: where N(R) is more than 5%% of the"
        " reference's effective events, without a pool, a generator, nuisances, or a reference that is taken as exact)",
    )
    toys.add_argument("--parameters", action=FLAG, help="keep the fitted parameters of each toy")
    toys.add_argument("--toys", type=toys_of_a_plan, metavar="N", help="number of toys (default: 200)")
    toys.add_argument("--first", type=count, metavar="I", help="number of the first toy (default: 0)")
    toys.add_argument("--seed", type=seed, metavar="N", help="root of the toys' keys (default: 1)")
    test = parser.add_argument_group("test")
    add_model_options(test)
    add_prepared_option(test)

    control = parser.add_argument_group("output and control")
    add_output_option(control, "folder of the toy store; toys that are in it already are not run again")
    control.add_argument(
        "--shard", type=shard, metavar="I/N", help="run every N-th toy only, beginning with the I-th (array jobs)"
    )
    add_engine_options(control)
    control.add_argument("--quiet", action=FLAG, help="no notes and no progress bar")
    add_config_option(control)


def add_engine_options(group: argparse._ArgumentGroup) -> None:
    """Declares the options of `EngineOptions`."""
    group.add_argument(
        "--workers", type=positive_count, metavar="N", help="run on N processes of this machine, a core for each"
    )
    group.add_argument(
        "--dask",
        type=text,
        metavar="ADDRESS",
        help=f"run on the workers of the Dask scheduler at this address; '{DASK_HERE}' starts workers here",
    )
    group.add_argument("--batch", type=positive_count, metavar="N", help="toys that are fitted, and stored, together")


def command_of(options: RunOptions) -> list[str]:
    """The shortest command that runs the same toys, all shards of them, wherever."""
    return to_command("nplm toys run", options, hidden=("quiet", "shard", "workers", "dask", "batch"))


@dataclass(frozen=True, kw_only=True)
class StatusOptions:
    """What `nplm toys status` was asked to do."""

    stores: tuple[str, ...]
    json: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> StatusOptions:
        """The options, with defaults for those that are not in `values`."""
        return _of(cls, values)


def add_status_options(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `nplm toys status`."""
    _add_stores(parser)
    _add_json(parser)


@dataclass(frozen=True, kw_only=True)
class MergeOptions:
    """What `nplm toys merge` was asked to do."""

    stores: tuple[str, ...]
    output: Path
    json: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> MergeOptions:
        """The options, with defaults for those that are not in `values`.

        Raises:
            UsageError: if something is missing.
        """
        output_or_refuse(values, "the merged store")
        return _of(cls, values)


def add_merge_options(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `nplm toys merge`."""
    _add_stores(parser)
    add_output_option(
        parser.add_argument_group("output"), "folder of the merged store; it may be one of the STOREs, which then grows"
    )
    _add_json(parser)


@dataclass(frozen=True, kw_only=True)
class ShowOptions:
    """What `nplm toys show` was asked to do."""

    store: str
    null: str | None = None
    degrees_of_freedom: float | None = None
    observed: float | None = None
    ideal_z: float | None = None
    z: tuple[float, ...] = (2.0, 3.0, 5.0)
    output: Path | None = None
    style: str | None = None
    json: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ShowOptions:
        """The options, with defaults for those that are not in `values`.

        Raises:
            UsageError: if something is missing, or options contradict each other.
        """
        if "store" not in values:
            raise UsageError("STORE is missing; give the folder of a toy store: nplm toys show STORE")
        for name in ("ideal_z", "z"):
            if name in values and "null" not in values:
                raise UsageError(f"{_option(name)} is about toys with a signal: give the null toys with --null STORE")
        if "observed" in values and "null" in values:
            raise UsageError("--observed belongs to null toys: give the null store as STORE, without --null")
        return _of(cls, values)


def add_show_options(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `nplm toys show`."""
    parser.add_argument("store", metavar="STORE", nargs="?", help="folder of a toy store")
    group = parser.add_argument_group("what to show")
    group.add_argument(
        "--null",
        type=text,
        metavar="STORE",
        help="the null toys with which to calibrate those of STORE, which have a signal: shows their Z and the power",
    )
    group.add_argument(
        "--degrees-of-freedom",
        type=positive_number,
        metavar="K",
        help="of the chi2 to compare with (default: the asymptotic null of the model)",
    )
    group.add_argument("--observed", type=number, metavar="T", help="a t to give the p-value and Z of")
    group.add_argument(
        "--z", type=z_threshold, nargs="+", metavar="Z", help="with --null: thresholds for the power (default: 2 3 5)"
    )
    group.add_argument("--ideal-z", type=number, metavar="Z", help="with --null: Z of the test that knows the signal")
    add_output_option(group, "folder for plots (PNG and PDF), toys.json and toys.txt")
    add_style_option(group)
    _add_json(parser)


def _of(cls: Any, values: Mapping[str, Any]) -> Any:
    if "stores" in values and not values["stores"]:
        raise UsageError("STORE is missing; give the folder of one toy store or more")
    return cls(**known(cls, values))


def _add_stores(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stores", metavar="STORE", nargs="*", help="folders of toy stores")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action=FLAG, help="print the numbers as JSON on stdout")
