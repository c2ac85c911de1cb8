"""The loop of a monitor: what arrives is tested, kept, told and shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from nplm.monitor.batch import Batch, Unreadable
from nplm.monitor.folder import Arrived
from nplm.monitor.history import History
from nplm.monitor.monitor import Monitor
from nplm.monitor.progress import FileProgress, Progress
from nplm.monitor.verdict import Verdict

# Verdicts are kept, and told, at the latest after so many seconds of testing.
_COMMIT_SECONDS = 0.2


@dataclass
class Watched:
    """What came of a watch.

    Arguments:
        windows: that were tested.
        alarms: windows in which a chart fired.
        problems: windows with something wrong, and what could not be read or has changed since.
    """

    windows: int = 0
    alarms: int = 0
    problems: int = 0

    def count(self, verdict: Verdict) -> None:
        """Adds one verdict."""
        self.windows += verdict.of_window
        self.alarms += verdict.status == "alarm"
        self.problems += verdict.status not in ("ok", "alarm")


def watch(
    monitor: Monitor,
    arrivals: Iterable[Arrived | None],
    history: History,
    progress: Progress,
    *,
    completed: Callable[[Verdict], Verdict] = lambda verdict: verdict,
    on_verdict: Callable[[Verdict], None] = lambda verdict: None,
    on_commit: Callable[[], None] = lambda: None,
    before_each: Callable[[], None] = lambda: None,
) -> Watched:
    """Tests what arrives until it ends. A verdict is told once it is kept, so what was told is never tested again.

    Verdicts that a former process kept and did not tell are told first, and are counted.

    Arguments:
        monitor: resumed, if the history goes on.
        arrivals: batches by file or stream; None means that there is nothing to do.
        history: where verdicts are kept.
        progress: of the source, which this function keeps.
        completed: adds to a verdict what takes its events, see `AlarmReports`, before it is kept.
        on_verdict: called with each verdict.
        on_commit: called after verdicts were kept, and where there is nothing to do.
        before_each: called before each arrival is tested, such as to replace the reference.
    """
    watched, pending = Watched(), list[Verdict]()
    committed, changed = time.monotonic(), False
    # An interrupt in the middle of a window must leave the state before it.
    state = monitor.state()

    def tell(verdict: Verdict) -> None:
        watched.count(verdict)
        on_verdict(verdict)

    def commit() -> None:
        nonlocal committed
        history.commit(pending, state, progress)
        pending.clear()
        history.tell(tell)
        on_commit()
        committed = time.monotonic()

    history.tell(tell)
    try:
        for arrived in arrivals:
            before_each()
            if arrived is None:
                if changed:
                    commit()
                    changed = False
                on_commit()
                continue
            changed = True
            # A stream has no files: its progress is in the state of the monitor.
            name, marks = arrived.name, {} if arrived.mark is None else progress
            for part, mark in _parts(arrived, monitor.step, marks.get(name)):
                verdicts = [completed(verdict) for verdict in monitor.push(part)]
                # In one statement, between whose parts no interrupt comes.
                pending, state, marks[name] = [*pending, *verdicts], monitor.state(), mark
                if time.monotonic() - committed > _COMMIT_SECONDS:
                    commit()
            if arrived.mark is not None:
                marks[name] = arrived.mark
            if time.monotonic() - committed > _COMMIT_SECONDS:
                commit()
                changed = False
    finally:
        if changed or pending:
            commit()
    return watched


def _parts(
    arrived: Arrived, step: int | None, before: FileProgress | None
) -> Iterator[tuple[Batch | Unreadable, FileProgress]]:
    """What arrived in parts of which each completes a window at most, and the progress of the file after each."""
    item, mark = arrived.item, arrived.mark or FileProgress("taken", "")
    if isinstance(item, Unreadable) or step is None:
        yield item, mark
        return
    taken = 0 if before is None else before.events
    for part in item.parts(step, taken):
        taken += len(part)
        yield part, replace(mark, state="begun", events=taken)
