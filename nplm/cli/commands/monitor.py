"""The command `nplm monitor`: windows against a reference, with a history, a line for each and a page."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from nplm._util.printable import printable
from nplm.cli.commands.monitor_options import Options
from nplm.cli.commands.monitor_reference import WatchedReference
from nplm.cli.coordinates_options import periods
from nplm.cli.errors import ExitCode, InputError, OutputError
from nplm.cli.interrupt import raise_if_interrupted
from nplm.cli.output import say
from nplm.cli.reading import refusing_bad_input
from nplm.cli.refusing import refusing_bad_output
from nplm.cli.style import require_labelled
from nplm.cli.terminal import Reporter

if TYPE_CHECKING:
    from nplm.data.coordinates import CoordinateKind
    from nplm.data.sample import Sample
    from nplm.models.kernel.centers import Selection
    from nplm.monitor.batch import Batch
    from nplm.monitor.folder import Arrived
    from nplm.monitor.history import History
    from nplm.monitor.monitor import Monitor
    from nplm.monitor.progress import Progress
    from nplm.monitor.stream import Format
    from nplm.monitor.verdict import Verdict


def run_monitor(options: Options) -> int:
    """Runs `nplm monitor`.

    Returns:
        The exit code: done, an alarm, or something that could not be tested.

    Raises:
        CommandError: if the reference, the folder of files or the output folder is bad.
    """
    from nplm.monitor.history import History, HistoryError
    from nplm.monitor.loop import watch
    from nplm.monitor.position import OtherStreamError
    from nplm.wording.numbers import count

    reporter = Reporter(options.quiet)
    if options.folder is not None and not options.folder.is_dir():
        raise InputError(f"{options.folder} is not a folder; give the folder of the files with --folder")
    reference = WatchedReference(options, reporter.note)
    sample = reference.read()
    require_labelled(options.label, sample.features)
    with refusing_bad_input():
        monitor = _monitor(options, sample)
    try:
        with refusing_bad_output(options.output):
            history = History.open(options.output, _settings(options, sample), _resolved(options.folder))
    except HistoryError as error:
        raise OutputError(str(error)) from error
    progress = _resumed(options, monitor, history, reporter.note)
    page = _Page(options, monitor, history)

    def before_each() -> None:
        raise_if_interrupted()
        reference.renew(monitor)

    try:
        with refusing_bad_output(options.output):
            watched = watch(
                monitor,
                _arrivals(options, monitor, progress, reporter.note),
                history,
                progress,
                completed=_completed(options, monitor, history, reporter.note),
                on_verdict=lambda verdict: say(verdict.to_json()),
                on_commit=page.renew_at_times,
                before_each=before_each,
            )
    except OtherStreamError as error:
        raise InputError(f"{error}; leave out --replayed if it goes on, or choose another -o") from error
    finally:
        page.write(refresh=None)
        history.close()
    if monitor.waiting:
        reporter.note(f"{monitor.waiting} events wait for their window to fill; the next call goes on with them")
    numbers = {"window": watched.windows, "alarm": watched.alarms, "problem": watched.problems}
    reporter.note(f"{', '.join(count(n, thing) for thing, n in numbers.items())}; page: {page.path}")
    if watched.alarms:
        return ExitCode.ALARM
    return ExitCode.UNTESTED if watched.problems else ExitCode.DONE


def _resumed(options: Options, monitor: Monitor, history: History, note: Callable[[str], None]) -> Progress:
    """The progress of the files, once the monitor goes on where a former process was.

    Raises:
        OutputError: if the history is that of another folder.
    """
    from nplm.monitor.progress import OtherFolderError, require_same_folder

    for sentence in history.damaged:
        note(sentence)
    saved = history.saved
    if saved is None:
        return {}
    if options.folder is not None:
        try:
            require_same_folder(saved.folder, options.folder, saved.progress)
        except OtherFolderError as error:
            history.close()
            raise OutputError(f"{options.output}: {error}; choose another -o") from error
        if saved.folder != history.watched:
            note(f"{saved.folder} is now {history.watched}, and its files that were taken are passed over")
    sums_go_on = monitor.resume(saved.monitor, saved.waiting)
    note(f"going on with {options.output}: {monitor.row} windows, {monitor.waiting} events wait")
    if not sums_go_on:
        note(f"reference, rate or shift are others than before, so the drift charts begin anew ({monitor.fingerprint})")
    return saved.progress


def _completed(
    options: Options, monitor: Monitor, history: History, note: Callable[[str], None]
) -> Callable[[Verdict], Verdict]:
    """Verdicts with reports, unless these are not wanted."""
    from nplm.monitor.alarm_reports import SERIES_ENDS, AlarmReports

    if not options.reports:
        return lambda verdict: verdict
    return AlarmReports.after(options.output, monitor, history.recent(SERIES_ENDS), note)


def _monitor(options: Options, reference: Sample) -> Monitor:
    from nplm.family.settings import FamilySettings
    from nplm.models.kernel.model import KernelModel
    from nplm.monitor.limits import ControlLimits
    from nplm.monitor.monitor import Monitor

    alpha = 1e-3 if options.alpha is None else options.alpha
    if options.false_alarms_per_day is not None and options.windows_per_day is not None:
        alpha = options.false_alarms_per_day / options.windows_per_day
    model, family = None, None
    if options.kernel:
        model = KernelModel(
            width=options.width,
            centers=options.centers,
            penalty=options.penalty,
            selection=cast("Selection", options.selection),
            reference_exact=options.reference_exact,
        )
    elif options.family is not None:
        family = FamilySettings(classes=options.family)
    return Monitor(
        reference,
        model,
        family=family,
        window=options.window,
        step=options.step,
        limits=ControlLimits(alpha, options.drift, options.shift, options.windows_per_day),
        expected_rate=options.expected_rate,
        reference_exposure=options.reference_exposure,
        exposure=options.exposure,
        least_events=options.least_events,
        coordinates=cast("CoordinateKind", options.coordinates),
        circular=periods(options.circular),
        overflow=options.overflow,
    )


def _settings(options: Options, reference: Sample) -> dict[str, Any]:
    """What must stay the same for a history to go on; the reference may be another."""
    from nplm.family.settings import CLASSES

    # A column by the expression that makes it; their order may differ, as in another file of the reference.
    features = reference.features if options.features is None else options.features
    angles = [] if options.kernel else sorted(str(feature) for feature in options.circular)
    return {
        "source": "folder" if options.stream is None else f"{options.stream} stream",
        "features": sorted(features),
        "window": options.window,
        "step": options.step,
        "weights": options.weights,
        "time": options.time,
        "where": options.where,
        "tree": options.tree,
        "shape": "one kernel" if options.kernel else "family " + ",".join([*(options.family or CLASSES), *angles]),
    }


def _resolved(folder: Path | None) -> str:
    return "" if folder is None else str(folder.resolve())


def _arrivals(
    options: Options, monitor: Monitor, progress: Progress, note: Callable[[str], None]
) -> Iterator[Arrived | None]:
    from nplm.monitor.folder import folder_arrivals
    from nplm.monitor.stream import stream_arrivals

    features = monitor.reference.features
    if options.folder is None:
        if sys.stdin is None:
            raise InputError("standard input is closed; give the stream there, or files with --folder")
        return stream_arrivals(
            sys.stdin.buffer,
            cast("Format", options.stream),
            features,
            weights=options.weights,
            time=options.time,
            taken=monitor.position if options.replayed else None,
        )
    return folder_arrivals(
        options.folder,
        lambda path: _read(path, options, features),
        progress,
        pattern=options.pattern,
        follow=options.follow,
        poll=options.poll,
        note=note,
    )


def _read(path: Path, options: Options, features: tuple[str, ...]) -> Batch:
    """A file as a batch; unit weights if it has no column of weights."""
    from nplm.io.columns import read_columns
    from nplm.monitor.batch import Batch

    # As they were asked for: an expression has the name of its feature before it, or is that name.
    asked = features if options.features is None else options.features
    columns = read_columns(
        path,
        [*asked, *([] if options.time is None else [options.time])],
        optional=[] if options.weights is None else [options.weights],
        where=options.where,
        tree=options.tree,
        allow_external_links=options.allow_external_links,
    )
    weights = options.weights if options.weights in columns else None
    columns = {**columns, **dict(zip(features, (columns[name] for name in asked), strict=True))}
    return Batch.of(columns, features, weights=weights, time=options.time, source=printable(path.name))


@dataclass
class _Page:
    """The page, written at times while windows come."""

    options: Options
    monitor: Monitor
    history: History
    written: float = float("-inf")
    row: int = -1

    @property
    def path(self) -> Path:
        """Where it is."""
        from nplm.monitor.page import PAGE

        return self.options.output / PAGE

    def renew_at_times(self) -> None:
        """Writes it if it is older than its refresh time, and there is news."""
        if time.monotonic() - self.written > self.options.refresh and self.row != self.monitor.row:
            self.write(self.options.refresh)

    def write(self, refresh: float | None) -> None:
        """Writes it."""
        from nplm.monitor.page import SHOWN_WINDOWS, write_page

        verdicts: list[Verdict] = self.history.recent(SHOWN_WINDOWS)
        with refusing_bad_output(self.options.output):
            write_page(self.options.output, self.monitor, verdicts, refresh)
        self.written, self.row = time.monotonic(), self.monitor.row
