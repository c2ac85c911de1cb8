"""What stands first on the page of a monitor: the worst window, whatever came after it."""

from __future__ import annotations

from typing import Any

import pytest

from nplm.monitor.headline import headline, message_of, state_of
from nplm.monitor.verdict import Verdict

_LIMIT = 0.001


def _verdict(row: int, **values: Any) -> Verdict:
    given = {"status": "ok", "message": "agrees with the reference", "p_shape": 0.5, "p_rate": 0.5, **values}
    return Verdict(row=row, time="", source=f"run{row}", **given)


def _alarm(row: int, p: float) -> Verdict:
    return _verdict(row, status="alarm", message=f"the shape disagrees ({p:g})", p_shape=p, alarms=("shape",))


def _unreadable(row: int) -> Verdict:
    return _verdict(row, status="unreadable", message="no column 'eta'", p_shape=None, p_rate=None)


def test_the_worst_alarm_is_not_hidden_by_what_comes_later() -> None:
    found = headline([_alarm(0, 1e-4), _alarm(1, 1e-9), _alarm(2, 1e-5), _unreadable(3), _verdict(4)], _LIMIT)
    assert (found.level, found.worst and found.worst.row) == ("strong", 1)
    assert found.title.startswith("Alarm in window 1 (3 of the last 5 windows")
    assert "run1: the shape disagrees (1e-09)" in found.sentence
    assert "1 window could not be tested in full." in found.sentence


def test_without_an_alarm_it_is_the_window_that_could_not_be_tested() -> None:
    found = headline([_verdict(0), _unreadable(1), _verdict(2, p_rate=0.005)], _LIMIT)
    assert (found.level, found.title) == ("mild", "Window 1 could not be tested in full")
    assert "no column 'eta'. No alarm." in found.sentence


def test_borderline_windows_are_told_with_how_many_chance_gives() -> None:
    windows = [_verdict(row) for row in range(11)] + [_verdict(11, p_rate=0.005)]
    assert [state_of(v, _LIMIT) for v in windows] == ["ok"] * 11 + ["watch"]
    assert message_of(windows[-1], _LIMIT) == "borderline: the rate has p = 0.005, and below 0.001 it is an alarm"
    found = headline(windows, _LIMIT)
    assert (found.level, found.title) == ("watch", "No alarm; window 11 is worth watching")
    # 24 p-values between 0.001 and 0.01.
    assert "about 0.2 are borderline by chance" in found.sentence


@pytest.mark.parametrize(("windows", "level"), [([], "undecided"), ([_verdict(0)], "agreement")])
def test_nothing_is_wrong(windows: list[Verdict], level: str) -> None:
    found = headline(windows, _LIMIT)
    assert (found.level, found.worst) == (level, None)
