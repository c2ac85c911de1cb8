"""False alarms a day, and how charts share them."""

from __future__ import annotations

import pytest

from nplm.monitor import ControlLimits
from nplm.monitor.charts import false_alarm_rate


def test_false_alarms_a_day_are_shared_by_all_charts() -> None:
    limits = ControlLimits.per_day(2.0, 1000.0)
    assert limits.alpha == pytest.approx(2e-3)
    # Shape and rate, each with a limit and a drift chart, the rate's with two sides: the sum is 2 a day.
    of_chart = limits.of_chart(2)
    shape = false_alarm_rate(limits.drift_limit(2, 1, 0.0), 0.5)
    side = false_alarm_rate(limits.drift_limit(2, 1, 0.0, sides=2), 0.5)
    assert 1000 * (2 * of_chart + shape + 2 * side) == pytest.approx(2.0, rel=1e-3)


def test_overlapping_windows_look_at_drifts_less_often() -> None:
    limits = ControlLimits(1e-3)
    every_fourth = false_alarm_rate(limits.drift_limit(1, 4, 0.0), 0.5) / 4
    assert every_fourth == pytest.approx(limits.of_chart(1), rel=1e-3)
    assert limits.delay(1, 4, 0.0, 1.0) > limits.delay(1, 1, 0.0, 1.0)


def test_without_drift_charts_the_limit_is_wider() -> None:
    assert ControlLimits(1e-3, drift=False).of_chart(1) == 1e-3
    low, high = ControlLimits(1e-3).alarm_range(1, 0.01)
    assert low < 5e-4 < high


def test_refusals() -> None:
    for make, words in (
        (lambda: ControlLimits(0.5), "between 0 and 0.2"),
        (lambda: ControlLimits(shift=0), "shift of Z"),
        (lambda: ControlLimits(windows_per_day=-1), "windows a day"),
        (lambda: ControlLimits.per_day(0, 10), "false alarms a day"),
        (lambda: ControlLimits.per_day(1, float("inf")), "windows a day"),
        (lambda: ControlLimits.per_day(9, 10), "between 0 and 0.2"),
    ):
        with pytest.raises(ValueError, match=words):
            make()
