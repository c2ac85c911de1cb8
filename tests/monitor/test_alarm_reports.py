"""Reports of alarms: of the first window of each series, and about the events of that window."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nplm import KernelModel, Monitor, Sample
from nplm.monitor import ControlLimits
from nplm.monitor.alarm_reports import SERIES_ENDS, AlarmReports
from nplm.monitor.batch import Batch
from nplm.monitor.verdict import Verdict
from nplm.statistic import FitError

_FEATURES = ("pt", "eta")


@pytest.fixture
def monitor() -> Monitor:
    reference = Sample(np.random.default_rng(1).normal(size=(5000, 2)), features=_FEATURES)
    return Monitor(reference, KernelModel(width=2.0, centers=30), limits=ControlLimits(0.01, drift=False))


def _window(seed: int, scale: float) -> Batch:
    """400 events whose pt is scaled."""
    events = np.random.default_rng(seed).normal(size=(400, 2)) * [scale, 1.0]
    return Batch(events, np.ones(400), None, f"run{seed}")


def _verdicts(monitor: Monitor, reports: AlarmReports, scales: list[float]) -> list[Verdict]:
    return [reports(verdict) for seed, scale in enumerate(scales) for verdict in monitor.push(_window(seed, scale))]


def test_the_first_window_of_each_series_gets_one(
    monitor: Monitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nplm.monitor.alarm_reports.write_run", lambda folder, *arguments: folder / "report.html")
    reports = AlarmReports.after(tmp_path, monitor, [], pytest.fail)
    bad, good = [1.5], [1.0]
    found = _verdicts(monitor, reports, [*good, *bad * 2, *good * SERIES_ENDS, *bad])
    # Single windows without an alarm do not end a series, so many do.
    assert [v.row for v in found if v.alarms] == [1, 2, 3 + SERIES_ENDS]
    assert {v.row: v.report for v in found if v.report} == {
        row: f"alarms/window-{row}/report.html" for row in (1, 3 + SERIES_ENDS)
    }
    # Another process goes on with the series.
    again = AlarmReports.after(tmp_path, monitor, found[-SERIES_ENDS:], pytest.fail)
    assert [bool(v.report) for v in _verdicts(monitor, again, bad)] == [False]


@pytest.mark.slow
def test_the_report_is_about_the_events_of_the_window(monitor: Monitor, tmp_path: Path) -> None:
    (verdict,) = _verdicts(monitor, AlarmReports(tmp_path, monitor, pytest.fail), [1.5])
    assert (tmp_path / verdict.report).is_file()
    run = (tmp_path / verdict.report).parent
    result = json.loads((run / "result.json").read_text())
    assert verdict.t is not None
    # The monitor scales a window to the tenth of the reference that it prepared for, which moves the penalty a little.
    assert result["t"] == pytest.approx(verdict.t, rel=0.02)
    changes = {
        row["feature"]: row["change"] for row in json.loads((run / "localization.json").read_text())["left_out"]["rows"]
    }
    assert changes["pt"] < -0.5 * verdict.t < changes["eta"]
    rows = np.genfromtxt(run / "events.csv", delimiter=",", names=True)
    events = _window(0, 1.5).events
    assert np.array_equal(events[rows["row"].astype(int)], np.column_stack([rows[name] for name in _FEATURES]))


def test_a_rate_has_series_of_its_own_and_its_report_compares_yields(tmp_path: Path) -> None:
    reference = Sample(np.random.default_rng(1).normal(size=(4000, 2)), features=_FEATURES)
    model = KernelModel(width=2.0, centers=30)
    monitor = Monitor(reference, model, limits=ControlLimits(0.01, drift=False), expected_rate=300)
    # A series of alarms of the shape is under way; the rate is a matter of its own.
    reports = AlarmReports(tmp_path, monitor, pytest.fail, {"shape": 0})
    first, second = _verdicts(monitor, reports, [1.0, 1.0])
    assert first.alarms == second.alarms == ("rate",)
    assert (bool(first.report), bool(second.report)) == (True, False)
    page = (tmp_path / first.report).read_text()
    assert "in the yield" in page
    assert "400 observed / 300 expected" in page


def test_a_failure_is_noted(monitor: Monitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    reports = AlarmReports(tmp_path, monitor, notes.append)

    def fail(*arguments: object) -> None:
        raise FitError("no maximum")

    monkeypatch.setattr(monitor.shape.test, "run", fail)
    list(monitor.push(_window(0, 1.0)))
    of_shape = Verdict(row=1, time="", source="", status="alarm", message="", alarms=("shape drift",))
    assert reports(of_shape) == of_shape
    assert notes == ["there is no report of window 1: no maximum"]
