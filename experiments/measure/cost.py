"""Seconds: many nuisances and several parameters profiled."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments.experiment import Check
from nplm.data.sample import Sample
from nplm.measure import Measurement, Parameters
from nplm.nuisance import GaussianConstraint, Nuisances, SeparableLogRatio
from nplm.wording.markdown import markdown_table


def costs(work: Path, config: Mapping[str, Any]) -> tuple[str, list[Check]]:
    """The time of a fit with many nuisances, and of intervals of all parameters with all others profiled."""
    del work
    settings = config["cost"]
    k, n = settings["parameters"], settings["nuisances"]
    rng = np.random.default_rng(1)
    size, total = settings["reference"], settings["yield"]
    waves = rng.normal(size=(2, k + n))

    def ratio(names: list[str], first: int, unit: float) -> SeparableLogRatio:
        def columns(x: np.ndarray) -> np.ndarray:
            return np.column_stack([unit * np.tanh(x @ waves[:, first + i]) for i in range(len(names))])

        return SeparableLogRatio(names, lambda nu: jnp.concatenate([jnp.zeros(1), nu]), columns)

    names = [f"theta{i}" for i in range(k)]
    systematics = [f"nu{i}" for i in range(n)]
    reference = Sample(rng.normal(size=(size, 2)), np.full(size, total / size), name="reference")
    data = Sample(rng.normal(size=(rng.poisson(total), 2)), name="data")
    nuisances = Nuisances(ratio(systematics, k, 0.02), GaussianConstraint(systematics, 1.0))
    marks = [time.perf_counter()]
    before = time.process_time()
    measurement = Measurement(reference, Parameters(ratio(names, 0, 1.0)), nuisances)
    marks.append(time.perf_counter())
    measurement.fit(data)
    marks.append(time.perf_counter())
    result = measurement.run(data, goodness_of_fit=False, contours=[])
    marks.append(time.perf_counter())
    prepared, fitted, profiled = np.diff(marks)
    rows = [
        ["preparation, with compilation", f"{prepared:.1f}"],
        ["first fit, with compilation", f"{fitted:.1f}"],
        [f"fit, and intervals of {k} parameters at two levels ({4 * k} crossings)", f"{profiled:.1f}"],
        ["CPU seconds of all", f"{time.process_time() - before:.1f}"],
    ]
    text = (
        f"**Cost**: {k} parameters of interest and {n} nuisances, {size:,} reference and {len(data):,} data events.\n\n"
        + markdown_table(["what", "seconds"], rows)
    )
    pull = np.abs(result.values[:k] / result.errors[:k]).max()
    what = "largest pull of a parameter whose truth is 0"
    return text, [Check(what, float(pull), 0.0, 0.0, 4.0, "a few standard deviations")]
