"""Goodness of fit after a fit: size with 0, 1, 3 and 5 fitted parameters, and power beside other tests."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom

from experiments.experiment import Check
from experiments.measure.problem import data, draw, fitted
from experiments.measure.tests import chi2_p, energy, energy_null, ours, without_intervals
from nplm.stats.intervals import clopper_pearson
from nplm.wording.markdown import markdown_table

Trial = Callable[[int], Mapping[str, Any]]


def trials(file: Path, count: int, one: Trial) -> list[dict[str, Any]]:
    """Runs trials that are not kept in a file from a run before, one after the other."""
    found = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []
    with file.open("a", encoding="utf-8") as out:
        for number in range(len(found), count):
            found.append(dict(one(number)))
            out.write(json.dumps(found[-1]) + "\n")
            out.flush()
    return found[:count]


def sizes(work: Path, config: Mapping[str, Any]) -> tuple[str, list[Check]]:
    """How often a model that is right is rejected."""
    settings, rows, checks = config["size"], [], []
    n, m = config["events"], config["sample"]
    for free, projected, count in settings["cells"]:

        def one(number: int, free: int = free, projected: bool = projected) -> Mapping[str, Any]:
            rng = np.random.default_rng([7, free, number])
            x = data(rng, n, "nothing", 0.0)
            theta = fitted(x, free)
            began = time.process_time()
            p = ours(x, theta, free, draw(rng, m, theta), projected=projected)
            return {"p": p, "seconds": time.process_time() - began}

        found = trials(work / f"size-{free}-{projected}.jsonl", count, one)
        p = np.array([each["p"] for each in found])
        row = [f"{free} fitted" + ("" if projected else ", taken as known"), str(len(p))]
        for level in (0.05, 0.01):
            fired = int((p <= level).sum())
            low, high = clopper_pearson(fired, len(p))
            row.append(f"{fired / len(p):.3f} ({low:.3f} to {high:.3f})")
            if projected:
                checks.append(
                    Check(
                        f"size at {level:g}, {free} fitted",
                        fired / len(p),
                        (high - low) / 2,
                        *_around(level, len(p)),
                        f"{level:g}",
                    )
                )
            elif level == 0.05:
                checks.append(
                    Check(
                        f"size at .05, {free} taken as known",
                        fired / len(p),
                        (high - low) / 2,
                        0.0,
                        0.04,
                        "conservative",
                    )
                )
        row += [f"{p.mean():.3f}", f"{np.mean([each['seconds'] for each in found]):.1f}"]
        rows.append(row)
    head = ["parameters", "trials", "fires at .05", "fires at .01", "mean p", "CPU s"]
    text = (
        f"**Size**: {n} events of three features against {m} drawn from the fit, a fresh sample in each trial;"
        " 199 samples without a difference.\n\n" + markdown_table(head, rows)
    )
    return text, checks


def _around(level: float, count: int) -> tuple[float, float]:
    """Between which shares 99.7% of so many trials lie."""
    return float(binom.ppf(0.0015, count, level) / count), float(binom.ppf(0.9985, count, level) / count)


def powers(work: Path, config: Mapping[str, Any]) -> tuple[str, list[Check]]:
    """What is found of what a model with five fitted parameters lacks, by four tests of the same events."""
    settings, rows, checks = config["power"], [], []
    n, m, free, toys = config["events"], config["sample"], 5, settings["toys"]
    kept = work / "energy.json"
    if not kept.exists():
        values, seconds = energy_null(n, m, free, toys, 3)
        kept.write_text(json.dumps({"values": values.tolist(), "seconds": seconds}), encoding="utf-8")
    of_energy = json.loads(kept.read_text(encoding="utf-8"))
    null = np.array(of_energy["values"])
    for lacking, strength in settings["lacking"]:

        def one(number: int, lacking: str = lacking, strength: float = strength) -> Mapping[str, Any]:
            rng = np.random.default_rng([11, number, int(1000 * strength)])
            x = data(rng, n, lacking, strength)
            theta = fitted(x, free)
            model = draw(rng, m, theta)
            marks = [time.process_time()]
            found = {"ours": ours(x, theta, free, model)}
            marks.append(time.process_time())
            found["without"] = without_intervals(x, theta, free, model)
            marks.append(time.process_time())
            found["energy"] = float((1 + (null >= energy(x, model)).sum()) / (1 + len(null)))
            marks.append(time.process_time())
            found["chi2"] = chi2_p(x, theta, free, model)
            marks.append(time.process_time())
            return {**found, "seconds": np.diff(marks).tolist()}

        found = trials(work / f"power-{lacking}-{strength:g}.jsonl", settings["trials"], one)
        row = [f"{lacking} {strength:g}" if strength else lacking, str(len(found))]
        shares = {}
        for name in ("ours", "without", "energy", "chi2"):
            p = np.array([each[name] for each in found])
            shares[name] = float((p <= settings["level"]).mean())
            row.append(f"{shares[name]:.2f}")
        own = np.mean([each["seconds"] for each in found], axis=0)
        row += [f"{own[0]:.1f}", f"{own[1]:.1f}", f"{own[2] + toys * of_energy['seconds']:.1f}", f"{own[3]:.3f}"]
        rows.append(row)
        if lacking == "nothing":
            low, high = _around(settings["level"], len(found))
            checks.append(Check("size beside other tests", shares["ours"], 0.0, low, high, f"{settings['level']:g}"))
            continue
        best = max(shares["energy"], shares["chi2"])
        error = np.sqrt(0.25 / len(found))
        checks.append(
            Check(
                f"power, {lacking} {strength:g}",
                shares["ours"],
                error,
                best - 3 * error,
                1.0,
                f"{best:.2f}, the best other test",
            )
        )
    head = [
        "lacking",
        "trials",
        "ours",
        "without intervals",
        "energy test",
        "chi2",
        "ours, CPU s",
        "without intervals, CPU s",
        f"energy test with {toys} toys, CPU s",
        "chi2, CPU s",
    ]
    text = (
        f"**Power** at level {settings['level']:g} with five fitted parameters, {n} events: a component (share of them"
        " in a peak in all features), a peak (share of them, in the first feature alone), a resolution (of the third"
        " feature, by how much it is wider), a correlation (of features whose correlation is not fitted). The same"
        " tests without intervals see the same events. The energy test has"
        f" {toys} toys of the model, each with a fit; chi2 has 64 bins of equal probability.\n\n"
        + markdown_table(head, rows)
    )
    return text, checks
