"""The options of `nplm monitor`: their names, their defaults, and which may stand together."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nplm.cli.commands.family_options import add_family_option
from nplm.cli.coordinates_options import (
    add_circular_option,
    add_coordinates_option,
    as_written,
    require_circular,
)
from nplm.cli.errors import UsageError
from nplm.cli.model_options import add_reference_exact_option
from nplm.cli.options import (
    FLAG,
    InputOptions,
    add_config_option,
    add_output_option,
    add_reference_options,
    output_or_refuse,
    require_input,
)
from nplm.cli.style import add_label_option
from nplm.cli.types import CircularFeature, Label, number, positive_count, positive_number, reference_file, text
from nplm.monitor.words import NO_OVERFLOW

# Options of one kernel of all features, which then takes the place of the family.
_KERNEL = ("width", "centers", "penalty", "selection", "coordinates", "reference_exact")


@dataclass(frozen=True, kw_only=True)
class Options(InputOptions):
    """What `nplm monitor` was asked to do; the fields are the long options, with their defaults."""

    output: Path
    folder: Path | None = None
    pattern: str = "*"
    stream: str | None = None
    replayed: bool = False
    follow: bool = False
    poll: float = 1.0
    window: int | None = None
    step: int | None = None
    time: str | None = None
    alpha: float | None = None
    false_alarms_per_day: float | None = None
    windows_per_day: float | None = None
    drift: bool = True
    shift: float = 1.0
    expected_rate: float | None = None
    reference_exposure: float | None = None
    exposure: float = 1.0
    least_events: int = 50
    family: tuple[str, ...] | None = None
    width: float | None = None
    centers: int | None = None
    penalty: float = 1e-6
    selection: str = "uniform"
    coordinates: str = "standardized"
    reference_exact: bool = False
    circular: tuple[CircularFeature, ...] = ()
    overflow: bool = False
    refresh: float = 10.0
    reports: bool = True
    label: tuple[Label, ...] = ()
    quiet: bool = False
    kernel: bool = False

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Options:
        """The options, with defaults for those that are not in `values`.

        Raises:
            UsageError: if something is missing, or options contradict each other.
        """
        values = {**values, "reference": (*values.get("run", ()), *values.get("reference", ()))}
        if not values["reference"]:
            raise UsageError("REFERENCE is missing; give the file of what is expected: nplm monitor REFERENCE ...")
        output = output_or_refuse(values, "the history")
        _require_source(values)
        if "folder" in values:
            values["folder"] = Path(values["folder"])
            if values["folder"].resolve() == output.resolve():
                raise UsageError("--folder and -o are the same folder; choose another -o")
        if "step" in values and "window" not in values:
            raise UsageError("--step goes with --window; give the events of a window")
        if values.get("step", 0) > values.get("window", 0):
            raise UsageError(f"--step {values['step']} is more than --window {values['window']}: events would be lost")
        _require_limits(values)
        if "expected_rate" in values and "reference_exposure" in values:
            raise UsageError("--expected-rate and --reference-exposure say the same thing; leave one of them out")
        if "exposure" in values and "time" in values:
            raise UsageError("--exposure is that of files without times; leave it out, or --time")
        rated = "expected_rate" in values or "reference_exposure" in values
        if rated and "window" in values and "time" not in values:
            raise UsageError("the rate of windows of a fixed number of events needs the times of events: add --time")
        if "expected_yield" in values:
            raise UsageError(
                "--expected-yield: a monitor compares shapes, and rates with --expected-rate; leave it out"
            )
        own = [name for name in _KERNEL if name in values]
        if own and "family" in values:
            raise UsageError(
                f"{as_written(own[0])} is an option of one kernel and --family chooses classes of tests; leave"
                " one of them out"
            )
        if values.get("overflow") and not own:
            raise UsageError(
                f"--{NO_OVERFLOW}; leave it out (verdicts name far events in any case), or take one kernel, as by"
                " --width"
            )
        require_input(values)
        require_circular(values)
        return cls._of({**values, "kernel": bool(own)})


def _require_source(values: Mapping[str, Any]) -> None:
    if ("folder" in values) == ("stream" in values):
        raise UsageError("give --folder DIR for files, or --stream arrow or jsonl for standard input, and not both")
    if "stream" in values:
        for name in ("follow", "pattern", "poll", "where"):
            if values.get(name):
                raise UsageError(f"--{name} is for files in a folder; leave it out with --stream")
        if values["stream"] == "jsonl" and "window" not in values:
            raise UsageError("lines of JSON come without an end of a window: add --window")
    elif values.get("replayed"):
        raise UsageError("--replayed is for a stream that begins again; leave it out with --folder")


def _require_limits(values: Mapping[str, Any]) -> None:
    if "alpha" in values and "false_alarms_per_day" in values:
        raise UsageError("--alpha and --false-alarms-per-day say the same thing; leave one of them out")
    if "false_alarms_per_day" in values and "windows_per_day" not in values:
        raise UsageError("--false-alarms-per-day needs to know how many windows a day has: add --windows-per-day")
    alpha = values.get("alpha", 1e-3)
    if "false_alarms_per_day" in values:
        alpha = values["false_alarms_per_day"] / values["windows_per_day"]
    if not 0 < alpha <= 0.2:
        option = "--false-alarms-per-day" if "false_alarms_per_day" in values else "--alpha"
        raise UsageError(
            f"{option}: {alpha:g} false alarms a window are out of range: ask for more than 0, and 0.2 at most"
        )
    if not 0 < values.get("shift", 1.0) <= 4:
        raise UsageError(f"--shift {values['shift']:g} is out of range: a shift of Z between 0 and 4")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `nplm monitor`; what is not given stays None."""
    parser.add_argument(
        "run",
        metavar="REFERENCE",
        nargs="*",
        type=reference_file,
        default=None,
        help="the reference run, as --reference",
    )
    source = parser.add_argument_group("what is tested")
    source.add_argument(
        "--folder", type=text, metavar="DIR", help="the files of this folder, in the order of their names"
    )
    source.add_argument("--pattern", type=text, metavar="GLOB", help='files that are looked at, such as "run*.parquet"')
    source.add_argument(
        "--stream",
        choices=("arrow", "jsonl"),
        help="batches on standard input: an Arrow IPC stream, or lines of JSON with an event or a batch each",
    )
    source.add_argument("--follow", action=FLAG, help="wait for more files until interrupted")
    source.add_argument("--poll", type=positive_number, metavar="S", help="seconds between two looks (default: 1)")
    source.add_argument("--replayed", action=FLAG, help="the stream begins again: pass over what was taken before")
    source.add_argument(
        "--window", type=positive_count, metavar="N", help="events of a window (default: one window a file or batch)"
    )
    source.add_argument(
        "--step", type=positive_count, metavar="M", help="events from a window to the next (default: those of a window)"
    )
    source.add_argument("--least-events", type=positive_count, metavar="N", help="that a test needs (default: 50)")
    add_reference_options(parser.add_argument_group("what is expected"))
    rate = parser.add_argument_group("rate, tested apart from the shape")
    rate.add_argument("--expected-rate", type=positive_number, metavar="R", help="events per unit of exposure")
    rate.add_argument(
        "--reference-exposure",
        type=positive_number,
        metavar="E",
        help="exposure of the reference, which counts the rate",
    )
    rate.add_argument("--exposure", type=positive_number, metavar="E", help="of each file without times (default: 1)")
    rate.add_argument("--time", type=text, metavar="COLUMN", help="column of event times, in units of exposure")
    limits = parser.add_argument_group("limits")
    limits.add_argument(
        "--alpha", type=number, metavar="A", help="false alarms a window, of all charts together (default: 0.001)"
    )
    limits.add_argument("--false-alarms-per-day", type=positive_number, metavar="X", help="instead, those of a day")
    limits.add_argument("--windows-per-day", type=positive_number, metavar="Y", help="windows that a day brings")
    limits.add_argument("--drift", action=FLAG, help="keep charts of drifts: cumulative sums of Z (default: yes)")
    limits.add_argument("--shift", type=number, metavar="Z", help="shift of Z that they are made for (default: 1)")
    shapes = parser.add_argument_group("how shapes are compared")
    add_family_option(shapes)
    add_circular_option(shapes)
    model = parser.add_argument_group("one kernel of all features, in place of the family where one of these is given")
    model.add_argument("--width", type=positive_number, metavar="W", help="of the kernels (default: as nplm test)")
    model.add_argument("--centers", type=positive_count, metavar="M", help="number of kernels (default: as nplm test)")
    model.add_argument(
        "--penalty", type=positive_number, metavar="LAMBDA", help="in Falkon's convention (default: 1e-6)"
    )
    model.add_argument("--selection", choices=("uniform", "covering"), help="of the centres (default: uniform)")
    add_coordinates_option(model)
    add_reference_exact_option(model)
    model.add_argument(
        "--overflow",
        action=FLAG,
        help="with one of these: take features of windows beyond the range of the reference to its edge (default: no;"
        " the family compares ranks, which end there)",
    )
    control = parser.add_argument_group("output and control")
    add_output_option(control, "folder for history and page; the monitor in it goes on")
    control.add_argument(
        "--refresh", type=positive_number, metavar="S", help="seconds after which the page is renewed (default: 10)"
    )
    control.add_argument(
        "--reports",
        action=FLAG,
        help="write the report of the first window of each series of alarms (default: yes)",
    )
    add_label_option(control)
    control.add_argument("--quiet", action=FLAG, help="no notes")
    add_config_option(control)
