"""The commands of `nplm`: how each is parsed, and what runs it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NoReturn, TextIO

from nplm.cli.errors import DOCTOR_MEANINGS, MEANINGS, UsageError
from nplm.cli.output import say

Values = Mapping[str, Any]

_TEST_EXAMPLES = """examples:
  nplm test data.parquet --reference simulation.parquet --features mll pt --weights w -o run1
  nplm test data.root --reference A.root=1200 B.root=300 --where "mll > 60" -o run2
  nplm test data.npz --reference ref.npz --expected-yield 2000 --model histogram --json | jq .p_value
  nplm test data.npz --reference ref.npz --expected-yield 2000 --model kernel --widths 0.3,0.7,1.4,4.5 -o run3
"""
_RUN_EXAMPLES = """examples:
  nplm toys run --reference ref.npz --weights w --clip 7 --toys 400 -o null
  nplm toys run --reference ref.npz --weights w --clip 7 --signal peak.npz --signal-yield 10 --seed 2 -o peak
  nplm toys run --reference ref.npz --weights w --clip 7 --toys 10000 --shard 3/100 -o null   (in an array job)
  nplm toys run --problem toys.exponential --signal tail --toys 400 --workers 2 -o tail      (in a clone of nplm)
"""
_TUNE_EXAMPLES = """examples:
  nplm tune --reference ref.npz --weights w -o tuned
  nplm tune --reference ref.npz --weights w --hidden 4 5x5 10 --toys 100 -o tuned
"""
_PREPARE_EXAMPLES = """examples:
  nplm prepare --reference ref.npz --weights w --width 2.3 --centers 1000 -o prepared.npz
  nplm test data.npz --reference ref.npz --weights w --model kernel --width 2.3 --centers 1000 \\
      --prepared prepared.npz -o run1
"""
_LEARN_EXAMPLES = """the file, with paths relative to it:
  central: reference.npz            # events at nu = 0
  weights: w                        # column of weights, in all files
  features: [mll, pt]
  nuisances:
    scale:
      sigma: 0.01
      files: {-0.01: down.npz, 0.01: up.npz}     # samples by the value of nu
    muR:
      sigma: 1
      weights: {-1: w_down, 1: w_up}             # or columns of weights of the central events
More keys: expected_yield, where, tree, yields (keep, factor-out), pairs (cross terms), settings (members, hidden,
loss, form, held_out, iterations, tolerance, seed); of a nuisance: inputs, yield_effect.

examples:
  nplm learn nuisances.yaml -o learned
"""
_VALIDATE_EXAMPLES = """examples:
  nplm validate madgraph.parquet sherpa.parquet --weights w --features mll pt -o compared
  nplm validate old.npz new.npz --expected-ratio 1 --n-sweep 500,1000,2000,5000 -o versions
  nplm validate tune1.npz tune2.npz tune3.npz --names A14 CP5 Monash -o tunes
"""
_HUNT_EXAMPLES = """examples:
  nplm hunt events.parquet --resonance mjj --resolution 80 --features tau21 mjet -o hunted
  nplm hunt events.root --resonance m --resolution "0.02*m" --where "2500 < m < 6500" -o hunted
  nplm hunt events.npz --resonance m --signal-region 3.4 3.8 --json | jq .p_value
"""
_MEASURE_EXAMPLES = """examples:
  nplm measure data.npz --reference ref.npz --weights w --parameters parameters.yaml -o measured
  nplm measure data.npz --reference ref.npz --weights w --parameters parameters.yaml --nuisances known.yaml -o measured
  nplm measure --reference ref.npz --weights w --parameters parameters.yaml --expected --limit mu --json
"""
_COMBINE_EXAMPLES = """examples:
  nplm channels combine ee/result.json mumu/result.json tautau/result.json -o combined
  nplm channels combine ee/result.json mumu/result.json --how sum --json | jq .p_value
  nplm channels combine a/result.json b/result.json --events a.npz b.npz --how min-p -o combined

a file given with --overlap (JSON) has the numbers of shared events, by the names of channels,
  {"shared": [["a", "b", 1200]]}
or correlations of Z-scores
  {"order": ["a", "b"], "correlation": [[1, 0.3], [0.3, 1]]}
"""
_REGIONS_EXAMPLES = """examples:
  nplm channels regions regions.csv -o regions
  nplm channels regions regions.csv --covariances covariances.json --by analysis experiment -o regions
  nplm channels regions regions.csv --errors gamma --json | jq .factors[0]
"""
_GRAPH_EXAMPLES = """examples:
  nplm channels graph regions.csv --compatible "experiment energy" -o graph
  nplm channels graph regions.csv --compatible pairs.csv --templates templates.csv --template stop
"""
_EXPLAIN_EXAMPLES = """examples:
  nplm channels explain regions.csv --templates templates.csv --compatible "experiment energy" -o explained
  nplm channels explain regions.csv --templates templates.csv --compatible pairs.csv --fakes 1000 --workers 8 \\
      --store walks -o explained       (walks and fake tables are kept: the same command goes on)
"""
_MONITOR_EXAMPLES = """examples:
  nplm monitor ref.parquet --folder runs --false-alarms-per-day 1 --windows-per-day 96 -o quality
  nplm monitor ref.parquet --folder runs --follow --window 2000 --step 500 -o quality
  producer | nplm monitor ref.parquet --stream arrow --window 10000 --time t --expected-rate 40 -o quality
"""
_POWER_EXAMPLES = """examples:
  nplm power --reference ref.npz --weights w --signal peak.npz --n 10,20,50 --width 2.3 --centers 1000
  nplm power data.npz --reference ref.npz --weights w --signal peak.npz --n 20 --widths 0.3,0.7,2.3
  nplm power --reference ref.npz --weights w --ratio learned/eft.npz --at c=0.2 c=-0.3 --width 1
"""
_CLOSURE_EXAMPLES = """examples:
  nplm closure --reference ref.npz --weights w --signal peak.npz --n 10,20,50 --width 0.7 -o closure
  nplm closure --reference ref.npz --weights w --signal peak.npz --n 50 --model network --clip 7 --toys 400 -o closure
"""


@dataclass(frozen=True)
class CommandParser:
    """A command: its parser, and what runs it with the parsed values."""

    parser: argparse.ArgumentParser
    run: Callable[[Values], int]


class _Parser(argparse.ArgumentParser):
    """Raises instead of leaving the program, so that every error ends in the same place.

    Arguments:
        declare: adds the options, once they are needed: nobody should wait for those of other commands.
        settings: of `argparse.ArgumentParser`.
    """

    def __init__(self, declare: Callable[[argparse.ArgumentParser], None] | None = None, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **settings)
        self._declare = declare

    def _declared(self) -> None:
        declare, self._declare = self._declare, None
        if declare is not None:
            declare(self)

    def parse_known_args(self, *arguments: Any, **settings: Any) -> Any:
        self._declared()
        return super().parse_known_args(*arguments, **settings)

    def format_help(self) -> str:
        self._declared()
        return super().format_help()

    def error(self, message: str) -> NoReturn:
        raise UsageError(message)

    def print_help(self, file: TextIO | None = None) -> None:  # type: ignore[override]
        say(self.format_help().rstrip(), file)


def command_parsers() -> tuple[argparse.ArgumentParser, dict[str, CommandParser]]:
    """The parser of `nplm`, and its commands by name."""
    parser = _Parser(
        prog="nplm",
        description="New Physics Learning Machine: do two samples agree, and if not, where?",
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("--cite", action="store_true", help="print what to cite, as text and as BibTeX")
    parser.add_argument(
        "--no-compilation-cache",
        action="store_true",
        help="before a command: neither read nor keep compiled programs in the user's cache folder",
    )
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    codes = _exit_codes(MEANINGS)
    test = subparsers.add_parser(
        "test",
        declare=_options("test_options", "add_options"),
        usage="nplm test DATA --reference REF [REF ...] -o OUT [options]",
        help="test whether data agree with a reference",
        description="Tests whether DATA agree with a reference: likelihood-ratio test with a calibrated p-value.",
        epilog=f"{_TEST_EXAMPLES}\n{codes}",
    )
    toys = subparsers.add_parser(
        "toys",
        usage="nplm toys run | status | merge | show",
        help="run and use ensembles of toys",
        description="Runs toys into a store (run), says what stores hold (status), makes one of several (merge), and"
        " shows what their toys say about the null and the power (show).",
        epilog=codes,
    )
    kinds = toys.add_subparsers(dest="subcommand", metavar="COMMAND")
    run = kinds.add_parser(
        "run",
        declare=_options("toys.options", "add_run_options"),
        usage="nplm toys run (--reference REF [REF ...] | --problem MODULE[:NAME]) -o STORE [options]",
        help="draw and fit toys; goes on where an earlier call ended",
        description="Draws toys, fits them and stores t. The same command goes on with what is missing.",
        epilog=f"{_RUN_EXAMPLES}\n{codes}",
    )
    status = kinds.add_parser(
        "status",
        declare=_options("toys.options", "add_status_options"),
        usage="nplm toys status STORE [STORE ...] [--json]",
        help="what toy stores hold",
        description="Says what toy stores hold.",
        epilog=codes,
    )
    merge = kinds.add_parser(
        "merge",
        declare=_options("toys.options", "add_merge_options"),
        usage="nplm toys merge STORE [STORE ...] -o OUT",
        help="put the toys of several stores, such as shards, into one",
        description="Puts the toys of several stores of one plan into one, and says which are missing.",
        epilog=codes,
    )
    show = kinds.add_parser(
        "show",
        declare=_options("toys.options", "add_show_options"),
        usage="nplm toys show STORE [--null STORE] [-o OUT] [options]",
        help="what the toys say: null, compatibility with chi2, power",
        description="Shows mean and width of t and how well it follows a chi2; with --null the Z of toys with a"
        " signal, and the power.",
        epilog=codes,
    )
    tune = subparsers.add_parser(
        "tune",
        declare=_options("tune_options", "add_options"),
        usage="nplm tune (--reference REF [REF ...] | --problem MODULE[:NAME]) -o OUT [options]",
        help="find the clip at which t of the null is a chi2",
        description="Finds the weight clipping at which t on null toys is a chi2 with as many degrees of freedom as"
        " the network has parameters. The same command goes on with what is missing.",
        epilog=f"{_TUNE_EXAMPLES}\n{codes}",
    )
    prepare = subparsers.add_parser(
        "prepare",
        declare=_options("prepare_options", "add_options"),
        usage="nplm prepare --reference REF [REF ...] -o FILE [options]",
        help="prepare a kernel model once, for many tests",
        description="Prepares a kernel model: centres, modes and the reference in them, in a file for --prepared.",
        epilog=f"{_PREPARE_EXAMPLES}\n{codes}",
    )
    power = subparsers.add_parser(
        "power",
        declare=_options("power_options", "add_options"),
        usage=(
            "nplm power [DATA] --reference REF [REF ...] --signal FILE --n N1,N2,... [options]\n"
            "       nplm power --reference REF [REF ...] --ratio FILE --at NAME=VALUE ... [options]"
        ),
        help="the Z that a signal, or an operator, would have, without toys",
        description="Computes the Z-scores that data with a signal would have with a kernel model, without toys.",
        epilog=f"{_POWER_EXAMPLES}\n{codes}",
    )
    closure = subparsers.add_parser(
        "closure",
        declare=_options("closure_options", "add_options"),
        usage="nplm closure --reference REF [REF ...] --signal FILE --n N1,N2,... [-o OUT] [options]",
        help="the Z of injected signals, next to the best test, and the size without a signal",
        description="Injects signals into toys of a reference: the median Z that a test finds, next to that of a test"
        " that knows the signal, and how often it fires without one.",
        epilog=f"{_CLOSURE_EXAMPLES}\n{codes}",
    )
    learn = subparsers.add_parser(
        "learn",
        declare=_options("learn_options", "add_options"),
        usage="nplm learn FILE -o OUT [options]",
        help="learn how nuisances move the reference, from varied samples or weights",
        description="Learns log-ratios from samples or weights at several values of nuisances, checks them on events"
        " that were held out, and stores them.",
        epilog=f"{_LEARN_EXAMPLES}\n{codes}",
    )
    validate = subparsers.add_parser(
        "validate",
        declare=_options("validate_options", "add_options"),
        usage="nplm validate SAMPLE SAMPLE [SAMPLE ...] -o OUT [options]",
        help="test whether two finite samples are from one distribution, or compare several",
        description="Tests whether two finite, weighted samples are from one distribution, and shows where not; of more"
        " samples each is compared with each.",
        epilog=f"{_VALIDATE_EXAMPLES}\n{codes}",
    )
    hunt = subparsers.add_parser(
        "hunt",
        declare=_options("hunt_options", "add_options"),
        usage="nplm hunt DATA --resonance NAME --resolution R -o OUT [options]",
        help="look for a bump that other features may point at, without a simulation",
        description="Looks for what is localized in one feature, in its spectrum and in all other features: the"
        " background is what changes smoothly with it, and no simulation is needed.",
        epilog=f"{_HUNT_EXAMPLES}\n{codes}",
    )
    measure = subparsers.add_parser(
        "measure",
        declare=_options("measure_options", "add_options"),
        usage="nplm measure [DATA] --reference REF [REF ...] --parameters FILE -o OUT [options]",
        help="fit a parametric model, and ask whether anything is left",
        description="Fits parameters of interest, beside constrained nuisances, without bins: values with errors,"
        " intervals, contours and limits, and whether the best member of the model describes the data.",
        epilog=f"{_MEASURE_EXAMPLES}\n{codes}",
    )
    channels = subparsers.add_parser(
        "channels",
        usage="nplm channels combine | regions | graph | explain",
        help="many results as one statement",
        description="One statement of many results: results of tests (combine), tables of counting regions (regions),"
        " analyses that may be combined (graph), and what an excess may be (explain).",
        epilog=codes,
    )
    statements = channels.add_subparsers(dest="subcommand", metavar="COMMAND")
    combine = statements.add_parser(
        "combine",
        declare=_options("channels.options", "add_combine_options"),
        usage="nplm channels combine RESULT.json RESULT.json [...] [-o OUT] [options]",
        help="one p-value for several results, independent or overlapping",
        description="Combines the p-values, or the t, of several results into one, and says which channel leads.",
        epilog=f"{_COMBINE_EXAMPLES}\n{codes}",
    )
    regions = statements.add_parser(
        "regions",
        declare=_options("channels.options", "add_regions_options"),
        usage="nplm channels regions TABLE [-o OUT] [options]",
        help="p-values of counting regions, whether their errors are right, and what stands out",
        description="Exact p-values of counting regions, their histogram beside what is expected of it if errors are"
        " right or not, the factor of the errors that fits best, and the extremes with their trials factor.",
        epilog=f"{_REGIONS_EXAMPLES}\n{codes}",
    )
    graph = statements.add_parser(
        "graph",
        declare=_options("channels.options", "add_graph_options"),
        usage="nplm channels graph TABLE --compatible RULE [-o OUT] [options]",
        help="which analyses may be combined, and the best allowed combination",
        description="Says which analyses of a table may be combined, which not and why, and which combination is best.",
        epilog=f"{_GRAPH_EXAMPLES}\n{codes}",
    )
    explain = statements.add_parser(
        "explain",
        declare=_options("channels.options", "add_explain_options"),
        usage="nplm channels explain TABLE --templates FILE --compatible RULE [-o OUT] [options]",
        help="which templates of signals explain a table, and how often chance does",
        description="Looks for the set of signal templates that describes a table best, with a penalty for each, and"
        " compares it with fake tables of the background alone.",
        epilog=f"{_EXPLAIN_EXAMPLES}\n{codes}",
    )
    monitor = subparsers.add_parser(
        "monitor",
        declare=_options("monitor_options", "add_options"),
        usage="nplm monitor REFERENCE [REFERENCE ...] (--folder DIR | --stream arrow|jsonl) -o OUT [options]",
        help="data quality: windows of data, one after another, against a reference run",
        description="Tests windows of data against a reference run: the shape, the rate, and drifts"
        " of both. A line of JSON for each window, a history in Parquet, and a page; the same command goes on.",
        epilog=f"{_MONITOR_EXAMPLES}\n{codes}",
    )
    doctor = subparsers.add_parser(
        "doctor",
        help="check the installation",
        description="Checks the installation.",
        epilog=_exit_codes(DOCTOR_MEANINGS),
    )
    return parser, {
        "test": CommandParser(test, _command(("test_options", "Options"), "test", "run_test")),
        "toys run": CommandParser(run, _command(("toys.options", "RunOptions"), "toys.run", "run_toys")),
        "toys status": CommandParser(status, _command(("toys.options", "StatusOptions"), "toys.status", "show_status")),
        "toys merge": CommandParser(merge, _command(("toys.options", "MergeOptions"), "toys.status", "run_merge")),
        "toys show": CommandParser(show, _command(("toys.options", "ShowOptions"), "toys.show", "show_toys")),
        "tune": CommandParser(tune, _command(("tune_options", "Options"), "tune", "run_tune")),
        "prepare": CommandParser(prepare, _command(("prepare_options", "Options"), "prepare", "run_prepare")),
        "power": CommandParser(power, _command(("power_options", "Options"), "power", "run_power")),
        "closure": CommandParser(closure, _command(("closure_options", "Options"), "closure", "run_closure")),
        "learn": CommandParser(learn, _command(("learn_options", "Options"), "learn", "run_learn")),
        "validate": CommandParser(validate, _command(("validate_options", "Options"), "validate", "run_validate")),
        "hunt": CommandParser(hunt, _command(("hunt_options", "Options"), "hunt", "run_hunt")),
        "measure": CommandParser(measure, _command(("measure_options", "Options"), "measure", "run_measure")),
        **{
            f"channels {name}": CommandParser(
                each, _command(("channels.options", f"{name.capitalize()}Options"), f"channels.{name}", f"run_{name}")
            )
            for name, each in (("combine", combine), ("regions", regions), ("graph", graph), ("explain", explain))
        },
        "monitor": CommandParser(monitor, _command(("monitor_options", "Options"), "monitor", "run_monitor")),
        "doctor": CommandParser(doctor, _command(None, "doctor", "doctor")),
    }


def _options(module: str, function: str) -> Callable[[argparse.ArgumentParser], None]:
    """What declares the options of a command."""
    return lambda parser: _of_command(module, function)(parser)


def _command(options: tuple[str, str] | None, module: str, function: str) -> Callable[[Values], int]:
    """What runs a command on its options, a class in a module, which it makes of the values."""

    def run(values: Values) -> int:
        from nplm.cli.style import drawing_in

        asked = None if options is None else _of_command(*options).of(values)
        with drawing_in(getattr(asked, "style", None), getattr(asked, "label", ())):
            code: int = _of_command(module, function)(asked)
        return code

    return run


def _of_command(module: str, name: str) -> Any:
    """Imported only when it is needed, as --help and usage errors should not wait for JAX, nor for other commands."""
    return getattr(import_module(f"nplm.cli.commands.{module}"), name)


def _exit_codes(meanings: Mapping[int, str]) -> str:
    return "exit codes:\n" + "\n".join(f"  {code:<5}{meaning}" for code, meaning in meanings.items())
