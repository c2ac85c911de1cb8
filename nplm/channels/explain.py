"""What may an excess be? The best set of templates, beside the background alone, and how often chance does as much."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from nplm._util.versions import versions
from nplm.channels.campaigns import WalkCampaign
from nplm.channels.counts import UNCERTAINTIES, Uncertainty
from nplm.channels.explain_result import ExplainResult
from nplm.channels.graph import CompatibilityGraph, compatibility_graph
from nplm.channels.pvalues import require_errors
from nplm.channels.table import RegionTable
from nplm.channels.templates import Templates
from nplm.channels.walk import WalkSettings
from nplm.channels.workspace_likelihood import WorkspaceLikelihood, require_bins
from nplm.toys.table import ToyTable

if TYPE_CHECKING:
    from nplm.toys.campaign import Campaign
    from nplm.toys.engines.base import Engine


def explain_excesses(
    table: RegionTable,
    templates: Templates,
    compatible: CompatibilityGraph | str | Sequence[str] | Path,
    *,
    walkers: int = 10,
    steps: int = 60,
    most: int = 5,
    fakes: int = 100,
    seed: int = 1,
    errors: Uncertainty = "gaussian",
    limited: bool = True,
    likelihoods: Mapping[str, WorkspaceLikelihood] | None = None,
    store: Path | str | None = None,
    engine: Engine | None = None,
    batch: int = 1,
    notify: Callable[[str], None] = lambda text: None,
) -> ExplainResult:
    """The set of templates of largest K, and the probability that fake tables of the background have one as large.

    Each walker walks over sets of templates and strengths, see `nplm.channels.walk`; K is that of
    `nplm.channels.score.Scorer`. A fake table has counts of the background alone, with the covariances that are given,
    and goes through all walks as the observed table does, so that the p-value (1 + #{K_fake >= K}) / (1 + fakes)
    accounts for all templates, sets, strengths and combinations that were looked at.

    Arguments:
        table: the regions.
        templates: the signals.
        compatible: which analyses may be combined: a graph, or what `compatibility_graph` makes one of.
        walkers: independent walks.
        steps: of each.
        most: templates that may stand together.
        fakes: fake tables; 0 for none, and no p-value.
        seed: of all random numbers.
        errors: how the expectations of fake tables are uncertain. Likelihoods take them as normal.
        limited: whether mu^ must be below what regions outside of a combination exclude at 95% confidence level.
        likelihoods: full likelihoods of workspaces in place of simplified ones, by the analysis whose regions are their
            bins, see `read_likelihoods`. Fake tables of these have counts and auxiliary data drawn from the workspace
            as fitted to what was observed without a signal.
        store: a folder that keeps walks and fake tables, so that a run that was ended goes on, and more can be added.
        engine: what runs them, see `nplm.toys.engines`; default: this process.
        batch: how many fake tables are run together.
        notify: told what is being done.

    Raises:
        ValueError: if something does not fit, or networkx is not installed.
        StoreError: if the store holds walks of another plan.
    """
    from nplm.toys.run import run_campaign

    if errors not in UNCERTAINTIES:
        raise ValueError(f"errors are {', '.join(UNCERTAINTIES)}, not '{errors}'")
    require_errors(table, errors)
    if templates.yields.shape[1] != len(table):
        raise ValueError(f"the templates have {templates.yields.shape[1]} regions, but {table.name} has {len(table)}")
    if fakes < 0:
        raise ValueError(f"fakes must be 0 or more, not {fakes}")
    graph = compatible if isinstance(compatible, CompatibilityGraph) else compatibility_graph(table, compatible)
    if graph.names != tuple(table.rows):
        raise ValueError("the graph is of other analyses than the table: make it of this table")
    full = dict(likelihoods or {})
    require_bins(table, full)
    settings = WalkSettings(walkers, steps, most)
    campaign = WalkCampaign("walkers", table, templates, graph, settings, seed, errors, limited, full)
    campaign.scorer.score(campaign.scorer.unit_strengths)  # what is missing is said before anything is stored
    began = time.perf_counter()

    def run(asked: WalkCampaign, many: int, size: int) -> ToyTable:
        kept = None if store is None else Path(store) / asked.what
        # Engines and stores ask for methods that these walks have, too.
        given = cast("Campaign", asked)
        return run_campaign(given, many, store=kept, engine=engine, batch=size) if many else ToyTable.empty()

    notify(f"{walkers} walks of {steps} steps over {len(templates.names)} templates")
    walks = run(campaign, walkers, max(1, walkers // 4) if engine is not None else walkers).select(slice(walkers))
    seconds = {"walks": time.perf_counter() - began}
    assert walks.parameters is not None, "walks keep their strengths"
    best = int(walks.t.argmax())
    found = campaign.found(walks.parameters[best])
    notify(f"{fakes} fake tables, each with as many walks" if fakes else "no fake tables, and no p-value")
    null = run(replace(campaign, what="fakes"), fakes, batch).select(slice(fakes)) if fakes else ToyTable.empty()
    seconds["fake tables"] = time.perf_counter() - began - seconds["walks"]
    return ExplainResult(
        table=table,
        templates=templates,
        score=found.score,
        strengths=found.strengths * found.score.mu,
        walks=walks.t,
        sets=tuple(_set(templates, row) for row in walks.parameters),
        null=null.t,
        rule=graph.rule,
        seconds=seconds,
        seed=seed,
        versions=versions(),
        configuration=_configuration(table, templates, graph, settings, fakes, errors, limited, full),
    )


def _set(templates: Templates, strengths: np.ndarray) -> tuple[str, ...]:
    return tuple(templates.names[i] for i in np.flatnonzero(strengths > 0))


def _configuration(
    table: RegionTable,
    templates: Templates,
    graph: CompatibilityGraph,
    settings: WalkSettings,
    fakes: int,
    errors: Uncertainty,
    limited: bool,
    full: Mapping[str, WorkspaceLikelihood],
) -> dict[str, Any]:
    return {
        "table": table.name,
        "templates": list(templates.names),
        "costs": templates.cost.tolist(),
        "combined": graph.rule,
        "walkers": settings.walkers,
        "steps": settings.steps,
        "most": settings.most,
        "fakes": fakes,
        "errors": errors,
        "limited": limited,
        "full_likelihoods": list(full),
    }
