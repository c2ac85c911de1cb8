"""Set-up A of the other experiments: which Z the family gives a peak in the bulk, and one in the tail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from experiments.experiment import Check
from experiments.family.kept import Kept, Row
from nplm import FamilyTest, Sample
from nplm.wording.markdown import markdown_table

EVENTS, REFERENCE = 2000, 200_000
# Expected events, place, and the median Z of pyBumpHunter: 60 bins on [0, 10], widths of 2 to 6 bins, 100,000 toys.
SIGNALS = {"bulk": (90, 1.6, 4.1), "tail": (10, 6.4, 3.5)}
_DEVIATION = 0.16


def bumps(work: Path, config: dict[str, Any]) -> tuple[str, list[Check]]:
    """Both signals."""
    kept = Kept(work / "bumps.jsonl")
    settings = config["bumps"]
    rows, checks = [], []
    for name, (events, place, other) in SIGNALS.items():

        def make(rng: np.random.Generator, n: float = events, x: float = place) -> Row:
            return _trial(rng, n, x, settings["resamples"])

        made = [kept.row(name, trial, make) for trial in range(settings["trials"])]
        z = {which: np.asarray(norm.isf([row[which] for row in made])) for which in ("p", "shape")}
        medians = {which: float(np.median(values)) for which, values in z.items()}
        # Of a median of a normal distribution.
        error = {which: 1.25 * float(np.std(values)) / np.sqrt(len(values)) for which, values in z.items()}
        rows.append(
            [name, str(len(made))]
            + [f"{medians[which]:.2f} +- {error[which]:.2f}" for which in ("p", "shape")]
            + [f"{other:g}", f"{np.mean([row['seconds'] for row in made]):.2f}"]
        )
        low = other - 2 * error["p"] - 0.3
        checks.append(
            Check(f"median Z, set-up A, {name}", medians["p"], error["p"], low, 9, f"{other:g} (pyBumpHunter)")
        )
    text = (
        f"**Set-up A**: {REFERENCE:,} events of Exp(1) for {EVENTS:,} that are expected, a fresh reference for each set"
        " of data; median Z of shape and yield together and of the shape alone, beside that of pyBumpHunter on sets"
        " of the same distribution.\n\n"
    )
    head = ["signal", "sets", "median Z", "of the shape alone", "pyBumpHunter", "CPU s"]
    return text + markdown_table(head, rows), checks


def _trial(rng: np.random.Generator, events: float, place: float, resamples: int) -> Row:
    reference = Sample(rng.exponential(size=REFERENCE), np.full(REFERENCE, EVENTS / REFERENCE))
    signal = rng.normal(place, _DEVIATION, rng.poisson(events))
    data = Sample(np.concatenate([rng.exponential(size=rng.poisson(EVENTS)), signal]))
    result = FamilyTest(reference, data, expected_ratio=1.0, exact_yield=True).run(resamples=resamples)
    assert result.shape is not None
    return {"p": result.p_value, "shape": result.shape.p_value, "kind": result.shape.kind}
