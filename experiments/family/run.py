"""The family of tests: size, power beside other tests, a bump hunt on one set-up, and its null far out."""

from __future__ import annotations

import time
from pathlib import Path

from experiments.experiment import Check, read_config
from experiments.family.bumps import bumps
from experiments.family.cases import cases
from experiments.family.deep import deep
from experiments.family.power import powers
from experiments.family.size import sizes


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Runs all trials that are not kept in `work` from a run before.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("family", short)
    began = time.process_time()
    parts, checks = [], []
    for part in (sizes, powers, bumps, cases, deep):
        text, found = part(work, config)
        parts.append(text)
        checks += found
        print(text, flush=True)
    parts.append(f"This run took {(time.process_time() - began) / 60:.0f} CPU minutes, without trials kept before.")
    return "\n\n".join(parts), checks
