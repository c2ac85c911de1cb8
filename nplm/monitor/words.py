"""What a monitor says of alarms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nplm.support import Outside


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
