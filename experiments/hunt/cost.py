"""CPU seconds of a bump hunt, before and for the draws."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from experiments.experiment import Check
from experiments.family.kept import Kept, Row
from nplm import Sample
from nplm.hunt import bump_hunt
from nplm.wording.markdown import markdown_table
from toys.resonance import RESOLUTION, draw_data

# Draws of the two hunts whose difference is the cost of draws, and the number that is the default.
_FEW, _MANY, _USUAL = 100, 2100, 500


def costs(work: Path, config: dict[str, Any]) -> tuple[str, list[Check]]:
    """One row for each number of events; times are told, and not checked."""
    kept = Kept(work / "cost.jsonl")
    settings = config["cost"]
    bump_hunt(draw_data(np.random.default_rng(1), 2000), "m", RESOLUTION, draws=_FEW)
    rows = []
    for events in settings["events"]:

        def make(rng: np.random.Generator, n: int = events) -> Row:
            return _timed(draw_data(rng, n))

        made = [kept.row(f"cost {events}", trial, make) for trial in range(settings["trials"])]
        before, draws = (float(np.median([row[part] for row in made])) for part in ("before", "draws"))
        windows = made[0]["windows"]
        rows.append([f"{events:,}", str(len(made)), str(windows), f"{before:.2f}", f"{draws:.2f}"])
    text = (
        f"**Cost**, in CPU seconds of one process, medians: all before draws, and {_USUAL} draws (from the difference"
        f" of {_MANY} and {_FEW}). Four features, a resolution of {RESOLUTION:g}.\n\n"
    )
    return text + markdown_table(["events", "hunts", "windows", "before draws", f"{_USUAL} draws"], rows), []


def _timed(sample: Sample) -> Row:
    few, windows = _seconds(sample, _FEW)
    many, _ = _seconds(sample, _MANY)
    each = max(0.0, many - few) / (_MANY - _FEW)
    return {"before": round(few - _FEW * each, 3), "draws": round(_USUAL * each, 3), "windows": windows}


def _seconds(sample: Sample, draws: int) -> tuple[float, int]:
    began = time.process_time()
    found = bump_hunt(sample, "m", RESOLUTION, draws=draws)
    return time.process_time() - began, len(found.windows)
