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
    "kills",
)


def main() -> int:
    """Runs the experiments that are named, or all; the exit code is 1 if a number is not as expected."""
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--short", action="store_true", help=f"few toys, results into {WORK} only")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in NAMES:
            parser.error(f"there is no experiment '{name}': choose from {', '.join(NAMES)}")
    failed = []
    for name in arguments.names or NAMES:
        work = WORK / (f"{name}-short" if arguments.short else name)
        results = work / "results" if arguments.short else HERE / name / "results"
        for folder in (work, results):
            folder.mkdir(parents=True, exist_ok=True)
        experiment = import_module(f"experiments.{name}.run")
        text, checks = experiment.run(work, results, arguments.short)
        document = f"# {experiment.__doc__}\n\n{text}\n\n{checks_table(checks)}\n\n{circumstances()}\n"
        (results / "table.md").write_text(document, encoding="utf-8")
        print(document)
        failed += [f"{name}: {check.what}" for check in checks if not check.passed]
    for line in failed:
        print(f"not as expected: {line}", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
