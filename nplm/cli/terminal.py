"""What the user sees while a test runs: notes, and a bar for the toys; all on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from nplm._util.printable import printable
from nplm.cli.interrupt import raise_if_interrupted
from nplm.cli.output import say
from nplm.wording.durations import format_seconds

if TYPE_CHECKING:
    from rich.progress import Progress

    from nplm.toys.table import ToyTable


# Seconds between two lines on progress where there is no terminal for a bar.
_BETWEEN_LINES = 30.0
# Seconds between two lines on the stages of a test without toys.
_BETWEEN_STAGES = 10.0


class Reporter:
    """Prints notes as plain lines on stderr, and the progress of the toys: a bar on a terminal, else a line at times.

    Arguments:
        quiet: print nothing at all.
    """

    def __init__(self, quiet: bool = False) -> None:
        self.quiet = quiet
        self._bar: Progress | None = None
        self._done, self._total = 0, 0
        self._began = self._line = time.monotonic()

    def note(self, message: str) -> None:
        """Tells the user something that is worth knowing, not an error."""
        if self.quiet:
            return
        message = printable(message)
        if self._bar is None:
            say(f"nplm: {message}", sys.stderr)
        else:  # the bar must be lifted for the line
            self._bar.console.print(f"nplm: {message}", markup=False, highlight=False, soft_wrap=True)

    def stages(self) -> Callable[[str, float], None]:
        """What a long test calls with what it does next and the share that is done; said with the time that is left."""
        began = line = time.monotonic()

        def tell(what: str, share: float) -> None:
            nonlocal line
            raise_if_interrupted()
            now = time.monotonic()
            if now - line > _BETWEEN_STAGES:
                line = now
                self.note(describe_stage(what, share, now - began))

        return tell

    def expect(self, toys: int) -> Reporter:
        """Sets how many toys the bar counts; use the value in a `with` statement."""
        self._total = toys
        return self

    def advance(self, table: ToyTable) -> None:
        """Counts a finished batch of toys."""
        self.advance_by(len(table))

    def advance_by(self, toys: int) -> None:
        """Counts so many toys, and ends the run here if an interrupt was dropped on the way."""
        raise_if_interrupted()
        self._done += toys
        now = time.monotonic()
        pace = describe_pace(self._done, self._total, now - self._began)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=self._done, pace=pace)
        elif now - self._line > _BETWEEN_LINES:
            self._line = now
            self.note(f"{self._done:,} of {self._total:,} toys, {pace}")

    def __enter__(self) -> Self:
        self._began = self._line = time.monotonic()
        if not self.quiet and sys.stderr.isatty():
            self._bar = _bar()
            self._bar.add_task("toys", total=self._total or None, pace="starting")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def describe_pace(done: int, total: int, seconds: float) -> str:
    """Rate and time left, from the seconds on the clock that the toys done so far have taken."""
    rate = done / seconds if seconds > 0 else float("inf")
    if rate >= 1:
        pace = f"{rate:,.0f} toys/s" if rate >= 100 else f"{rate:.3g} toys/s"
    else:
        pace = f"{1 / rate:.3g} s a toy" if rate > 0.01 else f"{format_seconds(1 / rate)} a toy"
    return f"{pace}, done" if done >= total else f"{pace}, {format_seconds((total - done) / rate)} left"


def describe_stage(what: str, share: float, seconds: float) -> str:
    """What comes next, and the time left, from the share that is done and the seconds on the clock that it took."""
    left = format_seconds(seconds * (1 - share) / share)
    return f"about {round(100 * share)}% done after {format_seconds(seconds)}, {left} left; next: {what}"


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}", markup=False),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr),
    )
