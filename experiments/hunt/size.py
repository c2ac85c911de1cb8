"""How often a bump hunt finds something where nothing is localized."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom, kstest

from experiments.experiment import Check
from experiments.family.kept import Kept, Row
from experiments.hunt.samples import Background
from nplm import Sample
from nplm.hunt import HuntResult, bump_hunt
from nplm.wording.markdown import markdown_table
from toys.resonance import RESOLUTION, draw_data

LEVELS = (0.05, 0.01, 0.001)
# Three standard deviations on either side.
CHANCE = 0.0027
OF, LEVELLED = ["dependence", "events", "features", "spectrum", "weights"], ["p <= .05", "p <= .01", "p <= .001"]


def sizes(work: Path, config: dict[str, Any]) -> tuple[str, list[Check]]:
    """All trials of all cells, a few of each cell at a time, and the two controls."""
    kept = Kept(work / "size.jsonl")
    settings = config["size"]
    cells = [(Background(**cell["of"]), cell["trials"]) for cell in settings["cells"]]
    for start in range(0, max(trials for _, trials in cells), settings["at_a_time"]):
        for background, trials in cells:
            for trial in range(start, min(start + settings["at_a_time"], trials)):
                kept.row(_label(background), trial, lambda rng, b=background: _trial(rng, b, settings["draws"]))  # type: ignore[misc]
    text, checks = _report(kept, cells)
    for part in (_without_trend, _permuted):
        words, found = part(kept, settings)
        text += f"\n\n{words}"
        checks += found
    return text, checks


def _label(background: Background) -> str:
    return ", ".join(background.words)


def _trial(rng: np.random.Generator, background: Background, draws: int) -> Row:
    return row_of(bump_hunt(background.draw(rng), "m", RESOLUTION, seed=int(rng.integers(2**31)), draws=draws))


def row_of(result: HuntResult) -> Row:
    """What is kept of a hunt; a p-value that there is not is None."""
    return {
        "p": _number(result.log_p),
        "features": _number(result.in_features.log_p),
        "spectrum": _number(result.in_spectrum.log_p),
        "degree": result.trend.degree,
        "smooth": bool(result.spectrum.enough),
        "windows": len(result.windows),
        "dropped": len(result.dropped),
        "stages": {stage: round(seconds, 3) for stage, seconds in result.seconds.items()},
    }


def _number(log_p: float) -> float | None:
    return None if np.isnan(log_p) else float(np.exp(log_p))


def _report(kept: Kept, cells: list[tuple[Background, int]]) -> tuple[str, list[Check]]:
    rows, checks, failed = [], [], []
    for background, trials in cells:
        label = _label(background)
        made = [kept.row(label, trial, _never) for trial in range(trials)]
        failed += [f"{label}: {row['error']}" for row in made if "error" in row]
        made = [row for row in made if "error" not in row]
        p = np.array([row["p"] for row in made if row["p"] is not None])
        refused = len(made) - len(p)
        parts = [np.array([row[part] for row in made if row[part] is not None]) for part in ("features", "spectrum")]
        degrees = [row["degree"] for row in made if row["features"] is not None]
        rows.append(
            [*background.words, str(len(made)), share(refused, len(made))]
            + [share(int((p <= level).sum()), len(p), level) for level in LEVELS]
            + [f"{p.min():.2g}" if len(p) else "-"]
            + [share(int((part <= 0.05).sum()), len(part), 0.05) for part in parts]
            + [f"{np.mean(degrees):.1f}" if degrees else "-", f"{np.mean([row['seconds'] for row in made]):.2f}"]
        )
        for level in LEVELS[:2] if len(p) else ():
            checks.append(size_check(f"size at {level:g}, {label}", int((p <= level).sum()), len(p), level))
    head = [*OF, "trials", "no p", *LEVELLED, "least p", "features .05", "spectrum .05", "mean degree", "CPU s"]
    text = (
        "**Size.** Share of trials, each with fresh events of a background without a signal, in which the global p of"
        " `bump_hunt` is at most .05, .01 and .001, with the binomial error of a size that is as stated; trials that"
        " were refused, as no polynomial describes the background, have no p, and are not among these. Then the two"
        " parts of p, each by itself.\n\n"
        + markdown_table(head, rows)
        + f"\n\nTrials that ended in an exception: {'; '.join(failed) or 'none'}."
    )
    return text, checks


def _never(rng: np.random.Generator) -> Row:
    raise RuntimeError("this trial should have been made before")


def share(k: int, n: int, level: float | None = None) -> str:
    """A share with its binomial error, that of a size which is as stated if one is given."""
    if n == 0:
        return "-"
    p = k / n
    of = p if level is None else level
    return f"{p:.3f} +- {np.sqrt(of * (1 - of) / n):.3f}"


def size_check(what: str, k: int, n: int, level: float) -> Check:
    """Whether so many rejections are no more than three standard deviations above the level; fewer are no harm."""
    high = float(binom.ppf(1 - CHANCE / 2, n, level)) / n
    return Check(what, k / n, float(np.sqrt(level * (1 - level) / n)), 0, high, f"{level:g} or less")


def _without_trend(kept: Kept, settings: dict[str, Any]) -> tuple[str, list[Check]]:
    """A trend of degree 0 where features change weakly with m must be refused, or the hunt fires always."""
    label, trials = "no trend, weak dependence", settings["without_trend"]

    def make(rng: np.random.Generator) -> Row:
        sample = Background("weak").draw(rng)
        result = bump_hunt(sample, "m", RESOLUTION, degree=0, draws=settings["draws"])
        return {**row_of(result), "local": float(np.exp(result.in_features.local.min()))}

    made = [kept.row(label, trial, make) for trial in range(trials)]
    caught = sum(row["p"] is None or row["p"] <= 0.01 for row in made)
    refused = sum(row["p"] is None for row in made)
    text = (
        f"Negative control, degree 0 under weak dependence: refused in {refused} of {trials} trials, p <= .01 in"
        f" {caught - refused}; the smallest local p of the features is at most {max(row['local'] for row in made):.1g}"
        " in all of them."
    )
    return text, [Check("degree 0 under weak dependence, refused or p <= .01", caught / trials, 0, 1, 1, "always")]


def _permuted(kept: Kept, settings: dict[str, Any]) -> tuple[str, list[Check]]:
    """p of the features on permutations of them among the events of one sample, which is exact by itself."""
    label, trials = "permuted", settings["permuted"]
    sample = draw_data(np.random.default_rng(20), 5000)

    def make(rng: np.random.Generator) -> Row:
        m, y = sample.events[:, :1], sample.events[rng.permutation(len(sample)), 1:]
        moved = Sample(np.column_stack([m, y]), features=sample.features, name="data")
        return row_of(bump_hunt(moved, "m", RESOLUTION, seed=int(rng.integers(2**31)), draws=settings["draws"]))

    made = [kept.row(label, trial, make) for trial in range(trials)]
    p = np.array([row["features"] for row in made if row["features"] is not None])
    either, small = (float(kstest(p, "uniform", alternative=side).pvalue) for side in ("two-sided", "greater"))
    text = (
        f"Joint law against {trials} permutations of the other features among the {len(sample):,} events of one sample:"
        f" p of the features has mean {p.mean():.2f}, is at most .05 in {share(int((p <= 0.05).sum()), len(p), 0.05)},"
        f" and a Kolmogorov-Smirnov test of its being uniform has p = {either:.2g}, one of its"
        f" being too small {small:.2g}."
    )
    return text, [Check("p on permutations is not too small, KS", small, 0, 0.001, 1, "uniform, or larger")]
