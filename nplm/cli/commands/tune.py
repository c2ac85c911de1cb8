"""The command `nplm tune`: finds the clip at which t of the null is a chi2, for one network or several."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING, cast

from nplm._util.versions import versions
from nplm.cli.commands.toys.options import RunOptions
from nplm.cli.commands.toys.run import engine_of
from nplm.cli.commands.toys.setup import Setup, setup_of
from nplm.cli.commands.tune_options import Options, command_of
from nplm.cli.coordinates_options import periods
from nplm.cli.errors import ExitCode, OutputError
from nplm.cli.options import written_layers
from nplm.cli.output import say
from nplm.cli.reading import known_yield, refusing_bad_input
from nplm.cli.refusing import refusing_bad_output, refusing_failed_toys
from nplm.cli.terminal import Reporter
from nplm.report.manifest import manifest_of, some, written_into
from nplm.wording.durations import format_seconds

if TYPE_CHECKING:
    from nplm.data.coordinates import CoordinateKind
    from nplm.tuning.result import Tuned
    from nplm.tuning.tuner import Tuning

_PROGRAM = "nplm tune"


def run_tune(options: Options) -> int:
    """Runs `nplm tune`.

    Returns:
        The exit code: done or interrupted.

    Raises:
        CommandError: if the input, the folder or the engine is bad, or too many fits fail.
    """
    from nplm.tuning.result_text import tune_text

    reporter = Reporter(options.quiet)
    setup = setup_of(RunOptions.null_like(options), reporter.note)
    _usable(options.output)
    tunings = [_tuning(options, hidden, setup, reporter) for hidden in options.hidden]
    results = []
    command = join(command_of(options))
    kept = f"toys that were done are in {options.output}"
    try:
        with refusing_failed_toys(options.output, lambda: kept), written_into(options.output, _PROGRAM, command):
            for hidden, tuning in zip(options.hidden, tunings, strict=True):
                reporter.note(f"network {written_layers(hidden)}: {_expected_cost(tuning)}")
                with reporter.expect(tuning.most_toys):
                    results.append(tuning.run())
    except KeyboardInterrupt:
        say(f"nplm: interrupted; the same command goes on with the toys in {options.output}", sys.stderr)
        return ExitCode.INTERRUPTED
    document = _write(options, results, command)
    say(document if options.json else tune_text(results))
    return ExitCode.DONE


def _tuning(options: Options, hidden: tuple[int, ...], setup: Setup, reporter: Reporter) -> Tuning:
    from nplm.models.network.model import NetworkModel
    from nplm.statistic import LikelihoodRatio
    from nplm.toys.campaign import Campaign
    from nplm.tuning.tuner import TuneSettings, Tuning

    with refusing_bad_input():
        test = LikelihoodRatio(
            setup.reference,
            NetworkModel(hidden=hidden, clip_biases=options.clip_biases, reference_exact=options.reference_exact),
            expected_yield=known_yield(options, setup.reference),
            coordinates=cast("CoordinateKind", options.coordinates),
            circular=periods(options.circular),
        )
        campaign = Campaign(test, setup.sampler(test), options.seed)
        campaign.plan()
    return Tuning(
        campaign,
        TuneSettings(options.toys, options.start),
        folder=options.output / f"hidden-{written_layers(hidden)}",
        engine=engine_of(options, reporter.note),
        batch=options.batch,
        on_toys=reporter.advance,
        notify=reporter.note,
    )


def _expected_cost(tuning: Tuning) -> str:
    """The projected time of one pass through all toys, and how many passes tuning takes."""
    test, toys = tuning.campaign.test, tuning.settings.toys
    seconds = test.prepared.projected_seconds(tuning.campaign.draw(0), toys)
    return f"about {format_seconds(seconds)} for each of 4 to 7 passes through {toys} toys"


def _usable(folder: Path) -> None:
    """Makes the folder, or refuses it before any toy is run."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        others = manifest_of(folder, _PROGRAM).others()
    except OSError as error:
        raise OutputError(f"{folder} cannot be used: {error.strerror or error}; choose another -o") from error
    if others:
        raise OutputError(f"{folder} holds other files ({some(others)}); choose another -o")


def _write(options: Options, results: list[Tuned], command: str) -> str:
    """Writes tune.json, tune.md and the plots; returns the JSON text."""
    from nplm._util.files import atomic_path
    from nplm.plot.qq import plot_qq
    from nplm.plot.style import save_figure
    from nplm.plot.tune import plot_tune
    from nplm.tuning.result_text import choice, tune_dict, tune_markdown

    found = {**tune_dict(results), "command": command, "versions": versions()}
    document = json.dumps(found, indent=2, allow_nan=False)
    texts = {"tune.json": document, "tune.md": f"{tune_markdown(results)}\n\n{choice(results)}"}
    with refusing_bad_output(options.output), written_into(options.output, _PROGRAM, command):
        for name, content in texts.items():
            with atomic_path(options.output / name) as temporary:
                temporary.write_text(content + "\n", encoding="utf-8")
        for result in results:
            stem = f"tune-{written_layers(result.hidden)}"
            save_figure(plot_tune(result), options.output / stem)
            # Against the chi2 that fits them: with the one sought, whose mean they were given, they agree too well.
            if result.check_t is not None and result.check is not None and result.check.fitted is not None:
                save_figure(plot_qq(result.check_t, summary=result.check), options.output / f"{stem}-qq")
    return document
