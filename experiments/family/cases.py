"""Single set-ups that users met: a narrow component of one feature of six, a peak, and correlations of all pairs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm

from experiments.experiment import Check
from experiments.family.kept import Kept, Row
from nplm import FamilyTest, Sample, TwoSampleTest
from nplm.wording.markdown import markdown_table

_NAMES = ("pt", "eta", "mass", "phi", "met", "iso")


def cases(work: Path, config: dict[str, Any]) -> tuple[str, list[Check]]:
    """All of them."""
    kept = Kept(work / "cases.jsonl")
    settings = config["cases"]
    small = [kept.row("six features, 4000 + 4000 events", trial, _six) for trial in range(settings["six"])]
    large = [kept.row("six features, 80,000 + 4000 events", trial, _six_large) for trial in range(settings["six"])]
    peak = [kept.row("peak of 50 on 950 events", trial, _peak) for trial in range(settings["peak"])]
    label = "correlation .57 against .5"
    pairs = [kept.row(label, trial, _correlated) for trial in range(settings["correlation"])]
    found = [row["p"] <= 0.05 for row in pairs]
    share, error = float(np.mean(found)), float(np.std(found)) / np.sqrt(len(found))
    rows = [
        ["six features, 4000 + 4000 events, shape", str(len(small)), _z(small), _z(small, "old"), _cost(small)],
        ["six features, 80,000 against 4000 events", str(len(large)), _z(large), "", _cost(large)],
        ["peak of 50 events and width .1 at 1.94 on 950", str(len(peak)), _z(peak), "", _cost(peak)],
    ]
    text = (
        "**Cases**: median Z of the family, and of kernels of all features (`TwoSampleTest`), on the same samples. Of"
        " six features one has a component of 30% at 3 +- .3 that is 1.5 times wider in one sample.\n\n"
        + markdown_table(["case", "trials", "median Z", "of kernels of all features", "CPU s"], rows)
        + f"\n\nThe leading test is of the right feature in {sum(row['right'] for row in small + large)} of"
        f" {len(small) + len(large)} trials of six features. The family takes"
        f" {np.median([row['own'] / row['other'] for row in small]):.2f} times the CPU time of kernels of all features."
        f" A correlation of .57 against .5 in all pairs of three features, 2500 + 2500 events, is found in"
        f" {share:.3f} +- {error:.3f} of {len(pairs)} trials at size .05."
    )
    checks = [
        Check("median Z, six features, 4000 + 4000", _median(small), 0, 8, 40, "at least 8"),
        Check("correlation .57 found, at .05", share, error, 0.935 - 3 * error - 0.012, 1, ".935 (kernels of all)"),
    ]
    return text, checks


def _six_events(rng: np.random.Generator, n: int, width: float) -> Sample:
    events = rng.normal(size=(n, 6))
    narrow = rng.random(n) < 0.3
    events[narrow, 2] = 3 + width * rng.normal(size=narrow.sum())
    return Sample(events, features=_NAMES)


def _six(rng: np.random.Generator) -> Row:
    a, b = _six_events(rng, 4000, 0.3), _six_events(rng, 4000, 0.45)
    began = time.process_time()
    other = TwoSampleTest(a, b).run()
    between = time.process_time()
    result = FamilyTest(a, b).run()
    right = result.leading_features == ("mass",)
    own = time.process_time() - between
    return {"z": result.z, "old": other.z, "right": right, "own": own, "other": between - began}


def _six_large(rng: np.random.Generator) -> Row:
    a = _six_events(rng, 80_000, 0.3)
    reference = Sample(a.events, np.full(80_000, 0.05), _NAMES)
    result = FamilyTest(reference, _six_events(rng, 4000, 0.45), expected_ratio=1.0).run()
    return {"z": result.z, "right": result.leading_features == ("mass",)}


def _peak(rng: np.random.Generator) -> Row:
    reference = Sample(rng.exponential(size=(20_000, 1)), np.full(20_000, 950 / 20_000))
    data = np.concatenate([rng.exponential(size=(950, 1)), rng.normal(1.94, 0.1, (50, 1))])
    return {"z": FamilyTest(reference, data, expected_ratio=1.0, exact_yield=True).run().z}


def _correlated(rng: np.random.Generator) -> Row:
    a, b = (
        rng.multivariate_normal(np.zeros(3), np.full((3, 3), rho) + (1 - rho) * np.eye(3), 2500) for rho in (0.5, 0.57)
    )
    p = FamilyTest(a, b).run(resamples=199).p_value
    return {"p": p, "z": float(norm.isf(p))}


def _median(rows: list[Row], name: str = "z") -> float:
    return float(np.median([row[name] for row in rows]))


def _z(rows: list[Row], name: str = "z") -> str:
    return f"{_median(rows, name):.2f}"


def _cost(rows: list[Row]) -> str:
    return f"{_median(rows, 'seconds'):.2f}"
