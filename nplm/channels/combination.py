"""Which analyses of a table may be combined, why others may not, and the allowed combination of largest weight."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from nplm._util.versions import versions
from nplm.channels.combination_result import CombinationResult
from nplm.channels.graph import CompatibilityGraph, compatibility_graph
from nplm.channels.score import Scorer
from nplm.channels.table import RegionTable
from nplm.channels.templates import Templates
from nplm.channels.workspace_likelihood import WorkspaceLikelihood, require_bins


def best_combination(
    table: RegionTable,
    compatible: CompatibilityGraph | str | Sequence[str] | Path,
    *,
    templates: Templates | None = None,
    template: str | None = None,
    maximal: bool = True,
    likelihoods: Mapping[str, WorkspaceLikelihood] | None = None,
) -> CombinationResult:
    """The allowed combination that has most analyses, or that is to gain most from a signal, before any data are used.

    The weight of an analysis is one; with a template what 2 log L gains on average from it at strength 1, its
    information (`nplm.channels.score.Scorer.expected_gains`), and analyses in which it has no yield are left out.

    Arguments:
        table: the regions.
        compatible: which analyses may be combined: a graph, or what `compatibility_graph` makes one of.
        templates, template: signals, and which of them.
        maximal: whether only sets count to which no further analysis could be added.
        likelihoods: full likelihoods of workspaces, by analysis, see `read_likelihoods`.

    Raises:
        ValueError: if there is no such template, something does not fit, or networkx is not installed.

    Example:
        >>> table = RegionTable.from_columns({"region": ["A", "B", "C"], "analysis": ["x", "y", "z"], "experiment":
        ...     ["1", "1", "2"], "observed": [1, 2, 3], "expected": [1.0, 2.0, 3.0], "error": [0.1, 0.2, 0.3]})
        >>> best_combination(table, "experiment").best
        ('x', 'z')
    """
    began = time.perf_counter()
    graph = compatible if isinstance(compatible, CompatibilityGraph) else compatibility_graph(table, compatible)
    full = dict(likelihoods or {})
    require_bins(table, full)
    weights = dict.fromkeys(graph.names, 1.0)
    if (templates is None) != (template is None):
        raise ValueError("templates and the name of one of them go together: whose signal the analyses are to see")
    if templates is not None and template is not None:
        if template not in templates.names:
            raise ValueError(f"there is no template '{template}': there are {', '.join(templates.names)}")
        scorer = Scorer(table, templates, graph, None, full)
        weights = dict(scorer.expected_gains(templates.yields[templates.names.index(template)]))
    best, weight = graph.best(weights, maximal=maximal)
    return CombinationResult(
        table=table.name,
        graph=graph,
        regions={name: len(rows) for name, rows in table.rows.items()},
        weights=weights,
        best=best,
        weight=weight,
        template=template or "",
        maximal_sets=graph.maximal_sets,
        seconds={"combination": time.perf_counter() - began},
        versions=versions(),
        configuration={"table": table.name, "combined": graph.rule, "template": template, "maximal": maximal},
    )
