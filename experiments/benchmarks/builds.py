"""This build beside an older one: CPU seconds of the same work, with the packages of one environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from inspect import getdoc
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from experiments.benchmarks import work
from nplm.wording.markdown import markdown_table

ROOT = Path(__file__).parents[2]
# The commit before the work on speed began; another one: NPLM_OLDER_BUILD=COMMIT.
OLDER = os.environ.get("NPLM_OLDER_BUILD", "3d2c3b1")
WORK = (
    work.network_in_one_dimension,
    work.network_in_five_dimensions,
    work.kernel_in_five_dimensions,
    work.kernel_with_an_exact_reference,
    work.toys_with_references_of_their_own,
    work.two_samples_by_kernels,
    work.two_samples_by_the_family,
    work.help_of_the_command,
    work.command_in_one_dimension,
    work.command_of_three_widths,
    work.command_of_the_family,
)


def run() -> str:
    """A row for each piece of work: medians of its calls after a first one, and the largest difference of answers."""
    rows = []
    with TemporaryDirectory() as older, TemporaryDirectory() as cache:
        subprocess.run(["git", "clone", "--quiet", str(ROOT), older], check=True)
        subprocess.run(["git", "-C", older, "checkout", "--quiet", OLDER], check=True)
        for piece in WORK:
            before, after = (_measured(piece.__name__, build, cache) for build in (older, str(ROOT)))
            difference = np.subtract(after["answers"], before["answers"])
            largest = difference[np.argmax(np.abs(difference))]
            seconds = median(before["seconds"]), median(after["seconds"])
            memory = f"{before['gib']:.2f}", f"{after['gib']:.2f}"
            ratio = f"{seconds[0] / seconds[1]:.1f}"
            rows.append([getdoc(piece), *(f"{s:.3g}" for s in seconds), ratio, f"{largest:+.2g}", *memory])
    head = [
        "work",
        f"{OLDER}, CPU s",
        "this build, CPU s",
        "ratio",
        "largest change of t (p, log p)",
        "older, GiB",
        "this, GiB",
    ]
    return f"Medians of {work.CALLS} calls after a first one.\n\n" + markdown_table(head, rows)


def _measured(name: str, build: str, cache: str) -> dict[str, list[float]]:
    """What the work costs on a build."""
    environment = {**os.environ, "PYTHONPATH": build, "XDG_CACHE_HOME": f"{cache}/{Path(build).name}"}
    words = [sys.executable, work.__file__, name]
    done = subprocess.run(words, check=True, capture_output=True, text=True, cwd=build, env=environment)
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found
