"""Bump hunts: how often they find what is not there, what they find beside other tests, and what they cost."""

from __future__ import annotations

import time
from pathlib import Path

from experiments.experiment import Check, read_config
from experiments.hunt.classifier_size import classifier_sizes
from experiments.hunt.cost import costs
from experiments.hunt.power import powers
from experiments.hunt.size import sizes


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Runs all trials that are not kept in `work` from a run before.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("hunt", short)
    began = time.process_time()
    parts, checks = [], []
    for part in (sizes, powers, classifier_sizes, costs):
        text, found = part(work, config)
        parts.append(text)
        checks += found
        print(text, flush=True)
    parts.append(f"This run took {(time.process_time() - began) / 60:.1f} CPU minutes, without trials kept before.")
    return "\n\n".join(parts), checks
