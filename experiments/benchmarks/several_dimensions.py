"""Networks of five inputs on correlated Gaussians, 100,000 reference and 20,000 data events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from experiments.benchmarks.measure import measured
from nplm import NetworkModel, NPLMTest, Sample
from nplm.models import BoxSearch
from nplm.models.network.mlp import Layout
from nplm.optimize import Adam
from nplm.wording.markdown import markdown_table

EPOCHS = 20_000
NETWORKS = (((4,), 9.0), ((5, 5, 5), 2.15))
SEEDS = (1, 3)


def problem(seed: int) -> tuple[np.ndarray, Sample]:
    """Reference events and null data: unit Gaussians, each pair with correlation 0.4."""
    rng = np.random.default_rng([seed, 5])
    root = np.linalg.cholesky(0.4 + 0.6 * np.eye(5))
    reference = rng.normal(size=(100_000, 5)) @ root.T
    return reference, Sample(rng.normal(size=(rng.poisson(20_000), 5)) @ root.T)


def run() -> str:
    """A row for each network, data set and optimizer."""
    rows = []
    for hidden, clip in NETWORKS:
        default = BoxSearch.default(Layout((5, *hidden, 1)))
        one_start = replace(default, search=replace(default.search, starts=1))
        optimizers = (("search", default), ("search, one start", one_start), (f"Adam, {EPOCHS} epochs", Adam(EPOCHS)))
        for seed in SEEDS:
            reference, data = problem(seed)
            for name, optimizer in optimizers:
                model = NetworkModel(hidden=hidden, clip=clip, optimizer=optimizer, reference_exact=True)
                test = NPLMTest(reference, model, expected_yield=20_000)
                compiling = NPLMTest(
                    reference, replace(model, optimizer=optimizer.shortened(EPOCHS)), expected_yield=20_000
                )
                compiling.statistic(data)
                with measured() as cost:
                    fits = test.fit([data])
                shape = "-".join(str(n) for n in (5, *hidden, 1))
                agreeing = f"{fits.starts_agreeing[0]} of {fits.starts}, spread {fits.start_spread[0]:.1f}"
                cpu = f"{cost.cpu - cost.compile_seconds:.1f}"
                rows.append([shape, clip, seed, name, f"{fits.t[0]:.2f}", cpu, agreeing])
    return markdown_table(["network", "clip", "data", "optimizer", "t", "CPU s", "starts agreeing"], rows)
