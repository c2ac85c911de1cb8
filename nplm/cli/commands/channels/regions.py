"""The command `nplm channels regions`: p-values of counting regions, their errors, and what stands out."""

from __future__ import annotations

from nplm.cli.commands.channels.options import RegionsOptions
from nplm.cli.commands.channels.writing import finish, output_folder, read_full, read_table
from nplm.cli.reading import refusing_bad_input


def run_regions(options: RegionsOptions) -> int:
    """Runs `nplm channels regions`; all input is read before anything is computed or written.

    Raises:
        CommandError: if the input or the output folder is bad.
    """
    folder = output_folder("regions", options)
    table, likelihoods = read_table(options), read_full(options)
    from nplm.channels.regions import examine_regions
    from nplm.channels.regions_text import regions_line
    from nplm.channels.templates import read_templates
    from nplm.report.channels import write_regions

    with refusing_bad_input():
        templates = None if options.templates is None else read_templates(options.templates, table)
    return finish(
        "regions",
        options,
        folder,
        lambda: examine_regions(
            table,
            options.errors,  # type: ignore[arg-type]
            by=options.by,
            factors=options.factors,
            bins=options.bins,
            most=options.most,
            draws=options.draws,
            seed=options.seed,
            likelihoods=likelihoods,
            templates=templates,
        ),
        write_regions,
        regions_line,
    )
