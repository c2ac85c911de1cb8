"""What a monitor says about one window."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from nplm._util.json_values import json_value

Status = Literal["ok", "alarm", "problem", "unreadable", "changed"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One window, or one file or part of a stream that could not be read, or that changed after it was taken.

    Arguments:
        row: number in the history, from 0.
        time: when it was tested, in UTC, ISO 8601.
        source: file or stream that the last of its events came from.
        status: "ok", "alarm" if a chart fired, "problem" if something is wrong with the window, "unreadable" or
            "changed" if there is no window.
        alarms: charts that fired: "shape", "rate", "shape drift", "rate drift"; and "outside" for events where the
            reference has none.
        message: the verdict in words.
        first, events: position of its first event among all that came, and their number.
        yield_: sum of the weights.
        not_finite: events that were left out, as they hold values that are not finite.
        far: events far beyond the range of the reference, such as default values; the message names them.
        t, t_mean, t_sd: the statistic, and mean and deviation of its null.
        p_shape, z_shape: of the shape; None if it was not tested.
        exposure, expected: of the rate: exposure of the window, and events expected in it.
        p_rate, z_rate: of the rate, on both sides; Z is positive for too many events; None if it was not tested.
        p: of both together, 1 - (1 - min p)^2, or of the one that was tested.
        drift_shape, drift_rate_up, drift_rate_down: the cumulative sums after this window.
        reference: first digits of the fingerprint of the reference.
        seconds: that the test took.
        report: path of the window's report in the monitor's folder; empty if it has none.
    """

    row: int
    time: str
    source: str
    status: Status
    alarms: tuple[str, ...] = ()
    message: str
    first: int | None = None
    events: int = 0
    yield_: float = 0.0
    not_finite: int = 0
    far: int = 0
    t: float | None = None
    t_mean: float | None = None
    t_sd: float | None = None
    p_shape: float | None = None
    z_shape: float | None = None
    exposure: float | None = None
    expected: float | None = None
    p_rate: float | None = None
    z_rate: float | None = None
    p: float | None = None
    drift_shape: float = 0.0
    drift_rate_up: float = 0.0
    drift_rate_down: float = 0.0
    reference: str = ""
    seconds: float = 0.0
    report: str = ""

    @property
    def of_window(self) -> bool:
        """Whether it is a verdict on events."""
        return self.status in ("ok", "alarm", "problem")

    @property
    def pvalue(self) -> float | None:
        """p, as SciPy calls it."""
        return self.p

    @property
    def statistic(self) -> float | None:
        """t, as SciPy calls it."""
        return self.t

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values; the yield is called "yield"."""
        plain = json_value(asdict(self))
        return {name.rstrip("_"): value for name, value in plain.items()}

    def to_json(self) -> str:
        """`to_dict` on one line."""
        return json.dumps(self.to_dict(), allow_nan=False)

    @classmethod
    def of(cls, values: dict[str, Any]) -> Verdict:
        """The verdict from what `to_dict` gave."""
        known = {f.name for f in fields(cls)}
        named = {("yield_" if name == "yield" else name): value for name, value in values.items()}
        return cls(
            **{name: value for name, value in named.items() if name in known} | {"alarms": tuple(named["alarms"])}
        )
