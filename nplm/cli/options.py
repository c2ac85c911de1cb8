"""The options of `nplm test`: their names, their defaults, and which may stand together."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nplm.cli.errors import UsageError
from nplm.cli.values import (
    ReferenceFile,
    count,
    feature_names,
    layers,
    output_path,
    positive_count,
    positive_number,
    reference_file,
    seed,
    text,
)

MODEL_OPTIONS = {"network": ("hidden", "clip"), "histogram": ("bins",)}


@dataclass(frozen=True)
class Options:
    """What `nplm test` was asked to do; the fields are the long options, with their defaults."""

    data: str
    reference: tuple[ReferenceFile, ...]
    features: tuple[str, ...] | None = None
    weights: str | None = None
    expected_yield: float | None = None
    where: str | None = None
    pool: str | None = None
    tree: str | None = None
    allow_remote: bool = False
    allow_external_links: bool = False
    model: str = "network"
    hidden: tuple[int, ...] = (4,)
    clip: float = 9.0
    bins: int = 10
    toys: int = 200
    shape_only: bool = False
    standardize: bool = True
    seed: int = 1
    output: Path | None = None
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
        if "output" not in values and not values.get("json"):
            raise UsageError("-o is missing; give the folder for the results (only --json can do without)")
        model = values.get("model", cls.model)
        for other, names in MODEL_OPTIONS.items():
            for name in names:
                if other != model and name in values:
                    raise UsageError(
                        f"--{name} is an option of --model {other}, but the model is {model}; leave one of them out"
                    )
        with_yield = [f.path for f in values["reference"] if f.expected_yield is not None]
        if with_yield and "expected_yield" in values:
            raise UsageError(
                f"--expected-yield and the yield of {with_yield[0]} contradict each other; give the sum or its parts"
            )
        if values.get("shape_only") and "expected_yield" in values:
            raise UsageError("--shape-only compares shapes, whatever the yields, so leave out --expected-yield")
        repeated = [f for f in values.get("features", ()) if values["features"].count(f) > 1]
        if repeated:
            raise UsageError(f"--features names '{repeated[0]}' twice")
        if values.get("weights") in values.get("features", ()):
            raise UsageError(f"'{values['weights']}' is both a feature and the weight column; leave it out of one")
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `nplm test`; what is not given stays None."""
    flag = argparse.BooleanOptionalAction
    parser.add_argument("data", metavar="DATA", nargs="?", help="the data: npz, npy, csv, h5, parquet or root")
    files = parser.add_argument_group("input")
    files.add_argument(
        "--reference",
        action="extend",
        nargs="+",
        type=reference_file,
        metavar="REF",
        help="files of what is expected, which add up; REF=1200 scales the weights of that file to 1200 events"
        " after the cut",
    )
    files.add_argument(
        "--features",
        action="extend",
        nargs="+",
        type=feature_names,
        metavar="NAME",
        help="columns to compare, separated by blanks or commas (default: all columns but the weights)",
    )
    files.add_argument(
        "--weights",
        type=text,
        metavar="COLUMN",
        help="column with the weights of the reference's events, and of the data's and the pool's if they have it",
    )
    files.add_argument(
        "--expected-yield",
        type=positive_number,
        metavar="N",
        help="events that the reference predicts in the data, after the cut (default: the sum of its weights)",
    )
    files.add_argument(
        "--where", type=text, metavar="EXPR", help='cut on the events of all files, such as "60 < mll < 120"'
    )
    files.add_argument(
        "--pool", type=text, metavar="FILE", help="draw the toys from this file (default: from the reference)"
    )
    files.add_argument("--tree", type=text, metavar="NAME", help="tree of ROOT files that hold several")
    files.add_argument("--allow-remote", action=flag, help="read ROOT files from addresses such as root://...")
    files.add_argument("--allow-external-links", action=flag, help="let HDF5 files lead to other files")

    test = parser.add_argument_group("test")
    test.add_argument("--model", choices=tuple(MODEL_OPTIONS), help="family of log-ratios (default: network)")
    test.add_argument(
        "--hidden",
        type=layers,
        metavar="N[xN...]",
        help="network: neurons of its hidden layers, 5x5 for two layers of five (default: 4)",
    )
    test.add_argument("--clip", type=positive_number, metavar="C", help="network: largest absolute weight (default: 9)")
    test.add_argument("--bins", type=positive_count, metavar="N", help="histogram: number of bins (default: 10)")
    test.add_argument(
        "--toys",
        type=count,
        metavar="N",
        help="null toys that calibrate t (default: 200; 0 trusts the chi2, unchecked)",
    )
    test.add_argument("--shape-only", action=flag, help="compare shapes, whatever the yields")
    test.add_argument(
        "--standardize",
        action=flag,
        help="shift and scale features by the reference's mean and deviation (default: yes)",
    )
    test.add_argument("--seed", type=seed, metavar="N", help="seed of the toys (default: 1)")

    output = parser.add_argument_group("output and control")
    output.add_argument(
        *("--output", "-o"), type=output_path, metavar="OUT", help="folder for result.json, report.html, plots and toys"
    )
    output.add_argument("--json", action=flag, help="print the result as JSON on stdout; -o may then be left out")
    output.add_argument("--force", action=flag, help="replace the run that the output folder holds")
    output.add_argument("--quiet", action=flag, help="no notes and no progress bar")
    output.add_argument(
        "--config",
        type=text,
        metavar="FILE",
        help="YAML file with long options as keys (shape-only: true); the command line overrides it; paths in it are"
        " relative to the current folder",
    )


def given(namespace: argparse.Namespace) -> dict[str, Any]:
    """The values that the command line gives, by field name; lists become tuples, and comma lists are taken apart."""
    values = {name: value for name, value in vars(namespace).items() if value is not None}
    if "features" in values:
        values["features"] = tuple(name for names in values["features"] for name in names)
    if "reference" in values:
        values["reference"] = tuple(values["reference"])
    return values


def to_command(options: Options) -> list[str]:
    """The shortest command that asks for the same test, whatever configuration file the options came from."""
    words = ["nplm", "test", options.data, "--reference", *map(str, options.reference)]
    for field in fields(options):
        value = getattr(options, field.name)
        if field.name in ("data", "reference", "force", "quiet") or value == field.default:
            continue
        option = "--" + field.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(option if value else option.replace("--", "--no-", 1))
        elif field.name == "features":
            words += [option, *value]
        else:
            words += [option, "x".join(map(str, value)) if isinstance(value, tuple) else str(value)]
    return words
