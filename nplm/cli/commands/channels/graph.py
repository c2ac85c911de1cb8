"""The command `nplm channels graph`: which analyses may be combined, and the best allowed combination."""

from __future__ import annotations

import json

import numpy as np

from nplm.cli.commands.channels.options import GraphOptions
from nplm.cli.commands.channels.writing import read_full, read_table
from nplm.cli.errors import ExitCode
from nplm.cli.output import say
from nplm.cli.reading import refusing_bad_input
from nplm.wording.numbers import printable
from nplm.wording.tables import aligned, labelled

SCHEMA = "nplm-graph/1"


def run_graph(options: GraphOptions) -> int:
    """Runs `nplm channels graph`.

    Raises:
        CommandError: if the input is bad.
    """
    table, likelihoods = read_table(options), read_full(options)
    from nplm.channels.graph import compatibility_graph
    from nplm.channels.score import Scorer
    from nplm.channels.templates import read_templates

    with refusing_bad_input():
        graph = compatibility_graph(table, options.compatible)
        weights = dict.fromkeys(graph.names, 1.0)
        if options.templates is not None:
            templates = read_templates(options.templates, table)
            if options.template not in templates.names:
                raise ValueError(
                    f"{options.templates} has no template '{options.template}': there are {', '.join(templates.names)}"
                )
            scorer = Scorer(table, templates, graph, None, likelihoods)
            weights = dict(scorer.expected_gains(templates.yields[templates.names.index(options.template)]))
        best, weight = graph.best(weights, maximal=not options.subsets)
        sets = graph.maximal_sets
    document = {
        "schema": SCHEMA,
        "rule": graph.rule,
        "analyses": list(graph.names),
        "allowed": [
            [graph.names[i], graph.names[j]] for i, j in zip(*np.nonzero(np.triu(graph.allowed, 1)), strict=True)
        ],
        "maximal_sets": sets,
        "best": {"analyses": list(best), "weight": weight, "of": options.template or "most analyses"},
    }
    if options.json:
        say(json.dumps(document, indent=2, allow_nan=False))
        return ExitCode.DONE
    rows = [("analysis", "regions", "combines with", "in the best")]
    for i, name in enumerate(graph.names):
        others = int(graph.allowed[i].sum())
        rows.append((printable(name), str(len(table.rows[name])), f"{others} others", "yes" if name in best else ""))
    what = f"expected gain of {options.template} at strength 1" if options.template else "most analyses"
    numbers = [
        ("rule", printable(graph.rule)),
        ("pairs", f"{graph.pairs:,} of {len(graph.names) * (len(graph.names) - 1) // 2:,} may be combined"),
        ("sets", f"{sets:,} to which no analysis can be added"),
        ("best", f"{printable(', '.join(best))} ({what}: {weight:.4g})"),
    ]
    say("\n".join(["NPLM compatibility graph", *aligned(rows, right=(1,)), *labelled(numbers)]))
    return ExitCode.DONE
