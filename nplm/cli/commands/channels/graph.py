"""The command `nplm channels graph`: which analyses may be combined, why not, and the best allowed combination."""

from __future__ import annotations

from nplm.cli.commands.channels.options import GraphOptions
from nplm.cli.commands.channels.writing import finish, output_folder, read_full, read_table
from nplm.cli.reading import refusing_bad_input


def run_graph(options: GraphOptions) -> int:
    """Runs `nplm channels graph`; all input is read before anything is computed or written.

    Raises:
        CommandError: if the input or the output folder is bad.
    """
    folder = output_folder("graph", options)
    table, likelihoods = read_table(options), read_full(options)
    from nplm.channels.cliques import require_networkx
    from nplm.channels.combination import best_combination
    from nplm.channels.combination_text import combination_line
    from nplm.channels.graph import compatibility_graph
    from nplm.channels.templates import read_templates
    from nplm.report.channels import write_combination

    with refusing_bad_input():
        require_networkx()
        graph = compatibility_graph(table, options.compatible)
        templates = None if options.templates is None else read_templates(options.templates, table)
    return finish(
        "graph",
        options,
        folder,
        lambda: best_combination(
            table,
            graph,
            templates=templates,
            template=options.template,
            maximal=not options.subsets,
            likelihoods=likelihoods,
        ),
        write_combination,
        combination_line,
    )
