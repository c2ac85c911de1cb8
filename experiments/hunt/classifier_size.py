"""How often a hunt with a classifier finds something where nothing is localized, by what the classifier is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from experiments.experiment import Check
from experiments.family.kept import Kept, Row
from experiments.hunt.classifiers import Mixed
from experiments.hunt.power import WINDOW
from experiments.hunt.samples import Background
from experiments.hunt.size import LEVELLED, LEVELS, share, size_check
from nplm.hunt.classifier import KEEP, Inputs, classifier_hunt
from nplm.wording.markdown import markdown_table

# Features change with m in a way that no mean and width take out: this must be told apart, or fire.
_CONTROL = "strong"


def classifier_sizes(work: Path, config: dict[str, Any]) -> tuple[str, list[Check]]:
    """Each cut by itself, and all with one p-value, in one window."""
    kept = Kept(work / "classifier.jsonl")
    settings = config["classifier"]
    cells: list[tuple[Background, Inputs]] = [
        (Background(dependence, settings["events"]), inputs)
        for dependence in settings["dependences"]
        for inputs in settings["inputs"]
    ]
    for start in range(0, settings["trials"], settings["at_a_time"]):
        for background, inputs in cells:
            for trial in range(start, min(start + settings["at_a_time"], settings["trials"])):
                kept.row(_label(background, inputs), trial, _making(background, inputs))
    rows, checks = [], []
    for background, inputs in cells:
        label = _label(background, inputs)
        made = [kept.row(label, trial, _making(background, inputs)) for trial in range(settings["trials"])]
        good = [row for row in made if row.get("p") is not None]
        p = np.array([row["p"] for row in good])
        cuts = [np.array([row["cuts"][name] for row in good if name in row["cuts"]]) for name in _names()]
        rows.append(
            [background.dependence, inputs, str(len(made)), str(len(made) - len(good))]
            + [share(int((p <= level).sum()), len(p), level) for level in LEVELS]
            + [share(int((cut <= 0.01).sum()), len(cut), 0.01) for cut in cuts]
        )
        if background.dependence != _CONTROL:
            checks += [
                size_check(f"size at {level:g}, {label}", int((p <= level).sum()), len(p), level)
                for level in LEVELS[:2]
            ]
    head = ["dependence", "inputs", "trials", "no p", *LEVELLED, *(f"cut {name}, p <= .01" for name in _names())]
    text = (
        f"**Size of `classifier_hunt`** in the window {WINDOW[0]:g} to {WINDOW[1]:g} of {settings['events']:,} events"
        f" with four features and {len(KEEP)} cuts (Bonferroni), then of each cut by itself, with the binomial error of"
        " a size that is as stated. Strong dependence has correlations that change with m, which no mean and width"
        " take out.\n\n"
    )
    return text + markdown_table(head, rows), checks


def _names() -> list[str]:
    return [f"{100 * keep:g}%" for keep in KEEP]


def _label(background: Background, inputs: str) -> str:
    return f"classifier, {background.dependence}, {background.events}, {inputs}"


def _making(background: Background, inputs: Inputs) -> Any:
    def make(rng: np.random.Generator) -> Row:
        sample = background.draw(rng)
        seed = int(rng.integers(2**31))
        found = classifier_hunt(sample, "m", Mixed(), signal_region=WINDOW, inputs=inputs, seed=seed)
        cuts = {f"{100 * cut.keep:g}%": float(np.exp(cut.log_p)) for cut in found.cuts}
        return {"p": None if np.isnan(found.log_p) else found.p_value, "cuts": cuts}

    return make
