"""The options of `nplm validate`: their names, their defaults, and which may stand together."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from nplm.cli.commands.family_options import add_family_option
from nplm.cli.coordinates_options import add_circular_option, require_circular
from nplm.cli.errors import UsageError
from nplm.cli.options import (
    FLAG,
    add_access_options,
    add_control_options,
    add_features_option,
    add_output_option,
    known,
    require_output,
)
from nplm.cli.style import add_label_option, add_style_option
from nplm.cli.types import CircularFeature, Label, positive_count, positive_number, positive_numbers, seed, sizes, text
from nplm.wording.standing import calibration_name


@dataclass(frozen=True, kw_only=True)
class Options:
    """What `nplm validate` was asked to do; the fields are the long options, with their defaults."""

    samples: tuple[str, ...]
    names: tuple[str, ...] | None = None
    features: tuple[str, ...] | None = None
    weights: str | None = None
    where: str | None = None
    tree: str | None = None
    allow_remote: bool = False
    allow_external_links: bool = False
    pool: str | None = None
    expected_ratio: float | None = None
    shape_only: bool = False
    widths: tuple[float, ...] | None = None
    penalties: tuple[float, ...] | None = None
    centers: int | None = None
    statistic: str | None = None
    family: tuple[str, ...] | None = None
    circular: tuple[CircularFeature, ...] = ()
    calibrate: str | None = None
    permutations: int = 999
    correction: str = "holm"
    n_sweep: tuple[int, ...] | None = None
    seed: int = 1
    output: Path | None = None
    style: str | None = None
    label: tuple[Label, ...] = ()
    json: bool = False
    force: bool = False
    quiet: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Options:
        """The options, with defaults for those that are not in `values`.

        Raises:
            UsageError: if something is missing, or options contradict each other.
        """
        samples = values.get("samples", ())
        if len(samples) < 2:
            raise UsageError("give two samples, or more for a matrix: nplm validate SAMPLE_A SAMPLE_B")
        repeated = [path for path in samples if samples.count(path) > 1]
        if repeated:
            raise UsageError(f"{repeated[0]} is given twice: it would be compared with itself")
        require_output(values)
        names = values.get("names")
        if names is not None and (len(names) != len(samples) or len(set(names)) != len(names)):
            raise UsageError(f"--names must give {len(samples)} different names, one for each sample")
        if values.get("shape_only") and "expected_ratio" in values:
            raise UsageError("--shape-only compares shapes, whatever the yields, so leave out --expected-ratio")
        if len(samples) > 2:
            for option, why in (("n_sweep", "is for two samples"), ("expected_ratio", "is that of two samples")):
                if option in values:
                    raise UsageError(f"--{option.replace('_', '-')} {why}, but {len(samples)} are given; leave it out")
        elif "correction" in values:
            raise UsageError("--correction is for more than two samples; leave it out")
        if ("pool" in values) != (values.get("calibrate") == "pool"):
            raise UsageError("--calibrate pool and --pool FILE belong together; give both, or none")
        if values.get("calibrate") == "asymptotic" and "permutations" in values:
            raise UsageError("--calibrate asymptotic resamples nothing: leave out --permutations")
        if values.get("statistic") == "converged" and values.get("calibrate") in ("bootstrap", "pool"):
            raise UsageError(f"--calibrate {values['calibrate']} is for --statistic one-step; leave one of them out")
        own = [name for name in ("widths", "penalties", "centers", "statistic", "pool") if name in values]
        if values.get("calibrate") == "bootstrap":
            own.append("calibrate bootstrap")
        for option in ("family", "circular"):
            if own and option in values:
                raise UsageError(
                    f"--{own[0]} is for kernels of all features, which are no family: leave out --{option}"
                )
        require_circular(values)
        for option in ("widths", "penalties", "features", "family"):
            given = values.get(option, ())
            twice = [value for value in given if given.count(value) > 1]
            if twice:
                raise UsageError(f"--{option} names {twice[0]} twice; leave it out once")
        if values.get("weights") in values.get("features", ()):
            raise UsageError(f"'{values['weights']}' is both a feature and the weight column; leave it out of one")
        return cls(**known(cls, values))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `nplm validate`; what is not given stays None."""
    parser.add_argument(
        "samples",
        metavar="SAMPLE",
        nargs="*",
        help="files with the samples: npz, npy, csv, h5, parquet or root; more than two are compared each with each",
    )
    files = parser.add_argument_group("input")
    files.add_argument("--names", nargs="+", type=text, metavar="NAME", help="what to call them (default: the files)")
    add_features_option(files)
    files.add_argument(
        "--weights", type=text, metavar="COLUMN", help="column with the weights of events, in files that have it"
    )
    add_access_options(files)
    test = parser.add_argument_group("test")
    test.add_argument(
        "--expected-ratio",
        type=positive_number,
        metavar="R",
        help="compare yields too: that of the second sample is expected to be R times that of the first",
    )
    test.add_argument("--shape-only", action=FLAG, help="compare shapes, whatever the yields: the default")
    add_family_option(test)
    add_circular_option(test)
    test.add_argument(
        "--widths",
        type=positive_numbers,
        metavar="W1,W2,...",
        help="only kernels of all features, of these widths in standard deviations",
    )
    test.add_argument(
        "--penalties",
        type=positive_numbers,
        metavar="L1,L2,...",
        help="only kernels of all features, with these penalties, a test each (0.01,0.001,0.0001 are usual)",
    )
    test.add_argument(
        "--centers",
        type=positive_count,
        metavar="M",
        help="only kernels of all features, so many (usual: twice the square root of the number of events)",
    )
    test.add_argument(
        "--statistic",
        choices=("one-step", "converged"),
        help="only kernels of all features, by one Newton step, so that resampling is quick, or at the minimum of the"
        " cross-entropy",
    )
    test.add_argument(
        "--calibrate",
        type=calibration_name,
        choices=("permutation", "asymptotic", "bootstrap", "pool"),
        help="count permutations of labels, where weights are exchangeable, else samples drawn anew; or take the normal"
        " distribution; or, for kernels of all features only, draw signs of events, or both samples from --pool"
        " (default: count where enough exceed, beyond that the distribution if they follow it)",
    )
    test.add_argument(
        "--permutations", type=positive_count, metavar="N", help="permutations, or other resamplings (default: 999)"
    )
    test.add_argument("--pool", type=text, metavar="FILE", help="large sample of what both should follow")
    test.add_argument(
        "--correction",
        choices=("holm", "bonferroni", "false-discovery"),
        help="for the number of comparisons of more than two samples (default: holm)",
    )
    test.add_argument(
        "--n-sweep",
        type=sizes,
        metavar="N1,N2,...",
        help="also say how Z grows with the number of events, from subsamples of these sizes",
    )
    test.add_argument("--seed", type=seed, metavar="N", help="seed of the resampling (default: 1)")
    output = parser.add_argument_group("output and control")
    add_output_option(output, "folder for result.json, report.html and plots")
    add_style_option(output)
    add_label_option(output)
    add_control_options(output)


def command_of(options: Options) -> list[str]:
    """The shortest command that asks for the same."""
    words = ["nplm", "validate", *options.samples]
    for field in fields(options):
        value = getattr(options, field.name)
        if field.name in ("samples", "force", "quiet") or value == field.default:
            continue
        option = "--" + field.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(option)
        elif field.name in ("names", "features", "circular"):
            words += [option, *map(str, value)]
        elif field.name == "label":
            words += [word for label in value for word in (option, str(label))]
        elif field.name == "family":
            words += [option, ",".join(value)]
        elif isinstance(value, tuple):
            words += [option, ",".join(f"{v:g}" if v == float(f"{v:g}") else repr(v) for v in value)]
        else:
            words += [option, str(value)]
    return words
