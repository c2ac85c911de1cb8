"""The command `nplm channels regions`: p-values of counting regions, their errors, and what stands out."""

from __future__ import annotations

from nplm.cli.commands.channels.options import RegionsOptions
from nplm.cli.commands.channels.writing import finish, output_folder, read_table


def run_regions(options: RegionsOptions) -> int:
    """Runs `nplm channels regions`; all input is read before anything is computed or written.

    Raises:
        CommandError: if the input or the output folder is bad.
    """
    folder = output_folder("regions", options)
    table = read_table(options)
    from nplm.channels.regions import examine_regions
    from nplm.channels.regions_text import regions_line
    from nplm.report.channels import write_regions

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
        ),
        write_regions,
        regions_line,
    )
