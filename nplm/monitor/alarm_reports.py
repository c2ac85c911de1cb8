"""The report of a window whose shape gave an alarm: what a shifter looks at next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from nplm.hypothesis_test import FitError
from nplm.monitor.family_shape import FamilyShape
from nplm.monitor.monitor import Monitor
from nplm.monitor.verdict import Verdict
from nplm.report import write_run
from nplm.report.two_sample import write_two_sample

# So many windows without an alarm of the shape end a series of alarms.
SERIES_ENDS = 10
_FOLDER = "alarms"


@dataclass
class AlarmReports:
    """Writes the report of `nplm test` for the first window of each series of alarms of the shape.

    A detector that stays broken gives an alarm in each window, and a report takes seconds: those that follow in the
    same series say the same.

    Arguments:
        folder: of the monitor; reports go to its folder alarms.
        monitor: whose windows these are.
        note: called with a sentence if a report could not be made.
        last_alarm: the row of the last alarm of the shape; None if there was none.
    """

    folder: Path
    monitor: Monitor
    note: Callable[[str], None] = lambda message: None
    last_alarm: int | None = None

    @classmethod
    def after(
        cls, folder: Path, monitor: Monitor, former: Sequence[Verdict], note: Callable[[str], None]
    ) -> AlarmReports:
        """Goes on after former verdicts, at least the last `SERIES_ENDS` of them."""
        return cls(folder, monitor, note, max((v.row for v in former if _of_shape(v)), default=None))

    def __call__(self, verdict: Verdict) -> Verdict:
        """The verdict on the window that the monitor has just tested, with its report if it gets one."""
        if not _of_shape(verdict):
            return verdict
        first = self.last_alarm is None or verdict.row - self.last_alarm > SERIES_ENDS
        self.last_alarm = verdict.row
        return replace(verdict, report=self._write(verdict.row)) if first else verdict

    # A window may hold values near the ends of float64.
    @np.errstate(all="ignore")
    def _write(self, row: int) -> str:
        """The path of the report, in the monitor's folder."""
        window = self.monitor.tested
        assert window is not None
        folder = self.folder / _FOLDER / f"window-{row}"
        folder.mkdir(parents=True, exist_ok=True)
        shape = self.monitor.shape
        data = replace(window, name=f"window {row} ({window.name})")
        try:
            if isinstance(shape, FamilyShape):
                test = shape.compared(data)
                result = test.run()
                page = write_two_sample(folder, test.a, data, result, result.to_dict(), None)
            else:
                page = write_run(folder, shape.test, data, shape.test.run(data, 0))
        except (FitError, ValueError, ArithmeticError) as error:
            self.note(f"there is no report of window {row}: {error}")
            return ""
        return page.relative_to(self.folder).as_posix()


def _of_shape(verdict: Verdict) -> bool:
    return any(alarm.startswith(("shape", "outside")) for alarm in verdict.alarms)
