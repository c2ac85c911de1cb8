"""What the commands of `nplm channels` have in common: a table is read, and a result is written and said."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, Any

from nplm.cli.commands.channels.options import ExplainOptions, GraphOptions, OutputOptions, RegionsOptions, command_of
from nplm.cli.errors import ExitCode
from nplm.cli.output import say
from nplm.cli.reading import refusing_bad_input
from nplm.cli.refusing import refusing_bad_output
from nplm.report.run_folder import RunFolder

if TYPE_CHECKING:
    from nplm.channels.table import RegionTable
    from nplm.channels.workspace_likelihood import WorkspaceLikelihood


def read_table(options: RegionsOptions | GraphOptions | ExplainOptions) -> RegionTable:
    """The table of a command, with its covariances and its errors scaled.

    Raises:
        InputError: if a file is bad.
    """
    from nplm.channels.read import read_regions

    with refusing_bad_input():
        table = read_regions(options.table, options.covariances, options.files)
        return table if options.error_factor == 1 else table.scaled(options.error_factor)


def read_full(options: RegionsOptions | GraphOptions | ExplainOptions) -> Mapping[str, WorkspaceLikelihood]:
    """The full likelihoods that a command asks for, by analysis; none by default.

    Raises:
        InputError: if a file is bad.
    """
    from nplm.channels.read import read_likelihoods

    if options.likelihood != "full":
        return {}
    with refusing_bad_input():
        return read_likelihoods(options.table, options.files)


def output_folder(name: str, options: OutputOptions) -> RunFolder | None:
    """The folder given with -o, once it is known that it may be written.

    Raises:
        FolderError: if it holds something else.
    """
    if options.output is None:
        return None
    return RunFolder.check(options.output, join(command_of(name, options)), options.force, resume=False)


def finish(
    name: str,
    options: OutputOptions,
    folder: RunFolder | None,
    compute: Callable[[], Any],
    write: Callable[[Path, Any, dict[str, Any]], Path],
    line: Callable[[Any], str],
) -> int:
    """Computes a result, writes its folder, and says it as text or as JSON.

    Arguments:
        name: of the command.
        options: its options.
        folder: where it writes.
        compute: gives the result.
        write: writes the folder, of the result and its JSON values.
        line: the answer on one line.

    Returns:
        The exit code.
    """
    if folder is not None:
        folder.create()
    try:
        with refusing_bad_input(), refusing_bad_output(Path()):
            result = compute()
        document = result.to_dict()
        document["configuration"]["command"] = join(command_of(name, options))
        report = None
        if folder is not None:
            with folder.writing():
                folder.begin()
                report = write(folder.path, result, document)
                folder.finish(complete=True)
    finally:
        if folder is not None:
            folder.discard()
    if options.json:
        say(json.dumps(document, indent=2, allow_nan=False))
    else:
        say(f"{result!r}\n\n{line(result)}" + ("" if report is None else f"\nreport: {report}"))
    return ExitCode.DONE
