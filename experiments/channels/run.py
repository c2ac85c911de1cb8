"""Many results: p-values of counting regions with known errors, templates in fake tables, and a table of yours."""

from __future__ import annotations

import time
from pathlib import Path

from experiments.channels.known import histograms
from experiments.channels.protomodels import of_published
from experiments.channels.published import of_table
from experiments.channels.walks import costs, walks
from experiments.experiment import Check, read_config


def run(
    work: Path,
    results: Path,
    short: bool,
    table: str | None = None,
    covariances: str | None = None,
    published: str | None = None,
) -> tuple[str, list[Check]]:
    """Runs all parts; those about a table of yours and about published p-values only if there are any.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("channels", short)
    began = time.process_time()
    parts, checks = [], []
    for part in (histograms, walks, costs):
        text, found = part(config)
        parts.append(text)
        checks += found
        print(text, flush=True)
    for text, found in (of_table(config, table, covariances, results), of_published(config, published, results)):
        parts.append(text)
        checks += found
    parts.append(f"This run took {(time.process_time() - began) / 60:.1f} CPU minutes.")
    return "\n\n".join(parts), checks
