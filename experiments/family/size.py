"""How often the family rejects where there is no difference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binom

from experiments.experiment import Check
from experiments.family.kept import Kept, Row
from experiments.family.samples import null_pair
from nplm import FamilyTest, KernelModel, NPLMTest
from nplm.two_sample.pooled import Pool
from nplm.two_sample.rate import rate_of
from nplm.two_sample.with_rate import with_rate
from nplm.wording.markdown import markdown_table

LEVELS = (0.05, 0.01, 0.001)
# Three standard deviations on either side.
_CHANCE = 0.0027
ALL, SHAPE, COUNTED = "p", "shape", "estimated"
CONTROL = "negative control: kernel model, exact reference, asymptotic null, 5-D mixed, n_R / n_D = 1"


def sizes(work: Path, config: dict[str, Any]) -> tuple[str, list[Check]]:
    """All trials of all cells, a few of each cell at a time."""
    kept = Kept(work / "size.jsonl")
    cells = [
        (f"{name}, {weights}, n_R / n_D = {ratio}, n_D = {events}", (name, weights, ratio, events), trials, resamples)
        for name, settings in config["sizes"].items()
        for events, by_weights in settings["trials"].items()
        for weights, trials in by_weights.items()
        for ratio in config["ratios"]
        for resamples in [settings["resamples"]]
    ]
    found: dict[str, list[Row]] = {label: [] for label, *_ in cells}
    for start in range(0, max(trials for _, _, trials, _ in cells), config["at_a_time"]):
        for label, pair, trials, resamples in cells:
            for trial in range(start, min(start + config["at_a_time"], trials)):
                made = kept.row(label, trial, lambda rng, p=pair, r=resamples, i=trial: _trial(rng, p, r, i))  # type: ignore[misc]
                found[label].append(made)
    control = [kept.row(CONTROL, trial, _control) for trial in range(config["control_trials"])]
    return _report(cells, found, control)


def _trial(rng: np.random.Generator, pair: tuple[str, str, float, int], resamples: int, seed: int) -> Row:
    reference, data = null_pair(rng, *pair)
    # With the yield that is known, as `nplm test --expected-yield`, and with what the events of the reference say.
    known = FamilyTest(reference.scaled_to(pair[3]), data, expected_ratio=1.0, exact_yield=True, seed=seed)
    result = known.run(resamples=resamples)
    assert result.shape is not None
    rate = rate_of(Pool.of(reference, data, expected_ratio=1.0), exact=False)
    assert rate is not None
    return {
        ALL: result.p_value,
        SHAPE: result.shape.p_value,
        COUNTED: with_rate(result.shape, rate)[0].p_value,
        "kind": result.shape.kind,
        "leading": result.names[result.leading_shape],
        "converged": bool(result.fit_converged),
    }


def _control(rng: np.random.Generator) -> Row:
    reference, data = null_pair(rng, "5-D mixed", "unit", 1, 500)
    return {ALL: NPLMTest(reference.scaled_to(500), KernelModel(reference_exact=True)).run(data, toys=0).p_value}


def outside(rejected: int, trials: int, level: float) -> bool:
    """Whether so many rejections are beyond three standard deviations, by the exact binomial distribution."""
    below, above = binom.cdf(rejected, trials, level), binom.sf(rejected - 1, trials, level)
    return bool(min(below, above) < _CHANCE / 2)


def _report(cells: list[Any], found: dict[str, list[Row]], control: list[Row]) -> tuple[str, list[Check]]:
    rows, checks, strange, failed, not_converged = [], [], [], 0, 0
    pooled: dict[tuple[str, str, str], list[float]] = {}
    for label, (name, weights, ratio, events), _, resamples in cells:
        made = found[label]
        good = [row for row in made if ALL in row]
        failed += len(made) - len(good)
        not_converged += sum(not row["converged"] for row in good)
        p = {which: np.array([row[which] for row in good]) for which in (ALL, SHAPE, COUNTED)}
        for which, values in p.items():
            pooled.setdefault((name, weights, which), []).extend(values.tolist())
            for level in LEVELS:
                k = int((values <= level).sum())
                if outside(k, len(values), level):
                    strange.append(f"{label}, {which} at {level}: {k} of {len(values)}")
        rows.append(
            [name, weights, str(ratio), str(events), str(len(good)), str(resamples)]
            + [_share(p[ALL], level) for level in LEVELS]
            + [f"{p[ALL].min():.2g}", _share(p[SHAPE], 0.05), _share(p[SHAPE], 0.01), f"{p[SHAPE].min():.2g}"]
            + [_share(p[COUNTED], 0.05), f"{np.mean([row['seconds'] for row in good]):.2f}"]
        )
    head = ["set", "weights", "n_R / n_D", "n_D", "trials", "resamples", "p <= .05", "p <= .01", "p <= .001", "least p"]
    head += ["shape .05", "shape .01", "least shape", "estimated .05", "CPU s"]
    together = []
    for name in dict.fromkeys(key[0] for key in pooled):
        for weights in dict.fromkeys(key[1] for key in pooled if key[0] == name):
            for which in (ALL, SHAPE, COUNTED):
                values = np.array(pooled[name, weights, which])
                together.append(
                    [name, weights, which, str(len(values))]
                    + [_share(values, level) for level in LEVELS]
                    + [f"{values.min():.2g}"]
                )
                for level in LEVELS[:2]:
                    low, high = (binom.ppf(t, len(values), level) / len(values) for t in (_CHANCE / 2, 1 - _CHANCE / 2))
                    share = float((values <= level).mean())
                    error = float(np.sqrt(level * (1 - level) / len(values)))
                    what = f"size, {name}, weights {weights}, {which}, all ratios"
                    checks.append(Check(what, share, error, float(low), float(high), f"{level:g}"))
    count = 9 * len(cells)
    most = float(binom.ppf(0.999, count, _CHANCE))
    checks.append(Check(f"cells and levels beyond 3 sigma, of {count}", len(strange), 0, 0, most, "about 0.3%"))
    controlled = np.array([row[ALL] for row in control])
    share = float((controlled <= 0.05).mean())
    checks.append(
        Check(
            CONTROL + ", size at .05",
            share,
            float(np.sqrt(share * (1 - share) / len(controlled))),
            0.2,
            1,
            "far above .05",
        )
    )
    text = (
        "**Size.** Share of trials, with a fresh reference and fresh data each, in which p is at most .05, .01 and"
        " .001, with its binomial error; then the same of the shapes alone, and with the yield of the reference taken"
        " from its own events (`exact_yield=False`).\n\n"
        + markdown_table(head, rows)
        + "\n\nAll ratios and numbers of events together:\n\n"
        + markdown_table(["set", "weights", "p of", "trials", ".05", ".01", ".001", "least p"], together)
        + f"\n\nBeyond three standard deviations by the exact binomial distribution: {'; '.join(strange) or 'none'}."
        f" Trials that ended in an exception: {failed}; leading fits that did not converge: {not_converged}.\n\n"
        f"{CONTROL}: p <= .05 in {int((controlled <= 0.05).sum())} of {len(controlled)} trials."
    )
    return text, checks


def _share(p: np.ndarray, level: float) -> str:
    share = float((p <= level).mean())
    return f"{share:.3f} +- {np.sqrt(level * (1 - level) / len(p)):.3f}"
