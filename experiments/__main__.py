"""`python -m experiments [NAME ...] [--short]`: reproduces published figures; the tables go beside the code."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from experiments.experiment import HERE, WORK, checks_table, circumstances

NAMES = (
    "closure_1d",
    "null_1d",
    "power_1d",
    "kernel_null_1d",
    "kernel_power_1d",
    "kernel_deep_null",
    "localization",
    "monitor",
    "nuisances_1d",
    "nuisances_network_1d",
    "nuisances_finite",
    "nuisances_weights",
    "two_sample",
    "family",
    "hunt",
    "measure",
    "scored",
    "channels",
    "effective_theory",
    "kills",
)
# These are run if they are named: they compare with an earlier revision, and reproduce nothing.
IF_NAMED = ("same_results",)


def main() -> int:
    """Runs the experiments that are named, or all; the exit code is 1 if a number is not as expected."""
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (default: all), or {', '.join(IF_NAMED)}"
    )
    parser.add_argument("--short", action="store_true", help=f"few toys, results into {WORK} only")
    parser.add_argument(
        "--before", metavar="REV", help="same_results: the earlier revision (default: see its config.yaml)"
    )
    parser.add_argument("--table", metavar="FILE", help="channels: a table of counting regions")
    parser.add_argument("--covariances", metavar="FILE", help="channels: the covariances of its regions (JSON)")
    parser.add_argument("--published", metavar="FILE", help="channels: p-values that were published with protomodels")
    arguments = parser.parse_args()
    known = (*NAMES, *IF_NAMED)
    for name in arguments.names:
        if name not in known:
            parser.error(f"there is no experiment '{name}': choose from {', '.join(known)}")
    if arguments.before and arguments.names != ["same_results"]:
        parser.error("--before is for same_results alone")
    of_channels = ("table", "covariances", "published")
    if any(getattr(arguments, name) for name in of_channels) and arguments.names != ["channels"]:
        parser.error("--table, --covariances and --published are for channels alone")
    more = {name: value for name in ("before", *of_channels) if (value := getattr(arguments, name))}
    failed = []
    for name in arguments.names or NAMES:
        work = WORK / (f"{name}-short" if arguments.short else name)
        results = work / "results" if arguments.short else HERE / name / "results"
        for folder in (work, results):
            folder.mkdir(parents=True, exist_ok=True)
        experiment = import_module(f"experiments.{name}.run")
        text, checks = experiment.run(work, results, arguments.short, **more)
        document = f"# {experiment.__doc__}\n\n{text}\n\n{checks_table(checks)}\n\n{circumstances()}\n"
        (results / "table.md").write_text(document, encoding="utf-8")
        print(document)
        failed += [f"{name}: {check.what}" for check in checks if not check.passed]
    for line in failed:
        print(f"not as expected: {line}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
