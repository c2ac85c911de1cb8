"""How often a bump hunt finds the four signals of the toy, beside other ways to look for them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.experiment import Check
from experiments.family.kept import Kept, Row
from experiments.hunt.bump_hunter import bump_hunter, installed
from experiments.hunt.classifiers import Mixed
from experiments.hunt.ideal import ideal_power
from experiments.hunt.size import row_of, share
from nplm.hunt import bump_hunt
from nplm.hunt.classifier import KEEP, classifier_hunt
from nplm.wording.markdown import markdown_table
from toys.resonance import MASS, RESOLUTION, SIGNALS, draw_data

EVENTS = 20_000
WINDOW = (MASS - 2 * RESOLUTION, MASS + 2 * RESOLUTION)
# Each with what it must find at size .01, by the prototype of the same set-up.
EXPECTED = {"narrow": 0.75, "tail": 0.3, "shifted": 0.85, "like background": 0.5}


def powers(work: Path, config: dict[str, Any]) -> tuple[str, list[Check]]:
    """All signals, a few trials of each at a time."""
    kept = Kept(work / "power.jsonl")
    settings = config["power"]
    level, trials = settings["level"], settings["trials"]
    for start in range(0, trials, settings["at_a_time"]):
        for name in SIGNALS:
            for trial in range(start, min(start + settings["at_a_time"], trials)):
                kept.row(_label(name), trial, partial(_trial, name=name, settings=settings, number=trial))
    rows, checks = [], []
    scanned = min(settings["scanned"], trials)
    for name, signal in SIGNALS.items():
        made = [kept.row(_label(name), trial, _never) for trial in range(trials)]
        p = {test: [row.get(test) for row in made] for test in ("p", "spectrum", "classifier", "scan", "pyBumpHunter")}
        found = {test: sum(x is not None and x <= level for x in values) for test, values in p.items()}
        known = ", ".join(row["error"] for row in made if "error" in row)
        ideal, error = ideal_power(name, EVENTS, level, settings["ideal_toys"])
        none = sum(x is None for x in p["p"])
        hunter = share(found["pyBumpHunter"], trials) if all(x is not None for x in p["pyBumpHunter"]) else "-"
        rows.append(
            [
                f"{name}, {signal.expected:g} events",
                str(trials),
                share(found["p"], trials),
                share(found["spectrum"], trials),
                hunter,
                share(found["classifier"], trials),
                f"{share(found['scan'], scanned)} of {scanned}",
                f"{ideal:.3f} +- {error:.3f}",
                str(none),
                known or "none",
            ]
        )
        power = found["p"] / trials
        spread = float(np.sqrt(max(power * (1 - power), 1 / trials) / trials))
        what = f"power at {level:g}, {name}"
        checks.append(Check(what, power, spread, EXPECTED[name] - 3 * spread, 1, f"at least {EXPECTED[name]:g}"))
    head = ["signal", "trials", "bump_hunt", "its spectrum alone", "pyBumpHunter", "classifier, true window"]
    head += ["classifier, full scan", "ideal test", "without p", "exceptions"]
    text = (
        f"**Power** at global size {level:g}: signals at m = {MASS:g} on {EVENTS:,} events whose other four features do"
        " not change with m, each trial with fresh events, the same for all tests. The smooth background is known to"
        " nobody but pyBumpHunter, which is given the density that it was drawn from (48 bins of one resolution, widths"
        f" of 2 to 6), and the ideal test, which knows the signal as well ({settings['ideal_toys']} toys). The"
        f" classifier (least squares on squares, products and 250 kernels) is that of `classifier_hunt`, in the window"
        f" of {WINDOW[0]:g} to {WINDOW[1]:g} with {len(KEEP)} cuts; and, in the first {scanned} trials, in all windows"
        " of a scan, four resolutions wide and two apart.\n\n" + markdown_table(head, rows)
    )
    return text + ("" if installed() else "\n\npyBumpHunter is not installed."), checks


def _label(name: str) -> str:
    return f"power {name}"


def _never(rng: np.random.Generator) -> Row:
    raise RuntimeError("this trial should have been made before")


def _trial(rng: np.random.Generator, name: str, settings: dict[str, Any], number: int) -> Row:
    sample = draw_data(rng, EVENTS, signal=SIGNALS[name])
    seed = int(rng.integers(2**31))
    row = row_of(bump_hunt(sample, "m", RESOLUTION, seed=seed, draws=settings["draws"]))
    where: dict[str, Any] = {"classifier": {"signal_region": WINDOW}}
    if number < settings["scanned"]:
        where["scan"] = {"resolution": RESOLUTION}
    for test, looked_at in where.items():
        found = classifier_hunt(sample, "m", Mixed(), seed=seed, **looked_at)
        row[test] = None if np.isnan(found.log_p) else found.p_value
    if installed():
        row["pyBumpHunter"] = bump_hunter(sample["m"], EVENTS)
    return row
