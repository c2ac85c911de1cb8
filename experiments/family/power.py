"""How often the family finds differences, beside other tests of the same samples at the same size."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiments.experiment import Check
from experiments.family.differences import DIFFERENCES
from experiments.family.kept import Kept, Row
from experiments.family.panel import panel
from nplm import FamilyTest
from nplm.wording.markdown import markdown_table

FAMILY = "family"
_NO_NUMBERS = ("cell", "trial", "seconds", "own_seconds", "error")


def powers(work: Path, config: dict[str, Any]) -> tuple[str, list[Check]]:
    """All differences, with the strengths of the settings."""
    kept = Kept(work / "power.jsonl")
    settings = config["power"]
    level, resamples = settings["level"], settings["permutations"]
    rows: list[tuple[str, str, dict[str, float], str]] = []
    checks, below, tests, failed = [], [], [FAMILY], 0
    for start in range(0, settings["trials"], settings["at_a_time"]):
        for name, strength in settings["strengths"].items():
            for trial in range(start, min(start + settings["at_a_time"], settings["trials"])):
                kept.row(_label(name, strength), trial, _making(name, strength, resamples))
    for name, strength in settings["strengths"].items():
        label, make = _label(name, strength), _making(name, strength, resamples)
        tried = [kept.row(label, trial, make) for trial in range(settings["trials"])]
        made = [row for row in tried if FAMILY in row]
        failed += len(tried) - len(made)
        found: dict[str, list[float]] = {}
        for row in made:
            for test in (key for key in row if key not in _NO_NUMBERS):
                found.setdefault(test, []).append(row[test])
        power = {test: float(np.mean(np.array(p) <= level)) for test, p in found.items()}
        tests += [test for test in power if test not in tests]
        others = {test: share for test, share in power.items() if test != FAMILY}
        best = max(others, key=lambda test: others[test])
        error = _error_of_difference(np.array(found[FAMILY]) <= level, np.array(found[best]) <= level)
        if power[FAMILY] < 0.9 * power[best]:
            below.append(f"{label}: {power[FAMILY]:.2f} against {power[best]:.2f} +- {error:.2f} of {best}")
        cost = np.mean([row["own_seconds"] for row in made])
        rows.append((label, str(len(made)), power, f"{cost:.2f}"))
        what = f"power less that of {best}, {label}"
        checks.append(Check(what, power[FAMILY] - power[best], error, -0.1 - 2 * error, 1, "at least -.1"))
    text = (
        f"**Power** at size {level:g}, shapes only, {resamples} permutations each, the same samples for all tests; the"
        " best is bold. A power of one half has an error of .5 / sqrt(trials).\n\n"
        + markdown_table(
            ["difference, strength", "trials", *tests, "CPU s of the family"],
            [[label, n, *_shown(power, tests), cost] for label, n, power, cost in rows],
        )
        + f"\n\nBelow 90% of the best other test: {'; '.join(below) or 'none'}. Trials that ended in an exception:"
        f" {failed}."
    )
    return text, checks


def _label(name: str, strength: float) -> str:
    return f"{name} {strength:g}"


def _making(name: str, strength: float, resamples: int) -> Callable[[np.random.Generator], Row]:
    return lambda rng: _trial(rng, name, strength, resamples)


def _trial(rng: np.random.Generator, name: str, strength: float, resamples: int) -> Row:
    a, b = DIFFERENCES[name](rng, strength)
    began = time.process_time()
    p = FamilyTest(a, b).run(resamples=resamples).p_value
    spent = round(time.process_time() - began, 3)
    return {FAMILY: p, **panel(a, b, resamples, rng), "own_seconds": spent}


def _error_of_difference(first: np.ndarray, second: np.ndarray) -> float:
    """Of the difference of two shares of the same trials."""
    return float(np.std(first.astype(float) - second) / np.sqrt(len(first)))


def _shown(power: dict[str, float], tests: list[str]) -> list[str]:
    best = max(power.values())
    words = [f"{power[test]:.2f}" if test in power else "-" for test in tests]
    return [f"**{word}**" if power.get(test) == best else word for word, test in zip(words, tests, strict=True)]
