"""Null and signal toys of set-up A, fitted at each width and kept in stores; toy i is the same data at all widths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float64

from nplm import KernelModel, NPLMTest
from nplm.stats import WeightedChi2Null
from nplm.toys import Campaign, GeneratorSampler, run_campaign
from nplm.toys.problem import ProblemData, ProblemReference
from nplm.toys.samplers import generator
from nplm.toys.table import ToyTable
from toys.exponential import SIGNALS

PROBLEM, EXPECTED = "toys.exponential", 2000.0
# Seeds of the toys of each kind; the reference and its centres have seed 1.
_SEEDS = {"null": 201, **{name: seed for seed, name in enumerate(SIGNALS, start=202)}}


@dataclass(frozen=True)
class AtWidth:
    """The toys of one width.

    Arguments:
        test: the test.
        width: of its kernels.
        asymptotic: the asymptotic null for data that are not drawn from the reference.
        null: t of the null toys, shape (n,); NaN where a fit failed.
        signals: t of the toys of each signal by name.
    """

    test: NPLMTest
    width: float
    asymptotic: WeightedChi2Null
    null: Float64[np.ndarray, " n"]
    signals: Mapping[str, Float64[np.ndarray, " m"]]


def run_toys(work: Path, config: dict[str, Any]) -> list[AtWidth]:
    """Runs what is missing in the stores below a folder, and reads the rest."""
    reference = ProblemReference(PROBLEM, config["n_reference"], EXPECTED)(generator(jax.random.key(1)))
    found = []
    for width, number in config["null_toys"].items():
        settings = {name: config[name] for name in ("centers", "penalty")}
        test = NPLMTest(
            reference, KernelModel(width=width, seed=1, reference_exact=True, **settings), coordinates="raw"
        )
        numbers = {"null": number, **dict.fromkeys(SIGNALS, config["signal_toys"])}
        tables = {name: _run(test, name, toys, work / f"width-{width:g}" / name) for name, toys in numbers.items()}
        asymptotic = test.asymptotic_null()
        assert isinstance(asymptotic, WeightedChi2Null)
        t = {name: np.where(table.converged, table.t, np.nan) for name, table in tables.items()}
        found.append(AtWidth(test, width, asymptotic, t.pop("null"), t))
    return found


def _run(test: NPLMTest, name: str, toys: int, folder: Path) -> ToyTable:
    draw = ProblemData(PROBLEM, EXPECTED, None if name == "null" else name)
    campaign = Campaign(test, GeneratorSampler(draw, draw.describe()), _SEEDS[name])
    print(f"{folder}: {toys} toys", flush=True)
    table = run_campaign(campaign, toys, store=folder)
    return table.select(table.index < toys)
