"""Toys of the 1-4-1 network a second: one worker against two, each bound to one core."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from nplm import NetworkModel, NPLMTest
from nplm.toys import Campaign, DaskWorkers, LocalProcesses
from nplm.toys.engines.base import Engine
from nplm.toys.table import ToyTable
from nplm.wording.markdown import markdown_table
from toys.exponential import draw_data, draw_reference

TOYS = 40


def run() -> str:
    """A row for each engine; the rate is that of the toys after the first of each worker, which compiles."""
    rng = np.random.default_rng(1)
    test = NPLMTest(draw_reference(rng, 20_000), NetworkModel(reference_exact=True), coordinates="raw")
    campaign = test.campaign(draw_data(rng), seed=1)
    rows, rates, one = [], {}, None
    engines: list[tuple[str, int, Engine]] = [
        (name, workers, engine(workers=workers))
        for name, engine in (("local processes", LocalProcesses), ("Dask workers", DaskWorkers))
        for workers in (1, 2)
    ]
    for name, workers, engine in engines:
        began = time.perf_counter()
        finished, toys = zip(*_timed(engine, campaign), strict=True)
        rates[name, workers] = rate = (TOYS - workers) / (finished[-1] - finished[workers - 1])
        everything = ToyTable.concatenate(toys)
        one = everything if one is None else one
        rows.append(
            [
                name,
                workers,
                TOYS,
                f"{rate:.2f}",
                f"{rate / rates[name, 1]:.2f}",
                f"{finished[-1] - began:.0f}",
                f"{np.abs(everything.t - one.t).max():.1e}",
            ]
        )
    head = [
        "engine",
        "workers",
        "toys",
        "toys a second",
        "times one worker",
        "s in all, start included",
        "largest difference of t",
    ]
    return markdown_table(head, rows)


def _timed(engine: Engine, campaign: Campaign) -> Iterator[tuple[float, ToyTable]]:
    """The toys one by one, each with the time at which it was there."""
    for toys in engine.run(campaign, [[i] for i in range(TOYS)]):
        yield time.perf_counter(), toys
