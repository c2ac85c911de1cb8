"""What a monitor says of alarms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nplm.data.support import Outside

AGREES = "agrees with the reference"
NO_OVERFLOW = (
    "overflow is for one kernel: a family compares ranks in the reference, so that an event beyond its range counts as"
    " one at its edge already"
)


def message(alarms: Sequence[str], problems: Sequence[str], remarks: Sequence[str]) -> str:
    """The verdict in words; what was said of an alarm is not repeated as a remark."""
    found = [*alarms, *problems] or [AGREES]
    return "; ".join([*found, *(remark for remark in remarks if remark not in found)])


def alarm_words(
    alarms: tuple[str, ...], values: dict[str, Any], where: Callable[[], str], outside: Sequence[Outside]
) -> list[str]:
    """A sentence for each alarm.

    Arguments:
        alarms: charts that fired.
        values: of the verdict, by name.
        where: gives the words for what leads.
        outside: events where the reference has none.
    """
    words = []
    for alarm in alarms:
        test = alarm.removesuffix(" drift")
        if alarm == "outside":
            words += [found.words for found in outside]
        elif alarm != test:
            words.append(f"the {test} has drifted")
        elif test == "shape":
            most = where()
            leading = f", most {most}" if most else ""
            words.append(f"the shape disagrees with the reference ({_written(values['p_shape'])}){leading}")
        else:
            many = "more" if values["z_rate"] > 0 else "fewer"
            words.append(f"{many} events than the {values['expected']:.4g} expected ({_written(values['p_rate'])})")
    return words


def _written(p: float) -> str:
    return f"p = {p:.2g}" if p > 0 else "p < 1e-300"
