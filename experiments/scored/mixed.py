"""Tests after a score in 21 mixed features: power for three rare signals and one that is not, and size of all classes.

The score is -log of the density of the background: what a variational autoencoder is trained to approach.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from experiments.experiment import Check
from experiments.family.kept import Kept, Row
from experiments.scored.shares import RANGES, share_text, within
from nplm import FamilyTest, Sample
from nplm.family import Subset
from nplm.family.intervals import log_p_of_root
from nplm.family.rarity import Rarity
from nplm.family.settings import INTERVALS, RARITY
from nplm.family.statistic import Family, combined, independent_tests
from nplm.scored import ScoredTest
from nplm.scored.thresholds import threshold
from nplm.two_sample.rate import rate_of_samples
from nplm.wording.markdown import markdown_table
from toys.single_lepton import SingleLepton

EVERYTHING, WEIGHTED, JOINTLY = "everything", "with weights alone", "jointly"
BOTH = "jointly, with weights too"


def mixed_power(config: dict[str, Any], kept: Kept) -> tuple[str, list[Check]]:
    """Power at 1%, of each way of looking at the same samples; all classes of the family."""
    settings = config["power"]
    problem = SingleLepton(settings["events"])
    shares = settings["keep"]
    rows: list[list[str]] = []
    checks: list[Check] = []
    head: list[str] = []
    for name, signal in problem.SIGNALS.items():

        def trial(rng: np.random.Generator, name: str = name) -> Row:
            reference = problem.draw_reference(rng, settings["events"] * settings["ratio"])
            data = problem.draw_data(rng, signal=problem.SIGNALS[name])
            return _all_ways(problem, reference, data, shares, settings["resamples"])

        cell = f"mixed power, {name}, {signal.expected:g}, {_named(settings)}"
        made = [kept.row(cell, i, trial) for i in range(settings["trials"][name])]
        failed = [row for row in made if "error" in row]
        checks.append(Check(f"failed trials, {name}", len(failed), 0, 0, 0, "none"))
        good = [row for row in made if "error" not in row]
        ways = [way for way in good[0] if way not in ("cell", "trial", "seconds")]
        head = ["signal", "events", "trials", *ways]
        found = {way: np.array([row[way] for row in good]) for way in ways}
        rows.append([name, f"{signal.expected:g}", str(len(good)), *(share_text(p, 0.01) for p in found.values())])
        if name == "leptoquark":
            checks.append(within(f"power, {name}, jointly", found[JOINTLY], 0.01, 0.9, 1.0, "nine of ten"))
    text = (
        f"**Power in 21 mixed features** at 1%, all classes of the family: signals among {settings['events']:,} data"
        f" events, a reference {settings['ratio']} times as large. Every p-value is counted, in the same"
        f" {settings['resamples']} permutations for all ways; a count alone is that of the events that are kept."
    )

    return text + "\n\n" + markdown_table(head, rows), checks


def _all_ways(problem: SingleLepton, reference: Sample, data: Sample, shares: list[float], resamples: int) -> Row:
    """The p-value of everything, of each share alone, of weighted kernels alone, and of them together."""
    of_a, of_b = (-problem.log_density(sample.events) for sample in (reference, data))
    cuts = {f"the rarest {100 * e:g}%": threshold(of_a, reference.weights, e, "reference") for e in shares}
    subsets = [Subset(name, of_a > q, of_b > q) for name, q in cuts.items()]
    family = FamilyTest(reference, data, expected_ratio=1.0, subsets=subsets, rarity=Rarity(of_a, of_b)).family
    drawn, seen = family.null(resamples, 1), family.observed()
    t = np.concatenate([family.t(seen), family.t(drawn)])
    roots = np.max([each.largest(drawn, family.q) for each in family.intervals], axis=0)
    assert family.root is not None
    roots = np.concatenate([family.root, roots])
    subset = np.array([member.subset for _, member in family.members])
    weighted = np.array([member.kind == RARITY for _, member in family.members])
    plain = ~weighted
    found = {EVERYTHING: _counted(family, t, roots, plain & (subset == ""))}
    found |= {f"{name} alone": _counted(family, t, None, subset == name) for name in cuts}
    found[JOINTLY] = _counted(family, t, roots, plain)
    found[WEIGHTED] = _counted(family, t, None, weighted)
    found[BOTH] = _counted(family, t, roots, plain | weighted)
    for name, q in cuts.items():
        rate = rate_of_samples(reference.select(of_a > q), data.select(of_b > q), 1.0)
        found[f"count of {name}"] = rate.p_value
    return found


def _counted(family: Family, t: np.ndarray, roots: np.ndarray | None, members: np.ndarray) -> float:
    """The p-value of the smallest of some members, whose classes share it evenly; the first row is the samples' own."""
    surprise = -family.log_p(t)
    kinds = np.array([member.kind for _, member in family.members])
    columns = [surprise[:, members & (kinds == kind)].max(axis=1) for kind in dict.fromkeys(kinds[members])]
    if roots is not None and INTERVALS in family.classes:
        columns.append(-log_p_of_root(roots))
    of_classes = np.column_stack(columns)
    statistic = combined(of_classes, independent_tests(of_classes[1:]))
    return float((1 + (statistic[1:] >= statistic[0]).sum()) / len(statistic))


def mixed_sizes(config: dict[str, Any], kept: Kept) -> tuple[str, list[Check]]:
    """How often the whole family rejects without a difference, with a reference of its own in every trial."""
    settings = config["sizes"]
    problem = SingleLepton(settings["events"])

    def trial(rng: np.random.Generator) -> Row:
        reference = problem.draw_reference(rng, settings["events"] * settings["ratio"])
        data = problem.draw_data(rng)
        test = ScoredTest(
            reference,
            lambda events: -problem.log_density(events),
            settings["keep"],
            weighted=True,
            expected_ratio=1.0,
            exact_yield=True,
        )
        result = test.run(data, resamples=settings["resamples"])
        assert result.shape is not None
        return {"p": result.p_value, "shape": result.shape.p_value, "tests": len(result.names)}

    made = [kept.row(f"mixed size, {_named(settings)}", i, trial) for i in range(settings["trials"])]
    good = [row for row in made if "error" not in row]
    checks = [Check("failed trials, all classes in 21 features", len(made) - len(good), 0, 0, 0, "none")]
    rows = []
    for what, key in (("everything, what is kept, and weights", "shape"), ("the same, with the yield", "p")):
        p = np.array([row[key] for row in good])
        rows.append([what, str(len(p)), *(share_text(p, level) for level in RANGES)])
        checks += [within(f"size in 21 features, {what}, {level:g}", p, level, *RANGES[level]) for level in RANGES]

    tests = int(np.median([row["tests"] for row in good]))
    text = (
        f"**Size in 21 mixed features**, all classes of the family: {settings['events']:,} data events and a reference"
        f" {settings['ratio']} times as large, drawn anew in every trial; some {tests:,} tests, in the shares"
        f" {', '.join(f'{100 * e:g}%' for e in settings['keep'])}."
    )
    return text + "\n\n" + markdown_table(["p-value", "trials", "p <= .05", "p <= .01"], rows), checks


def _named(settings: dict[str, Any]) -> str:
    """What decides about a trial, whatever their number is."""
    return str(sorted((key, value) for key, value in settings.items() if key != "trials"))
