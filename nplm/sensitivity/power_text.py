"""The power of a test in words: a text for a terminal, and rows of a Markdown table."""

from __future__ import annotations

import math
from collections.abc import Mapping

from nplm.stats.power import Power, PowerAt
from nplm.wording.markdown import markdown_table
from nplm.wording.numbers import count, format_z
from nplm.wording.standing import kind_text
from nplm.wording.tables import aligned


def power_text(found: Power) -> str:
    """Median Z, its scatter, and the power at each threshold, in at most 100 columns of ASCII."""
    failed = f", {found.failed:,} of them failed (they reach no Z)" if found.failed else ""
    rows: list[tuple[str, ...]] = [
        ("signal toys", f"{found.toys:,}{failed}"),
        ("Z stands on", f"{kind_text(found.kind)}: {found.null}"),
        ("median Z", f"{_median(found)}{_median_error(found)}"),
        ("scatter of Z", f"68% of toys between {_band(found)}"),
    ]
    if found.ideal_z is not None:
        rows.append(("ideal Z", f"{found.ideal_z:.2f}, of a test that knows the signal"))
    rows += [(f"P(Z >= {at.z:g})", _power_in_full(at)) for at in found.at]
    return "\n".join(aligned(rows))


def power_markdown(found: Mapping[str, Power]) -> str:
    """A Markdown table with a row for each signal: median Z with its error and scatter, ideal Z, powers, the null.

    Raises:
        ValueError: if there is no signal, or the signals have different thresholds.
    """
    if len({tuple(at.z for at in power.at) for power in found.values()}) != 1:
        raise ValueError("a table of powers needs at least one signal, and the same thresholds for all")
    first = next(iter(found.values()))
    head = ["signal", "toys", "median Z", "16% to 84%", "ideal Z", *(f"P(Z >= {at.z:g})" for at in first.at), "Z from"]
    return markdown_table(head, [[name, *_cells(power)] for name, power in found.items()])


def _cells(found: Power) -> list[str]:
    failed = f" ({found.failed:,} failed)" if found.failed else ""
    return [
        f"{found.toys:,}{failed}",
        f"{_median(found)}{_median_error(found)}",
        _band(found),
        "" if found.ideal_z is None else f"{found.ideal_z:.2f}",
        *(_power_in_short(at) for at in found.at),
        kind_text(found.kind),
    ]


def _median(found: Power) -> str:
    return f"at least {format_z(found.median_z)}" if found.median_is_limit else format_z(found.median_z)


def _median_error(found: Power) -> str:
    """(2.10 to 2.31); empty where the median is a limit or nothing bounds it."""
    low, high = found.median_interval
    if found.median_is_limit or (math.isinf(low) and math.isinf(high)):
        return ""
    if math.isinf(high):
        return f" (above {format_z(low)})"
    return f" (below {format_z(high)})" if math.isinf(low) else f" ({format_z(low)} to {format_z(high)})"


def _band(found: Power) -> str:
    low, high = found.band
    limit = "at least " if found.band_is_limit else ""
    return f"{format_z(low)} and {limit}{format_z(high)}"


def _power_in_full(at: PowerAt) -> str:
    if at.power is None or at.interval is None or at.null_interval is None:
        return _unknown(at)
    counted = f"{_percent(at.power)} ({_range(at.interval)} from counting the signal toys"
    if at.null_interval[0] == at.null_interval[1]:
        return f"{counted})"
    return f"{counted}, {_range(at.null_interval)} from the null)"


def _power_in_short(at: PowerAt) -> str:
    return _unknown(at) if at.power is None or at.interval is None else f"{_percent(at.power)} ({_range(at.interval)})"


def _unknown(at: PowerAt) -> str:
    if at.needs_toys is None:
        return "unknown: too many null toys failed"
    return f"unknown: needs at least {count(at.needs_toys, 'null toy')}"


def _range(interval: tuple[float, float]) -> str:
    return f"{_percent(interval[0])} to {_percent(interval[1])}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"
