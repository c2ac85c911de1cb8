"""Templates in tables of the toy problem: K by chance, what is found of an injected one, and what it costs."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from scipy.stats import ks_2samp

from experiments.experiment import Check
from nplm.channels.campaigns import WalkCampaign
from nplm.channels.graph import compatibility_graph
from nplm.channels.score import Scorer
from nplm.channels.table import RegionTable
from nplm.channels.walk import Found, WalkSettings, best_walk
from nplm.wording.markdown import markdown_table
from toys.signal_regions import background, draw_table, templates

RULE = "experiment energy signature"
# K of the winner in the published searches, and its global p-value: the abstract of arXiv:2012.12246.
_PUBLISHED_K, _PUBLISHED_P = 6.9, 0.19


def campaign_of(asked: dict[str, Any], seed: int) -> WalkCampaign:
    """Fake tables of the toy problem."""
    table = background()
    graph = compatibility_graph(table, RULE)
    settings = WalkSettings(asked["walkers"], asked["steps"])
    return WalkCampaign("fakes", table, templates(table), graph, settings, seed)


def walks(config: dict[str, Any]) -> tuple[str, list[Check]]:
    """p in fresh tables of the background, and of those with an injected template."""
    asked = config["walk"]
    campaign = campaign_of(asked, 1)
    null = campaign.run(range(asked["fakes"])).t

    def found_in(table: RegionTable, seed: int) -> tuple[float, Found]:
        scorer = Scorer(table, campaign.templates, campaign.graph, campaign.scorer.limits)
        found = best_walk(scorer, campaign.settings, (seed, 1))
        return float((1 + (null >= found.score.k).sum()) / (1 + len(null))), found

    rng = np.random.default_rng(2)
    fresh = [found_in(draw_table(rng), 100 + i) for i in range(asked["tables"])]
    p, k = np.array([each for each, _ in fresh]), np.array([found.score.k for _, found in fresh])
    # p is uniform if K of fresh tables is distributed as that of the fake ones, which are a sample themselves.
    uniform = ks_2samp(k, null).pvalue
    name, strength, level = asked["template"], asked["strength"], asked["level"]
    at = campaign.templates.names.index(name)
    hits, strengths = 0, []
    for i in range(asked["injected"]):
        p_value, found = found_in(draw_table(rng, {name: strength}), 1000 + i)
        hits += bool(p_value <= level and found.strengths[at] > 0)
        strengths.append(float(found.strengths[at]))
    share = hits / asked["injected"]
    error = np.sqrt(max(share * (1 - share), 0.02) / asked["injected"])
    rows = [
        ["background", str(asked["tables"]), f"{np.mean(p <= 0.05):.3f}", f"{np.mean(p <= 0.1):.3f}", ""],
        [f"{name} at {strength:g}", str(asked["injected"]), "", "", f"{share:.2f} +- {error:.2f}"],
    ]
    text = (
        "**Templates.** Tables of `toys.signal_regions` (60 regions of ten analyses, three covariances, six templates"
        " of"
        f" three regions each), {asked['walkers']} walkers of {asked['steps']} steps, {asked['fakes']} fake tables for"
        " the null. At strength 1 a template is twice the error of each region's background. Found: with p <="
        f" {level:g} and by its name. p is uniform if K of fresh tables of the background is distributed as that of the"
        f" fake tables: a Kolmogorov-Smirnov test of the two has p = {uniform:.2g}; the strengths that are found have"
        f" the median {np.median(strengths):.2f}. K of the background has the median"
        f" {np.median(null):.2f}, and is {_PUBLISHED_K} or more in {np.mean(null >= _PUBLISHED_K):.1%} of the fake"
        f" tables; arXiv:2012.12246 finds K = {_PUBLISHED_K} of its best protomodel in the published searches, with a"
        f" global p of {_PUBLISHED_P} (abstract; smodels.github.io/protomodels): of other models and other searches,"
        " but in answer to the same question.\n\n"
    )
    head = ["tables of", "number", "p <= 0.05", "p <= 0.1", "found"]
    size = float(np.mean(p <= 0.1))
    wide = 4 * np.sqrt(0.09 / len(p))
    return text + markdown_table(head, rows), [
        Check("K of fresh and of fake background tables, KS", float(uniform), 0, 0.001, 1, "p is uniform"),
        Check("share of them with p <= 0.1", size, float(np.sqrt(0.09 / len(p))), 0, 0.1 + float(wide), "0.1 or less"),
        Check(f"{name} at {strength:g} is found", share, float(error), 0.9 - 2 * float(error), 1, "0.9"),
    ]


def costs(config: dict[str, Any]) -> tuple[str, list[Check]]:
    """CPU seconds of fake tables with all walkers."""
    asked = config["cost"]
    campaign = campaign_of(asked, 3)
    began = time.process_time()
    campaign.run(range(asked["fakes"]))
    seconds = time.process_time() - began
    return (
        f"**Cost.** {asked['fakes']} fake tables with {asked['walkers']} walkers of {asked['steps']} steps each take"
        f" {seconds:.1f} CPU seconds, {1000 * seconds / (asked['fakes'] * asked['walkers']):.0f} ms a walk."
    ), []
