"""100 null toys of set-up A: the 1-4-1 network, 200,000 reference events."""

from __future__ import annotations

import numpy as np

from experiments.benchmarks.measure import measured, peak_memory_gib, table
from nplm import NetworkModel, NPLMTest, Sample
from toys.exponential import draw_data, draw_reference

TOYS = 100


def run() -> str:
    """One campaign, after a first fit that compiles."""
    rng = np.random.default_rng(1)
    test = NPLMTest(draw_reference(rng, 200_000), NetworkModel(), standardize=False)
    data = draw_data(rng)
    with measured() as first:
        test.statistic(data)
    with measured() as cost:
        result = test.run(data, TOYS, seed=1)
    t = result.toys.t
    error = t.std(ddof=1) / np.sqrt(TOYS)
    rows = [
        [
            TOYS,
            f"{cost.cpu / (TOYS + 1):.2f}",
            f"{cost.wall / (TOYS + 1):.2f}",
            f"{first.compile_seconds:.1f}",
            _recompiled(test, data),
            f"{peak_memory_gib():.2f}",
            f"{t.mean():.2f} +- {error:.2f}",
            f"{t.std(ddof=1):.2f}",
            f"{np.mean(result.toys.starts_agreeing >= 2):.2f}",
        ]
    ]
    head = [
        "toys",
        "CPU s a toy",
        "wall s a toy",
        "compilation s",
        "compilations in ten more toys",
        "peak memory GiB",
        "mean t",
        "sd of t",
        "share of toys with two or more starts agreeing",
    ]
    return table(head, rows)


def _recompiled(test: NPLMTest, data: Sample) -> int:
    with measured() as cost:
        test.run(data, 10, seed=2)
    return cost.compilations
