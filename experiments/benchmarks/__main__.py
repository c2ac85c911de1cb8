"""`python -m experiments.benchmarks [NAME ...]`: runs benchmarks and writes their tables into results/."""

from __future__ import annotations

import argparse
import os
import platform
from importlib import import_module
from pathlib import Path

import jax

NAMES = (
    "one_dimension",
    "campaign",
    "workers",
    "many_toys",
    "kernel",
    "importance",
    "several_dimensions",
    "large_sample",
    "large_family",
    "nuisances",
    "many_nuisances",
    "lists",
    "workspaces",
    "builds",
)
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Runs the benchmarks that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m experiments.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)} (default: all)")
    names = parser.parse_args().names or NAMES
    for name in names:
        if name not in NAMES:
            parser.error(f"there is no benchmark '{name}': choose from {', '.join(NAMES)}")
    RESULTS.mkdir(exist_ok=True)
    for name in names:
        benchmark = import_module(f"experiments.benchmarks.{name}")
        load = os.getloadavg()[0]
        text = f"# {benchmark.__doc__}\n\n{benchmark.run()}\n\n"
        text += f"JAX {jax.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores"
        text += f" ({jax.devices()[0].platform}), load at the start {load:.1f}.\n"
        (RESULTS / f"{name}.md").write_text(text)
        print(text)


if __name__ == "__main__":
    main()
