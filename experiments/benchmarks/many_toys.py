"""100,000 toys: load, calibrate and plot, as `nplm toys show` does."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from nplm import HistogramModel, NPLMTest
from nplm.toys import Store, ToyTable
from nplm.wording.markdown import markdown_table
from toys.exponential import draw_data, draw_reference

TOYS = 100_000
BATCH = 250


def run() -> str:
    """Writes a store of toys whose t are drawn from a chi2, and times the command from outside."""
    rng = np.random.default_rng(1)
    campaign = NPLMTest(draw_reference(rng, 20_000), HistogramModel(bins=13, reference_exact=True)).campaign(
        draw_data(rng)
    )
    with tempfile.TemporaryDirectory() as folder:
        store = Store.create(Path(folder) / "store", campaign.plan(), range(TOYS), campaign.describe())
        began = time.perf_counter()
        for start in range(0, TOYS, BATCH):
            store.add(_toys(rng, start))
        written = time.perf_counter() - began
        began = time.perf_counter()
        command = [sys.executable, "-m", "nplm", "toys", "show", str(store.path), "-o", f"{folder}/shown"]
        subprocess.run(command, check=True, capture_output=True)
        shown = time.perf_counter() - began
        parts = len(list(store.path.glob("part-*")))
    head = ["toys", "parts", f"written in batches of {BATCH}: s", "load, calibrate and plot: s"]
    return markdown_table(head, [[f"{TOYS:,}", parts, f"{written:.1f}", f"{shown:.1f}"]])


def _toys(rng: np.random.Generator, start: int) -> ToyTable:
    return ToyTable(
        index=np.arange(start, start + BATCH),
        t=rng.chisquare(13, BATCH),
        total_weight=rng.poisson(2000, BATCH).astype(np.float64),
        converged=np.ones(BATCH, dtype=bool),
        starts_agreeing=np.ones(BATCH, dtype=np.int64),
        failure=np.full(BATCH, "", dtype=object),
        seconds=np.full(BATCH, 1.5),
    )
