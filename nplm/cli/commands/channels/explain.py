"""The command `nplm channels explain`: which templates explain a table, and how often chance does."""

from __future__ import annotations

import sys
from pathlib import Path

from nplm.cli.commands.channels.options import ExplainOptions
from nplm.cli.commands.channels.writing import finish, output_folder, read_full, read_table
from nplm.cli.errors import ExitCode
from nplm.cli.output import say
from nplm.cli.reading import refusing_bad_input
from nplm.cli.refusing import refusing_failed_toys
from nplm.cli.terminal import Reporter


def run_explain(options: ExplainOptions) -> int:
    """Runs `nplm channels explain`; all input is read before anything is computed or written.

    Returns:
        The exit code: done or interrupted.

    Raises:
        CommandError: if the input, the store or the output folder is bad.
    """
    folder = output_folder("explain", options)
    table, likelihoods = read_table(options), read_full(options)
    from nplm.channels.cliques import require_networkx
    from nplm.channels.explain import explain_excesses
    from nplm.channels.explain_text import explain_line
    from nplm.channels.graph import compatibility_graph
    from nplm.channels.templates import read_templates
    from nplm.report.channels import write_explained

    with refusing_bad_input():
        require_networkx()
        templates = read_templates(options.templates, table)
        graph = compatibility_graph(table, options.compatible)
    engine = None
    if options.workers is not None:
        from nplm.toys.engines.processes import LocalProcesses

        engine = LocalProcesses(options.workers)
    kept = "nothing is kept" if options.store is None else f"what was done is kept in {options.store}"
    try:
        with refusing_failed_toys(options.store or Path(), lambda: kept):
            return finish(
                "explain",
                options,
                folder,
                lambda: explain_excesses(
                    table,
                    templates,
                    graph,
                    walkers=options.walkers,
                    steps=options.steps,
                    most=options.most,
                    fakes=options.fakes,
                    seed=options.seed,
                    errors=options.errors,  # type: ignore[arg-type]
                    limited=options.limits,
                    likelihoods=likelihoods,
                    store=options.store,
                    engine=engine,
                    notify=Reporter(options.quiet).note,
                ),
                write_explained,
                explain_line,
            )
    except KeyboardInterrupt:
        again = ". The same command runs the rest" if options.store is not None else ": give --store to keep it"
        say(f"nplm: interrupted; {kept}{again}", sys.stderr)
        return ExitCode.INTERRUPTED
