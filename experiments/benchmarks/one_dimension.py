"""The 1-4-1 network on set-up A with 20,000 reference events, features as they are: search against Adam."""

from __future__ import annotations

import numpy as np

from experiments.benchmarks.measure import measured
from nplm import NetworkModel, NPLMTest, Sample
from nplm.optimize import Adam
from nplm.wording.markdown import markdown_table

# Seeds of the two arrays; t that Adam reached on them in an older code, its CPU seconds, and the best t known.
PROBLEMS = {0: (7.337, 87.5, 11.598), 1: (6.177, 85.6, 8.884)}
EPOCHS = 300_000


def problem(seed: int, n_reference: int = 20_000) -> tuple[np.ndarray, Sample]:
    """Reference events and data of set-up A, by the recipe with which the published arrays were made."""
    rng = np.random.default_rng([seed, n_reference])
    data = rng.exponential(size=(rng.poisson(2000), 1))
    return rng.exponential(size=(n_reference, 1)), Sample(data)


def run() -> str:
    """A row for each array and optimizer."""
    rows = []
    for seed, (older_t, older_cpu, best) in PROBLEMS.items():
        reference, data = problem(seed)
        for name, optimizer in (("search", None), (f"Adam, {EPOCHS} epochs", Adam(EPOCHS))):
            test = NPLMTest(
                reference,
                NetworkModel(optimizer=optimizer, reference_exact=True),
                expected_yield=2000,
                coordinates="raw",
            )
            with measured() as first:
                if optimizer is None:
                    test.statistic(data)
            with measured() as cost:
                fits = test.fit([data])
            agreeing = f"{fits.starts_agreeing[0]} of {fits.starts}" if optimizer is None else ""
            compiling = f"{first.compile_seconds or cost.compile_seconds:.1f}"
            cpu = cost.cpu - cost.compile_seconds
            rows.append([seed, name, f"{fits.t[0]:.3f}", f"{cpu:.2f}", f"{older_cpu / cpu:.1f}", compiling, agreeing])
        rows.append([seed, "Adam of an older code", f"{older_t:.3f}", f"{older_cpu:.2f}", "1", "", ""])
        rows.append([seed, "best known", f"{best:.3f}", "", "", "", ""])
    head = ["array", "optimizer", "t", "CPU s", "times faster than the older code", "compilation s", "starts agreeing"]
    return markdown_table(head, rows)
