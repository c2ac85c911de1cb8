"""Tests after an anomaly score: size at few kept events, power for rare and for common signals, overfitted scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.experiment import Check, read_config
from experiments.family.kept import Kept, Row
from experiments.scored.mixed import mixed_power, mixed_sizes
from experiments.scored.samples import Events, background, distance, rare
from experiments.scored.shares import RANGES, share_text, within
from nplm import KernelModel, NPLMTest, Sample
from nplm.family import FamilySettings
from nplm.scored import ScoredTest
from nplm.stats.yields import log_p_of_poisson
from nplm.two_sample.result import TwoSampleResult
from nplm.wording.markdown import markdown_table

LEVELS = (0.05, 0.01)
# How often an overfitted score is told, by the number of neighbours.
_TOLD = {1: (0.95, 1.0, "all"), 5: (0.7, 1.0, "most"), 200: (0.0, 0.35, "two looks beyond 2 sigma: 5 to 10%")}


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Runs all trials; those that an earlier run has kept are not made again.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("scored", short)
    kept = Kept(work / "trials.jsonl")
    training = background(np.random.default_rng(20), config["training"])
    parts, checks = [], []
    for part in (_sizes, _power, _overfitted, _seen):
        text, found = part(config, kept, training)
        parts.append(text)
        checks += found
        print(text, flush=True)
    for mixed in (mixed_power, mixed_sizes):
        text, found = mixed(config["mixed"], kept)
        parts.append(text)
        checks += found
        print(text, flush=True)
    return "\n\n".join(parts), checks


def _reference(rng: np.random.Generator, settings: dict[str, Any]) -> Sample:
    n = settings["events"] * settings["ratio"]
    return Sample(background(rng, n), np.full(n, 1 / settings["ratio"]), name="reference")


def _scored(
    settings: dict[str, Any], score: Any, keep: Sequence[float], reference: Sample, data: Events
) -> TwoSampleResult:
    family = FamilySettings(classes=tuple(settings["classes"])) if "classes" in settings else FamilySettings()
    # The reference has a fixed number of events: its yield is known, and what is kept of it is not.
    test = ScoredTest(reference, score, keep, settings=family, expected_ratio=1.0, exact_yield=True)
    return test.run(Sample(data, name="data"), resamples=settings["resamples"])


def _sizes(config: dict[str, Any], kept: Kept, training: Events) -> tuple[str, list[Check]]:
    score = distance(training, config["neighbours"])
    rows, checks = [], []
    for label, settings in config["sizes"].items():

        def trial(rng: np.random.Generator, settings: dict[str, Any] = settings) -> Row:
            reference = _reference(rng, settings)
            data = background(rng, int(rng.poisson(settings["events"])))
            found = _scored(settings, score, settings["keep"], reference, data)
            assert found.shape is not None
            rates = [each.rate for each in found.kept[1:] if each.rate is not None]
            return {
                "p": found.p_value,
                "shape": found.shape.p_value,
                "counts": [rate.p_value for rate in rates],
                "exact": [float(np.exp(log_p_of_poisson(rate.observed, rate.expected))) for rate in rates],
            }

        made = [kept.row(f"size, {label}, {sorted(settings.items())}", i, trial) for i in range(settings["trials"])]
        good = [row for row in made if "p" in row]
        checks.append(Check(f"failed trials, {label}", len(made) - len(good), 0, 0, 0, "none"))
        columns = {
            "everything and what is kept": [row["shape"] for row in good],
            "the same, with the yield": [row["p"] for row in good],
        }
        for k, share in enumerate(settings["keep"][1:]):
            expected = round(share * settings["events"])
            columns[f"count of {expected} events"] = [row["counts"][k] for row in good]
            columns[f"count of {expected} events, the reference taken as exact"] = [row["exact"][k] for row in good]
        sizes = {what: np.array(values) for what, values in columns.items()}
        rows += [[label, what, str(len(p)), *(share_text(p, level) for level in LEVELS)] for what, p in sizes.items()]
        for what in list(columns)[:2]:
            checks += [
                within(f"size, {label}, {what}, {level:g}", sizes[what], level, *RANGES[level]) for level in LEVELS
            ]
        if settings["ratio"] == 1:
            what = "negative control: count of few events, the reference taken as exact, n_R / n_D = 1"
            exact = np.array([row["exact"][-1] for row in good])
            checks.append(within(what, exact, 0.01, 0.03, 1.0, "5.5% for w = 1"))
    naive = [kept.row("naive", i, _naive(config, score)) for i in range(config["naive_trials"])]
    p = np.array([row["p"] for row in naive])
    checks.append(
        within("negative control: kernels of what is kept, reference taken as exact", p, 0.01, 0.5, 1.0, "most")
    )
    rows.append(
        ["n_R / n_D = 1", "kernels of 200 kept events, the reference taken as exact", str(len(p))]
        + [share_text(p, level) for level in LEVELS]
    )
    text = (
        "**Size.** Shares of trials without a difference, each with a reference and data of its own, with p at most the"
        " level. Thresholds keep everything, 20% and 4% of the reference: 200 and 40 data events are expected."
    )
    return text + "\n\n" + markdown_table(["set-up", "p-value", "trials", "p <= .05", "p <= .01"], rows), checks


def _naive(config: dict[str, Any], score: Any) -> Any:
    def trial(rng: np.random.Generator) -> Row:
        reference, data = background(rng, 2000), background(rng, int(rng.poisson(2000)))
        q = np.quantile(score(reference), 0.9)  # 200 events
        kept = Sample(reference[score(reference) > q])
        model = KernelModel(reference_exact=True)
        return {"p": NPLMTest(kept, model).run(Sample(data[score(data) > q]), toys=0).p_value}

    return trial


def _power(config: dict[str, Any], kept: Kept, training: Events) -> tuple[str, list[Check]]:
    settings, score = config["power"], distance(training, config["neighbours"])
    keep = tuple(settings["keep"])
    ways = {"everything": keep[:1], "the rarest 2% alone": keep[-1:], "all together": keep}
    rows: list[list[str]] = []
    powers: dict[tuple[str, str], np.ndarray] = {}
    for signal in ("rare", "common"):

        def trial(rng: np.random.Generator, signal: str = signal) -> Row:
            reference = _reference(rng, settings)
            data = background(rng, int(rng.poisson(settings["events"])))
            if signal == "rare":
                data = np.concatenate([data, rare(rng, int(rng.poisson(settings["rare"])))])
            else:
                data[:, 0] += settings["shift"]
            found = {way: _scored(settings, score, shares, reference, data) for way, shares in ways.items()}
            count = found["all together"].kept[-1].rate
            assert count is not None
            return {"count of the rarest 2%": count.p_value} | {way: each.p_value for way, each in found.items()}

        made = [kept.row(f"power, {signal}, {sorted(settings.items())}", i, trial) for i in range(settings["trials"])]
        found = {way: np.array([row[way] for row in made]) for way in (*ways, "count of the rarest 2%")}
        powers |= {(signal, way): p for way, p in found.items()}
        rows.append([signal, str(len(made)), *(share_text(p, 0.01) for p in found.values())])
    text = (
        f"**Power** at 1%: {settings['rare']} events off the surface among {settings['events']:,}, and a first feature"
        f" that is larger by {settings['shift']:g} standard deviations in all data."
    )
    head = ["signal", "trials", *ways, "count of the rarest 2%"]
    checks = [
        within("power, rare, everything", powers["rare", "everything"], 0.01, 0.0, 0.2, "little"),
        within("power, rare, the rarest 2% alone", powers["rare", "the rarest 2% alone"], 0.01, 0.8, 1.0, "much"),
        within("power, rare, all together", powers["rare", "all together"], 0.01, 0.6, 1.0, "nearly that of 2%"),
        within("power, common, all together", powers["common", "all together"], 0.01, 0.6, 1.0, "nearly all"),
        within("power, common, the rarest 2% alone", powers["common", "the rarest 2% alone"], 0.01, 0.0, 0.3, "little"),
    ]
    return text + "\n\n" + markdown_table(head, rows), checks


def _overfitted(config: dict[str, Any], kept: Kept, training: Events) -> tuple[str, list[Check]]:
    settings = config["overfitted"]
    rows, checks = [], []
    for neighbours in settings["neighbours"]:
        score = distance(training, neighbours)

        def trial(rng: np.random.Generator, score: Any = score) -> Row:
            reference = Sample(background(rng, settings["events"]), name="reference")
            test = ScoredTest(reference, score, (1.0, 0.1, 0.01), trained_on=Sample(training, name="training"))
            return {"shares": [each[0] for each in test.efficiencies], "told": bool(test.cautions)}

        made = [kept.row(f"overfitted, {neighbours}", i, trial) for i in range(settings["trials"])]
        told = np.array([row["told"] for row in made])
        shares = np.mean([row["shares"] for row in made], axis=0)
        rows.append([str(neighbours), *(f"{100 * share:.2f}%" for share in shares[1:]), f"{told.sum()} of {len(told)}"])
        low, high, expected = _TOLD[neighbours]
        error = float(np.sqrt(max(told.mean() * (1 - told.mean()), 0.25 / len(told)) / len(told)))
        checks.append(Check(f"told, {neighbours} neighbours", float(told.mean()), error, low, high, expected))
    text = (
        "**Scores that know their training events**: the distance to the k-th of them is too small for themselves. What"
        " thresholds at 10% and 1% of fresh references keep of them, and in how many trials that is told."
    )
    return text + "\n\n" + markdown_table(["k", "at 10%", "at 1%", "told"], rows), checks


def _seen(config: dict[str, Any], kept: Kept, training: Events) -> tuple[str, list[Check]]:
    """A reference that the score was trained on, which `trained_on` would refuse: the test fires without a signal."""
    settings = config["seen"]
    score = distance(training, settings["neighbours"])
    reference = Sample(training, np.full(len(training), settings["events"] / len(training)), name="reference")

    def trial(rng: np.random.Generator) -> Row:
        data = background(rng, int(rng.poisson(settings["events"])))
        found = ScoredTest(reference, score, (0.1, 0.01), expected_ratio=1.0, settings=FamilySettings(classes=("all",)))
        return {"p": found.run(Sample(data, name="data"), resamples=99).p_value}

    made = [kept.row("seen", i, trial) for i in range(settings["trials"])]
    p = np.array([row["p"] for row in made])
    text = (
        f"**A reference that the score was trained on**: p at most 1% in {share_text(p, 0.01)} of {len(p)} trials"
        " without a difference. With `trained_on` it is refused."
    )
    return text, [within("negative control: trained on the reference", p, 0.01, 0.5, 1.0, "most")]
