"""Null toys of the 1-4-1 network on set-up A for two sizes of the reference, and of 5-5-5-5-1 on dimuons."""

from __future__ import annotations

import numpy as np

from experiments.benchmarks.measure import Cost, measured, peak_memory_gib
from nplm import NetworkModel, NPLMTest, Sample
from nplm.wording.markdown import markdown_table
from toys import exponential
from toys.dimuon import DIMUON

SMALL, LARGE, DIMUONS = 20_000, 200_000, 100_000
TOYS = {SMALL: 20, LARGE: 40, DIMUONS: 3}

_HEAD = [
    "network",
    "reference events",
    "toys",
    "CPU s a toy",
    "wall s a toy",
    "compilation s",
    "compilations in more toys",
    "peak memory GiB",
    "mean t",
    "sd of t",
    "share of toys with two or more starts agreeing",
]


def run() -> str:
    """A row for each campaign, after a first fit that compiles."""
    rng = np.random.default_rng(1)
    rows = []
    for size in (SMALL, LARGE):
        test = NPLMTest(exponential.draw_reference(rng, size), NetworkModel(reference_exact=True), coordinates="raw")
        rows.append(_campaign("1-4-1", test, exponential.draw_data(rng)))
    test = NPLMTest(
        DIMUON.draw_reference(rng, DIMUONS), NetworkModel(hidden=(5, 5, 5), clip=2.15, reference_exact=True)
    )
    rows.append(_campaign("5-5-5-5-1", test, DIMUON.draw_data(rng)))
    return markdown_table(_HEAD, rows)


def _campaign(network: str, test: NPLMTest, data: Sample) -> list[object]:
    toys = TOYS[len(test.reference)]
    with measured() as first:
        test.statistic(data)
    with measured() as cost:
        result = test.run(data, toys, seed=1)
    t = result.toys.t
    error = t.std(ddof=1) / np.sqrt(toys)
    return [
        network,
        f"{len(test.reference):,}",
        toys,
        f"{cost.cpu / (toys + 1):.2f}",
        f"{cost.wall / (toys + 1):.2f}",
        f"{first.compile_seconds:.1f}",
        _more(test, data, max(2, toys // 10)).compilations,
        f"{peak_memory_gib():.2f}",
        f"{t.mean():.2f} +- {error:.2f}",
        f"{t.std(ddof=1):.2f}",
        f"{np.mean(result.toys.starts_agreeing >= 2):.2f}",
    ]


def _more(test: NPLMTest, data: Sample, toys: int) -> Cost:
    with measured() as cost:
        test.run(data, toys, seed=2)
    return cost
