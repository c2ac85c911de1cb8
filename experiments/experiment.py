"""What the experiments share: nplm as a user calls it, and measured numbers beside expected ones."""

from __future__ import annotations

import json
import math
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from nplm._util.yaml_text import load_yaml
from nplm.wording.markdown import markdown_table

HERE = Path(__file__).parent
# Toys and other large files; what is kept with the code goes into the folder of the experiment.
WORK = Path("build") / "experiments"


@dataclass(frozen=True)
class Check:
    """A number that was measured, beside one that was expected.

    Arguments:
        what: what it is.
        measured: our number.
        error: its uncertainty; 0 if it has none.
        low, high: the range in which it must lie, the errors of both numbers included.
        expected: the number that was published or must come out, with its source.
    """

    what: str
    measured: float
    error: float
    low: float
    high: float
    expected: str

    @property
    def passed(self) -> bool:
        """Whether the number lies in its range."""
        return self.low <= self.measured <= self.high


def read_config(name: str, short: bool) -> dict[str, Any]:
    """The settings of an experiment; those under "short" replace the others if a short run is wanted."""
    config: dict[str, Any] = load_yaml((HERE / name / "config.yaml").read_text(encoding="utf-8"))
    brief = config.pop("short")
    return {**config, **brief} if short else config


@dataclass(frozen=True)
class Cost:
    """What a command cost: CPU seconds with its workers, seconds on the clock, and the load when it began."""

    cpu: float
    wall: float
    load: float


def nplm(*words: object) -> tuple[Any, Cost]:
    """Runs a command of nplm that prints JSON or text; a failure ends the experiment.

    Returns:
        What it printed, read as JSON where it is, and what it cost.
    """
    command = [sys.executable, "-m", "nplm", *map(str, words)]
    print("$", *command[2:], flush=True)
    before, began, load = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter(), os.getloadavg()[0]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    text = done.stdout
    return json.loads(text) if text.startswith(("{", "[")) else text, Cost(cpu, time.perf_counter() - began, load)


def options(settings: Mapping[str, Any]) -> list[str]:
    """Settings as long options: {"n_reference": 5, "standardize": False} becomes --n-reference 5 --no-standardize."""
    words: list[str] = []
    for name, value in settings.items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        else:
            words += [f"--{option}", str(value)]
    return words


def checks_table(checks: Sequence[Check]) -> str:
    """The checks as a Markdown table."""
    rows = [
        [
            check.what,
            f"{check.measured:.3g}" + (f" +- {check.error:.2g}" if check.error else ""),
            check.expected,
            f"{check.low:.3g} to {check.high:.3g}" if math.isfinite(check.high) else f"at least {check.low:.3g}",
            "yes" if check.passed else "NO",
        ]
        for check in checks
    ]
    return markdown_table(["what", "measured", "expected", "with tolerance", "agrees"], rows)


def circumstances() -> str:
    """A line on the machine and the versions."""
    device = jax.devices()[0].platform
    return f"JAX {jax.__version__}, Python {platform.python_version()}, {os.cpu_count()} cores ({device})."
