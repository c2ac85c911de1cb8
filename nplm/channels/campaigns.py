"""Walks on the table as it is, and on fake tables, as toys: they have stores, engines, and go on where they ended."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from nplm._util.seed_range import require_seed
from nplm.channels.counts import Uncertainty
from nplm.channels.draws import draw_counts
from nplm.channels.graph import CompatibilityGraph
from nplm.channels.limits import UpperLimits
from nplm.channels.score import Scorer
from nplm.channels.table import RegionTable
from nplm.channels.templates import Templates
from nplm.channels.walk import Found, WalkSettings, best_walk, walk
from nplm.channels.workspace_likelihood import WorkspaceLikelihood
from nplm.data.fingerprint import Plan
from nplm.toys.table import ToyTable

# Branches of the seed: the walks on the table, the fake tables, and the walks on these.
_TABLE, _DRAWS, _FAKES = 1, 2, 3


@dataclass(frozen=True, eq=False)
class WalkCampaign:
    """Toys that are walks: of one walker each on the observed table, or of all of them on a fake table each.

    It has the methods of `nplm.toys.campaign.Campaign` that engines and stores ask for. t of a toy is K, its parameters
    are the strengths, and its yield is the number of events. Toy i depends on the campaign and on i alone.

    Arguments:
        what: "walkers" or "fakes".
        table: the regions as they were observed.
        templates: the signals.
        graph: which analyses may be combined.
        settings: of the walks.
        seed: root of all random numbers.
        errors: how expectations of fake tables are uncertain.
        limited: whether regions outside of a combination limit mu^.
        likelihoods: full ones, by analysis, whose bins are its regions in the order of the table.
    """

    what: Literal["walkers", "fakes"]
    table: RegionTable
    templates: Templates
    graph: CompatibilityGraph
    settings: WalkSettings
    seed: int = 1
    errors: Uncertainty = "gaussian"
    limited: bool = True
    likelihoods: Mapping[str, WorkspaceLikelihood] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require_seed(self.seed)

    def plan(self) -> Plan:
        """What decides about the values of the toys."""
        steps = {"steps": self.settings.steps, "most": self.settings.most}
        if self.what == "fakes":
            steps["walkers"] = self.settings.walkers
        counts = {"observed": _digest(self.table.observed)} if self.what == "walkers" else {"errors": self.errors}
        table = self.table
        full = {name: _digest(*each.data) for name, each in self.likelihoods.items()}
        return Plan.of(
            {
                "what": f"channels {self.what}",
                "seed": self.seed,
                **steps,
                **counts,
                **({"likelihoods": full} if full else {}),
                "regions": _digest(table.expected, table.error, *(c.matrix for c in table.covariances.values())),
                "names": hashlib.sha256("\n".join(map(table.title, range(len(table)))).encode()).hexdigest(),
                "templates": list(self.templates.names),
                "yields": _digest(self.templates.yields, self.templates.cost),
                "allowed": _digest(self.graph.allowed),
                "limited": self.limited,
            }
        )

    def describe(self) -> dict[str, Any]:
        """Where the toys come from, for people."""
        drawn = "tables drawn from the background" if self.what == "fakes" else "walks on the observed table"
        return {"toys": drawn, "table": self.table.name, "combined": self.graph.rule}

    def run(self, indices: Sequence[int]) -> ToyTable:
        """Walks of the toys with the given numbers."""
        found, seconds, events = [], [], []
        for i in indices:
            began = time.perf_counter()
            if self.what == "walkers":
                found.append(walk(self.scorer, self.settings, (self.seed, _TABLE, i)))
                events.append(self.table.observed.sum())
            else:
                scorer = self.fake_scorer(i)
                found.append(best_walk(scorer, self.settings, (self.seed, _FAKES, i)))
                events.append(scorer.table.observed.sum())
            seconds.append(time.perf_counter() - began)
        none = np.zeros(len(found))
        return ToyTable(
            index=np.array(indices, dtype=np.int64),
            t=np.array([each.score.k for each in found]),
            total_weight=np.array(events, dtype=np.float64),
            converged=none == 0,
            starts_agreeing=none.astype(np.int64),
            failure=np.array([""] * len(found), dtype=object),
            seconds=np.array(seconds),
            parameters=np.array([each.strengths for each in found]).reshape(len(found), len(self.templates.names)),
        )

    def fake_scorer(self, index: int) -> Scorer:
        """Scores sets of templates on fake table number `index`: the counts that the background alone would give.

        Where there is a full likelihood, its counts and auxiliary data are drawn from the workspace as fitted to what
        was observed without a signal.
        """
        rng = np.random.default_rng([self.seed, _DRAWS, index])
        counts = draw_counts(self.table, rng, 1, self.errors)[0]
        drawn = {name: likelihood.drawn(rng) for name, likelihood in self.likelihoods.items()}
        for name, likelihood in drawn.items():
            counts[self.table.rows[name]] = likelihood.counts
        return Scorer(self.table.with_observed(counts), self.templates, self.graph, self._limits, drawn)

    @cached_property
    def scorer(self) -> Scorer:
        """Scores sets of templates on the observed table."""
        return Scorer(self.table, self.templates, self.graph, self._limits, self.likelihoods)

    def found(self, strengths: np.ndarray) -> Found:
        """What a set is worth on the observed table."""
        return Found(self.scorer.score(strengths), strengths)

    @cached_property
    def _limits(self) -> UpperLimits | None:
        return UpperLimits(self.table) if self.limited else None


def _digest(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
