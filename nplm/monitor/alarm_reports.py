"""The report of a window that gave an alarm: what a shifter looks at next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from nplm.family.settings import FamilySettings
from nplm.monitor.family_shape import FamilyShape
from nplm.monitor.monitor import Monitor
from nplm.monitor.verdict import Verdict
from nplm.report.two_sample import write_two_sample
from nplm.report.write_run import write_run
from nplm.statistic import FitError

# So many windows without an alarm of the same kind end a series of alarms.
SERIES_ENDS = 10
_FOLDER = "alarms"


@dataclass
class AlarmReports:
    """Writes the report of `nplm test` for the first window of each series of alarms of the shape, and of the rate.

    A detector that stays broken gives an alarm in each window, and a report takes seconds: those that follow in the
    same series say the same. Where the rate is tested, the report compares yields too, as the alarm did.

    Arguments:
        folder: of the monitor; reports go to its folder alarms.
        monitor: whose windows these are.
        note: called with a sentence if a report could not be made.
        last_alarm: the row of the last alarm of the shape, and of the rate, as far as there was one.
    """

    folder: Path
    monitor: Monitor
    note: Callable[[str], None] = lambda message: None
    last_alarm: dict[str, int] = field(default_factory=dict)

    @classmethod
    def after(
        cls, folder: Path, monitor: Monitor, former: Sequence[Verdict], note: Callable[[str], None]
    ) -> AlarmReports:
        """Goes on after former verdicts, at least the last `SERIES_ENDS` of them."""
        return cls(folder, monitor, note, {kind: v.row for v in former for kind in _kinds(v)})

    def __call__(self, verdict: Verdict) -> Verdict:
        """The verdict on the window that the monitor has just tested, with its report if it gets one."""
        kinds = _kinds(verdict)
        first = any(kind not in self.last_alarm or verdict.row - self.last_alarm[kind] > SERIES_ENDS for kind in kinds)
        self.last_alarm.update(dict.fromkeys(kinds, verdict.row))
        return replace(verdict, report=self._write(verdict, kinds)) if first else verdict

    # A window may hold values near the ends of float64.
    @np.errstate(all="ignore")
    def _write(self, verdict: Verdict, kinds: set[str]) -> str:
        """The path of the report, in the monitor's folder; none of a window whose events could not be tested."""
        row, window = verdict.row, self.monitor.tested
        if window is None:
            return ""
        folder = self.folder / _FOLDER / f"window-{row}"
        folder.mkdir(parents=True, exist_ok=True)
        shape = self.monitor.shape
        data = replace(window, name=f"window {row} ({window.name})")
        try:
            if isinstance(shape, FamilyShape) or "shape" not in kinds:
                # One kernel tests the shape alone, which says nothing of an alarm of the rate.
                family = shape if isinstance(shape, FamilyShape) else self._family()
                rate = self.monitor.rate
                known = rate is not None and rate.counted is None
                test = family.compared(data, verdict.expected, exact_rate=known)
                result = test.run()
                page = write_two_sample(folder, test.a, data, result, result.to_dict(), None)
            else:
                page = write_run(folder, shape.test, data, shape.test.run(data, 0))
        except (FitError, ValueError, ArithmeticError) as error:
            self.note(f"there is no report of window {row}: {error}")
            return ""
        return page.relative_to(self.folder).as_posix()

    def _family(self) -> FamilyShape:
        return FamilyShape.of(self.monitor.reference, FamilySettings(), None)


def _kinds(verdict: Verdict) -> set[str]:
    """What an alarm is about: events where the reference has none are a matter of the shape."""
    return {"rate" if alarm.startswith("rate") else "shape" for alarm in verdict.alarms}
