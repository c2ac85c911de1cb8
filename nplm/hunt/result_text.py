"""A bump hunt in words: a verdict, a table of the leading windows, key numbers and cautions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nplm.stats.significance import z_score
from nplm.wording.numbers import count, format_duration, format_p, format_z, p_text, printable, share_of, z_text
from nplm.wording.tables import aligned, labelled
from nplm.wording.verdict_levels import MILD, STRONG, Level, Verdict

if TYPE_CHECKING:
    from nplm.hunt.result import HuntResult

_ROWS = 8


def hunt_verdict(result: HuntResult) -> Verdict:
    """Nothing localized below Z = 2, a mild excess up to 3, a strong one above; undecided where no trend is enough."""
    name = printable(result.resonance)
    if np.isnan(result.log_p):
        alone = result.in_spectrum.log_p
        spectrum = "" if np.isnan(alone) else f" The spectrum alone has {p_text(float(np.exp(alone)))}."
        return Verdict(
            "undecided",
            f"Undecided: no smooth background in {name}",
            f"{_changing(result)} So what is localized cannot be told from the background.{spectrum}",
        )
    if not result.spectrum.enough and result.z < MILD:
        local = float(np.exp(result.in_spectrum.local.min()))
        return Verdict(
            "undecided",
            f"Undecided: the spectrum of {name} is not smooth",
            f"No exp(polynomial up to degree {result.spectrum.degree}) describes the numbers of events in {name}, so"
            f" that a bump cannot be told from an edge: the window that stands out most has a local {p_text(local)}."
            f" The other features agree with a smooth background ({p_text(result.p_value)}).",
        )
    numbers = f"{p_text(result.p_value)}, {z_text(result.z)}"
    share = share_of(result.p_value, "smooth backgrounds")
    chance = f"in {share} a window stands out at least as much ({numbers})"
    if result.z < MILD:
        return Verdict("agreement", f"Nothing localized in {name}", f"All is smooth in {name}: {chance}.")
    level: Level = "mild" if result.z < STRONG else "strong"
    low, high = result.windows.ends(result.leading_window)
    where = f"between {name} = {low:.4g} and {high:.4g}"
    if result.leads == "spectrum":
        j = result.leading_window
        observed, expected = result.in_spectrum.observed[j], result.in_spectrum.expected[j]
        found = (
            f"There are more events {where} than a smooth spectrum has: {observed:,.4g} where {expected:,.4g} are"
            f" expected{_in_window(result)}."
        )
    else:
        others = "the other features are" if len(result.features) > 1 else f"{printable(result.features[0])} is"
        found = f"Events {where} differ from those around: {others} distributed otherwise there."
    ending = " It may be chance." if level == "mild" else ""
    return Verdict(
        level,
        f"{level.capitalize()} excess at {name} = {_at(result)}",
        f"{found} {chance[0].upper()}{chance[1:]}.{ending}",
    )


def hunt_notes(result: HuntResult) -> tuple[str, ...]:
    """What a reader must know beside the numbers."""
    name = result.resonance
    found = []
    if not result.trend.enough:
        found.append(_changing(result))
    if not result.spectrum.enough:
        found.append(
            f"exp(polynomial of degree {result.spectrum.degree}) does not describe the spectrum of {name}, so that"
            " p is that of the other features alone: give a range in which the spectrum is smooth"
        )
    if result.z >= MILD:
        found.append(
            f"a background that changes within a window, such as a known resonance or the edge of a trigger, looks like"
            f" a signal in {name}"
        )
    if result.dropped:
        first = result.dropped[0]
        more = "" if len(result.dropped) == 1 else f", and {len(result.dropped) - 1} more for reasons of this kind"
        found.append(f"not looked at: {name} = {first.start:.4g} to {first.stop:.4g}, where {first.reason}{more}")
    return tuple(found)


TABLE_HEAD = ("window", "local p of the others", "local p of the spectrum", "observed", "smooth")


def hunt_rows(result: HuntResult) -> list[tuple[str, ...]]:
    """One row for each window with the columns of `TABLE_HEAD`, of many those of smallest p."""
    features, spectrum = result.in_features.local.min(axis=1), result.in_spectrum.local
    order = np.argsort(np.minimum(features, spectrum), kind="stable")[:_ROWS]
    rows: list[tuple[str, ...]] = []
    for j in order.tolist():
        low, high = result.windows.ends(j)
        rows.append(
            (
                f"{low:.4g} to {high:.4g}",
                format_p(float(np.exp(features[j]))),
                format_p(float(np.exp(spectrum[j]))),
                f"{result.in_spectrum.observed[j]:,.4g}",
                f"{result.in_spectrum.expected[j]:,.4g}",
            )
        )
    return rows


def hunt_numbers(result: HuntResult) -> Mapping[str, str]:
    """What was found and what it stands on, by name."""
    j = result.leading_window
    low, high = result.windows.ends(j)
    features, spectrum = (float(np.exp(x.log_p)) for x in (result.in_features, result.in_spectrum))
    local = result.local_p
    leading = f"{result.resonance} = {low:.4g} to {high:.4g}, local {p_text(local)}, {z_text(z_score(local))}"
    if result.leads == "features":
        leading += f", kernels of {result.in_features.kernels[result.in_features.leading[1]]}"
    beyond = ", ".join(format_p(p) for p in result.trend.p_values)
    return {
        "p-value": f"{format_p(result.p_value)} for all windows, the other features and the spectrum",
        "Z": format_z(result.z),
        "others": f"{p_text(features)} for all windows and kernels{_within(result)}",
        "spectrum": f"{p_text(spectrum)} for all windows",
        "leading": leading,
        "trend": f"polynomials of degree {result.trend.taken_out} in {result.resonance}; the three after"
        f" {result.trend.degree} have p = {beyond}",
        "smooth fit": f"exp(polynomial of degree {result.spectrum.degree} in {result.resonance})",
        "windows": f"{count(len(result.windows), 'window')}, {count(len(result.in_features.kernels), 'kernel')} each",
        "data": f"{count(result.events, 'event')}, yield {result.total:,.6g}",
        "features": f"{len(result.features)}: {', '.join(printable(f) for f in result.features)}",
        "time": format_duration(sum(result.seconds.values())),
    }


def hunt_text(result: HuntResult) -> str:
    """Verdict, table of windows, key numbers and cautions in at most 100 columns."""
    table = aligned([TABLE_HEAD, *hunt_rows(result)], right=range(1, 5))
    rows = [(name, printable(value)) for name, value in hunt_numbers(result).items()]
    rows += [("caution", printable(text)) for text in result.notes]
    return "\n".join([f"NPLM hunt: {hunt_verdict(result).title}", *table, *labelled(rows)])


def hunt_line(result: HuntResult) -> str:
    """The answer on one line: p = 0.012, Z = 2.26 at m = 4.4."""
    return f"{p_text(result.p_value)}, {z_text(result.z)} at {printable(result.resonance)} = {_at(result)}"


def _at(result: HuntResult) -> str:
    return f"{result.windows.centre[result.leading_window]:.4g}"


def _within(result: HuntResult) -> str:
    """The error of the draws, where it is one that a reader would notice."""
    error = result.in_features.error
    return f", known to {100 * error:.0f}%" if error >= 0.005 else ""


def _in_window(result: HuntResult) -> str:
    return "" if result.windows.region is not None else ", each event counted as it is near to the centre"


def _changing(result: HuntResult) -> str:
    trend = result.trend
    beyond = ", ".join(format_p(p) for p in trend.p_values)
    what = "a polynomial of degree" if not trend.chosen else "no polynomial up to degree"
    verb = "does not describe" if not trend.chosen else "describes"
    return (
        f"{what[0].upper()}{what[1:]} {trend.degree} {verb} how the other features change with {result.resonance} (the"
        f" next three terms have p = {beyond}): give a narrower range of {result.resonance}, or features that change"
        " less."
    )
