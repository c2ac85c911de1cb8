"""Measurements: coverage of exact cases, the goodness of fit after a fit beside other tests, and what they cost."""

from __future__ import annotations

import time
from pathlib import Path

from experiments.experiment import Check, read_config
from experiments.measure.cost import costs
from experiments.measure.coverage import coverages
from experiments.measure.goodness import powers, sizes


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Runs all trials that are not kept in `work` from a run before.

    Returns:
        A Markdown text, and the checks.
    """
    del results
    config = read_config("measure", short)
    began = time.process_time()
    parts, checks = [], []
    for part in (coverages, sizes, powers, costs):
        text, found = part(work, config)
        parts.append(text)
        checks += found
        print(text, flush=True)
    parts.append(f"This run took {(time.process_time() - began) / 60:.1f} CPU minutes, without trials kept before.")
    return "\n\n".join(parts), checks
