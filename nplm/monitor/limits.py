"""How many false alarms a monitor may give, and what that makes of the limits of its charts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nplm.monitor.charts import drift_limit, run_length, window_rate_range


@dataclass(frozen=True)
class ControlLimits:
    """False alarms, shared equally by all charts: those of single windows, and those of drifts.

    The expected number of false alarms is the sum over charts, so it is as stated whether windows overlap or not:
    overlapping ones alarm together, in fewer and longer episodes. A drift chart takes windows that do not overlap, as
    its run length is for independent ones.

    Arguments:
        alpha: false alarms a window, of all charts together.
        drift: whether drift charts (cumulative sums) are kept.
        shift: of Z, that drift charts are made for: k is half of it.
        windows_per_day: windows that a day brings; None if nobody says.

    Raises:
        ValueError: if a number is out of its range.
    """

    alpha: float = 1e-3
    drift: bool = True
    shift: float = 1.0
    windows_per_day: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 0.2:
            raise ValueError(f"false alarms a window must be between 0 and 0.2, not {self.alpha:g}")
        if not (np.isfinite(self.shift) and 0 < self.shift <= 4):
            raise ValueError(f"a drift chart is for a shift of Z between 0 and 4, not {self.shift:g}")
        if self.windows_per_day is not None and not (np.isfinite(self.windows_per_day) and self.windows_per_day > 0):
            raise ValueError(f"windows a day must be a positive number, not {self.windows_per_day:g}")

    @classmethod
    def per_day(cls, false_alarms: float, windows: float, *, drift: bool = True, shift: float = 1.0) -> ControlLimits:
        """The limits that give so many false alarms in a day of so many windows.

        Raises:
            ValueError: if a number is not positive, or there would be more than one false alarm in five windows.
        """
        for what, value in (("false alarms a day", false_alarms), ("windows a day", windows)):
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"{what} must be a positive number, not {value:g}")
        return cls(false_alarms / windows, drift, shift, windows)

    def of_chart(self, tests: int) -> float:
        """False alarms a window of each chart.

        Arguments:
            tests: 1 for the shape alone, 2 with the rate.
        """
        return self.alpha / (tests * (2 if self.drift else 1))

    def drift_limit(self, tests: int, stride: int, shared: float, sides: int = 1) -> float:
        """h of a drift chart that takes every `stride`-th window, and has one or two sides.

        Raises:
            ValueError: if the reference is too small, see `charts.drift_limit`.
        """
        rate = min(self.of_chart(tests) * stride / sides, 0.2)
        return drift_limit(rate, self.shift / 2, _rounded_up(shared))

    def delay(self, tests: int, stride: int, shared: float, shift: float) -> float:
        """Mean number of windows that a drift of the shape needs to be seen, from its start.

        Arguments:
            shift: of the mean of Z.
        """
        limit = self.drift_limit(tests, stride, shared)
        return stride * run_length(limit, self.shift / 2, shift)

    def alarm_range(self, tests: int, shared: float) -> tuple[float, float]:
        """False alarms a window of the chart of single windows, in 90% of the references that there could be."""
        return window_rate_range(self.of_chart(tests), shared)


def _rounded_up(shared: float) -> float:
    """To eight values a decade, so that windows of about one size have one limit, which is found once."""
    return 0.0 if shared <= 0 else float(10 ** (np.ceil(8 * np.log10(shared) - 1e-9) / 8))
