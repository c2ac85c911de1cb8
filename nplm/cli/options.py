"""What the options of the commands have in common: input and output, and how they read as a command."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from nplm.cli.coordinates_options import (
    with_coordinates,
)
from nplm.cli.errors import UsageError
from nplm.cli.types import (
    Luminosity,
    ReferenceFile,
    feature_names,
    luminosity,
    output_path,
    positive_number,
    reference_file,
    text,
)

FLAG = argparse.BooleanOptionalAction


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """Which files to read, and what of them; the fields are the long options, with their defaults."""

    reference: tuple[ReferenceFile, ...] = ()
    features: tuple[str, ...] | None = None
    weights: str | None = None
    expected_yield: float | None = None
    luminosity: Luminosity | None = None
    where: str | None = None
    pool: str | None = None
    tree: str | None = None
    allow_remote: bool = False
    allow_external_links: bool = False

    @classmethod
    def _of(cls, values: Mapping[str, Any]) -> Self:
        """The options, with defaults for those that are not in `values`."""
        return cls(**known(cls, values))


def known(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are options of a command: those of its dataclass."""
    return {f.name: values[f.name] for f in fields(cls) if f.name in values}


def require_output(values: Mapping[str, Any]) -> None:
    """Refuses a run whose result goes nowhere.

    Raises:
        UsageError: if there is neither -o nor --json.
    """
    if "output" not in values and not values.get("json"):
        raise UsageError("-o is missing; give the folder for the results (only --json can do without)")


def require_input(values: Mapping[str, Any]) -> None:
    """Refuses options of the input that contradict each other.

    Raises:
        UsageError: naming them.
    """
    with_yield = [f.path for f in values.get("reference", ()) if f.expected_yield is not None]
    if with_yield and "expected_yield" in values:
        raise UsageError(
            f"--expected-yield and the yield of {with_yield[0]} contradict each other; give the sum or its parts"
        )
    sections = [str(f) for f in values.get("reference", ()) if f.unit]
    if sections and "luminosity" not in values:
        raise UsageError(f"{sections[0]} is a cross-section: add --luminosity, such as --luminosity 140/fb")
    if "luminosity" in values and not sections:
        raise UsageError("--luminosity goes with cross-sections of the reference, such as mc.root=12.3pb; leave it out")
    repeated = [f for f in values.get("features", ()) if values["features"].count(f) > 1]
    if repeated:
        raise UsageError(f"--features names '{repeated[0]}' twice")
    if values.get("weights") in values.get("features", ()):
        raise UsageError(f"'{values['weights']}' is both a feature and the weight column; leave it out of one")


def require_shape_or_yield(values: Mapping[str, Any]) -> None:
    """Refuses a yield where none is compared.

    Raises:
        UsageError: naming the options.
    """
    if values.get("shape_only") and "expected_yield" in values:
        raise UsageError("--shape-only compares shapes, whatever the yields, so leave out --expected-yield")


def add_reference_options(group: argparse._ArgumentGroup) -> None:
    """Declares the options of `InputOptions`, but for the pool; what is not given stays None."""
    group.add_argument(
        "--reference",
        action="extend",
        nargs="+",
        type=reference_file,
        metavar="REF",
        help="files of what is expected, which add up; REF=1200 scales the weights of that file to 1200 events"
        " after the cut, REF=1200@before-cut to as many before it, and REF=12.3pb to a cross-section times"
        ' --luminosity; "mc*.root" (in quotes) is all files that match, together',
    )
    group.add_argument(
        "--luminosity",
        type=luminosity,
        metavar="L",
        help="with cross-sections: the luminosity of the data, such as 140/fb",
    )
    add_features_option(group)
    group.add_argument(
        "--weights",
        type=text,
        metavar="COLUMN",
        help="column with the weights of the reference's events, and of the other files' if they have it",
    )
    group.add_argument(
        "--expected-yield",
        type=positive_number,
        metavar="N",
        help="events that the reference predicts in the data, after the cut (default: the sum of its weights)",
    )
    add_access_options(group)


def add_features_option(group: argparse._ArgumentGroup) -> None:
    """Declares --features."""
    group.add_argument(
        "--features",
        action="extend",
        nargs="+",
        type=feature_names,
        metavar="NAME",
        help="columns to compare, separated by blanks or commas (default: all columns but weights and row numbers)",
    )


def add_access_options(group: argparse._ArgumentGroup) -> None:
    """Declares the cut, and how files are opened."""
    group.add_argument(
        "--where",
        type=text,
        metavar="EXPR",
        help='cut on the events of all files, such as "60 < mll < 120"; on columns, and names in --features',
    )
    group.add_argument(
        "--tree",
        type=text,
        metavar="NAME",
        help="tree of ROOT files that hold several; array, frame or group of HDF5 and npz files",
    )
    group.add_argument("--allow-remote", action=FLAG, help="read ROOT files from addresses such as root://...")
    group.add_argument("--allow-external-links", action=FLAG, help="let HDF5 files lead to other files")


def add_pool_option(group: argparse._ArgumentGroup) -> None:
    """Declares the option that names the pool."""
    group.add_argument(
        "--pool", type=text, metavar="FILE", help="draw the data of toys from this file (default: from the reference)"
    )


def add_output_option(group: argparse._ArgumentGroup, what: str) -> None:
    """Declares -o."""
    group.add_argument(*("--output", "-o"), type=output_path, metavar="OUT", help=what)


def add_control_options(group: argparse._ArgumentGroup, quiet: str = "no notes") -> None:
    """Declares --json, --force, --quiet and --config, as all commands that write a run have them."""
    group.add_argument("--json", action=FLAG, help="print the result as JSON on stdout; -o may then be left out")
    group.add_argument(
        "--force",
        action=FLAG,
        help="replace the run that the output folder holds: the files that its manifest.json lists",
    )
    group.add_argument("--quiet", action=FLAG, help=quiet)
    add_config_option(group)


def add_config_option(group: argparse._ArgumentGroup) -> None:
    """Declares --config."""
    group.add_argument(
        "--config",
        type=text,
        metavar="FILE",
        help="YAML file with long options as keys (shape-only: true); the command line overrides it; paths in it are"
        " relative to the current folder",
    )


def given(namespace: argparse.Namespace) -> dict[str, Any]:
    """The values that are given, by field name; lists become tuples, and comma lists are taken apart.

    Raises:
        UsageError: if --standardize stands beside --coordinates.
    """
    values = with_coordinates({name: value for name, value in vars(namespace).items() if value is not None})
    for option in ("features", "circular"):
        if option in values:
            values[option] = tuple(name for names in values[option] for name in names)
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def to_command(command: str, options: Any, positional: Sequence[str] = (), hidden: Sequence[str] = ()) -> list[str]:
    """The shortest command that asks for the same, whatever configuration file the options came from.

    Arguments:
        command: "nplm test".
        options: a dataclass whose fields are the long options, with or without a reference.
        positional: fields that stand before the options, without a name.
        hidden: fields that do not change the answer.
    """
    given = [getattr(options, name) for name in positional]
    first = [str(word) for value in given for word in (value if isinstance(value, tuple) else (value,))]
    references = [str(file) for file in getattr(options, "reference", ())]
    words = [*command.split(), *first, *(["--reference", *references] if references else [])]
    for field in fields(options):
        value = getattr(options, field.name)
        if field.name in ("reference", *positional, *hidden) or value == field.default:
            continue
        option = "--" + field.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(option if value else option.replace("--", "--no-", 1))
        elif field.name == "at":
            words += [option, *(f"{name}={number!r}" for name, number in value)]
        elif field.name == "label":
            words += [word for each in value for word in (option, str(each))]
        elif field.name in ("widths", "factors"):
            words += [option, ",".join(map(repr, value))]
        elif field.name == "family":
            words += [option, ",".join(value)]
        elif field.name == "hidden":
            words += [option, *map(written_layers, value if isinstance(value[0], tuple) else [value])]
        elif isinstance(value, tuple):
            words += [option, *map(str, value)]
        else:
            words += [option, str(value)]
    return words


def written_layers(hidden: Sequence[int]) -> str:
    """The layers of a network as --hidden takes them: 5x5."""
    return "x".join(map(str, hidden))


def output_or_refuse(values: Mapping[str, Any], what: str, kind: str = "folder") -> Path:
    """The folder, or the file, given with -o.

    Raises:
        UsageError: if there is none.
    """
    if "output" not in values:
        raise UsageError(f"-o is missing; give the {kind} for {what}")
    output: Path = values["output"]
    return output
