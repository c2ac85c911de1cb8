"""Which analyses may be combined, and the best combination, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from nplm._util.json_values import json_value
from nplm.channels.combination_text import combination_text
from nplm.channels.graph import CompatibilityGraph
from nplm.hypotest.saved import SavedResult

SCHEMA = "nplm-graph/1"


@dataclass(frozen=True, eq=False)
class CombinationResult(SavedResult):
    """The answer of `best_combination`.

    Arguments:
        table: its name.
        graph: which analyses may be combined.
        regions: how many each analysis has.
        weights: of the analyses that count.
        best: the allowed combination of largest weight.
        weight: its weight, the sum of those of its analyses.
        template: whose expected gain the weights are; empty where each analysis counts one.
        maximal_sets: to which no analysis can be added.
        seconds: wall time.
        versions: of nplm, Python and the packages that compute.
        configuration: settings.
    """

    table: str
    graph: CompatibilityGraph
    regions: Mapping[str, int]
    weights: Mapping[str, float]
    best: tuple[str, ...]
    weight: float
    template: str
    maximal_sets: int
    seconds: Mapping[str, float]
    versions: Mapping[str, str]
    configuration: Mapping[str, Any]

    @property
    def notes(self) -> tuple[str, ...]:
        """Cautions that belong beside the numbers: none, as no data are used."""
        return ()

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values, following the schema nplm-graph/1."""
        graph, pairs = self.graph, list(combinations(range(len(self.graph.names)), 2))
        plain: dict[str, Any] = json_value(
            {
                "schema": SCHEMA,
                "rule": graph.rule,
                "analyses": list(graph.names),
                "allowed": [[graph.names[i], graph.names[j]] for i, j in pairs if graph.allowed[i, j]],
                "excluded": [
                    {"pair": [graph.names[i], graph.names[j]], "why": graph.why_not(i, j)}
                    for i, j in pairs
                    if not graph.allowed[i, j]
                ],
                "maximal_sets": self.maximal_sets,
                "weights": self.weights,
                "best": {
                    "analyses": list(self.best),
                    "weight": self.weight,
                    "of": self.template or "most analyses",
                },
                "seconds": sum(self.seconds.values()),
                "versions": self.versions,
                "configuration": self.configuration,
            }
        )
        return plain

    def __repr__(self) -> str:
        return combination_text(self)
