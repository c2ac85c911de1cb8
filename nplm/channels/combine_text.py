"""A combination of results in words: a verdict, a table of channels, key numbers and cautions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri_exp

from nplm.wording.numbers import count, format_duration, format_p, format_z, p_text, printable, share_of, z_text
from nplm.wording.tables import aligned, labelled
from nplm.wording.verdict_levels import MILD, STRONG, Level, Verdict

if TYPE_CHECKING:
    from nplm.channels.combine_result import CombinedResult

CHANNELS_HEAD = ("channel", "p", "Z", "p among all (Holm)", "events")
_NAMES = {"min-p": "smallest p-value", "fisher": "product of p-values (Fisher)", "sum": "sum of t"}


def combined_verdict(result: CombinedResult) -> Verdict:
    """All agree below Z = 2 of the combination, a mild difference up to 3, a strong one above."""
    many = count(len(result.channels), "channel")
    leads = f"the channel {printable(result.leading)} leads"
    share = share_of(result.p_value, "sets of channels without a difference")
    sentence = (
        f"In {share} their {_NAMES[result.how]} is as extreme ({p_text(result.p_value)}, {z_text(result.z)}); {leads}."
    )
    if result.z < MILD:
        return Verdict("agreement", f"{many} agree with what is expected", sentence)
    level: Level = "mild" if result.z < STRONG else "strong"
    return Verdict(level, f"{level.capitalize()} difference in {many} together", sentence)


def combined_notes(result: CombinedResult) -> tuple[str, ...]:
    """What a reader must know beside the numbers."""
    found = []
    if result.correlated == "independent":
        found.append("channels are taken as independent: events that they share, or a reference, would make p larger")
    z = {name: tail.z for name, tail in result.tails.items()}
    if max(z.values()) >= MILD > z[result.how] or (z[result.how] >= MILD > min(z.values())):
        found.append("combinations disagree: the one that counts is that which was chosen before looking")
    return tuple(found)


def channel_rows(result: CombinedResult) -> list[tuple[str, ...]]:
    """One row for each channel, with the columns of `CHANNELS_HEAD`; that which leads first."""
    pairs = sorted(zip(result.channels, result.adjusted, strict=True), key=lambda pair: pair[0].log_p)
    return [
        (
            printable(channel.name),
            format_p(channel.p_value),
            format_z(float(-ndtri_exp(channel.log_p))),
            format_p(float(adjusted)),
            "" if np.isnan(channel.events) else f"{channel.events:,.0f}",
        )
        for channel, adjusted in pairs
    ]


def combined_numbers(result: CombinedResult) -> Mapping[str, str]:
    """What was found and what it stands on, by name."""
    tail = result.tails[result.how]
    error = f", known to {100 * tail.error:.1g}%" if tail.error >= 0.005 else ""
    beside = ", ".join(
        f"{_NAMES[name]} {p_text(each.p_value)}" for name, each in result.tails.items() if name != result.how
    )
    largest = result.correlation - np.eye(len(result.channels))
    return {
        "p-value": f"{format_p(result.p_value)} by the {_NAMES[result.how]}{error}",
        "Z": format_z(result.z),
        "leads": printable(result.leading),
        "null": tail.null,
        "beside": beside,
        "shared": "nothing"
        if result.correlated == "independent"
        else f"{result.correlated}: correlations of Z up to {largest.max():.3g}",
        "time": format_duration(sum(result.seconds.values())),
    }


def combined_text(result: CombinedResult) -> str:
    """Verdict, table of channels, key numbers and cautions."""
    table = aligned([CHANNELS_HEAD, *channel_rows(result)], right=range(1, 5))
    rows = [(name, printable(value)) for name, value in combined_numbers(result).items()]
    rows += [("caution", printable(text)) for text in result.notes]
    return "\n".join([f"NPLM combination: {combined_verdict(result).title}", *table, *labelled(rows)])


def combined_line(result: CombinedResult) -> str:
    """The answer on one line."""
    return f"{p_text(result.p_value)}, {z_text(result.z)}; {printable(result.leading)} leads"
