"""What the page of a monitor says first: the worst of the windows, and how the last one looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nplm.monitor.verdict import Verdict
from nplm.monitor.words import AGREES
from nplm.wording.numbers import count
from nplm.wording.verdict_levels import Level

# p within this factor of the limit of an alarm is worth watching.
WATCH = 10.0
State = Literal["alarm", "problem", "unreadable", "changed", "watch", "ok"]
# The colour of each status.
LEVELS: dict[State, Level] = {
    "alarm": "strong",
    "problem": "mild",
    "unreadable": "mild",
    "changed": "mild",
    "watch": "watch",
    "ok": "agreement",
}


@dataclass(frozen=True)
class Headline:
    """What stands above all others.

    Arguments:
        level: for colours.
        title: a few words.
        sentence: about the worst window.
        worst: that window; None if all agree.
    """

    level: Level
    title: str
    sentence: str
    worst: Verdict | None = None


def state_of(verdict: Verdict, limit: float) -> State:
    """The status of a window, where "watch" is an agreement that is close to the limit of an alarm."""
    if verdict.status != "ok":
        return verdict.status
    return "watch" if smallest_p(verdict) <= WATCH * limit else "ok"


def smallest_p(verdict: Verdict) -> float:
    """That of shape and rate; 1 if neither was tested."""
    return min((p for p in (verdict.p_shape, verdict.p_rate) if p is not None), default=1.0)


def message_of(verdict: Verdict, limit: float) -> str:
    """The verdict in words, with what makes it worth watching."""
    if state_of(verdict, limit) != "watch":
        return verdict.message
    test = "shape" if verdict.p_shape is not None and verdict.p_shape == smallest_p(verdict) else "rate"
    borderline = f"borderline: the {test} has p = {smallest_p(verdict):.2g}, and below {limit:.2g} it is an alarm"
    rest = verdict.message.removeprefix(AGREES).removeprefix("; ")
    return f"{borderline}; {rest}" if rest else borderline


def headline(verdicts: Sequence[Verdict], limit: float) -> Headline:
    """The worst alarm, or else the last window that could not be tested, or else the one closest to an alarm.

    Arguments:
        verdicts: in order.
        limit: of p in each chart, below which there is an alarm.
    """
    if not verdicts:
        return Headline("undecided", "Waiting", "No window is complete yet.")
    states = [state_of(v, limit) for v in verdicts]
    windows = f"of the last {count(len(verdicts), 'window')}"
    alarms = [v for v, state in zip(verdicts, states, strict=True) if state == "alarm"]
    untested = [v for v, state in zip(verdicts, states, strict=True) if state in ("problem", "unreadable", "changed")]
    watched = [v for v, state in zip(verdicts, states, strict=True) if state == "watch"]
    also = f" {_number(len(untested))} could not be tested in full." if untested else ""
    if alarms:
        worst = min(reversed(alarms), key=smallest_p)
        many = f" ({len(alarms)} {windows} gave one; this is the worst)" if len(alarms) > 1 else f" (1 {windows})"
        sentence = f"{worst.source}: {worst.message}.{also}{_far(verdicts, worst)}"
        return Headline("strong", f"Alarm in window {worst.row}{many}", sentence, worst)
    if untested:
        last = untested[-1]
        others = f" {len(untested)} {windows} are like that." if len(untested) > 1 else ""
        sentence = f"{last.source}: {last.message}.{others}"
        sentence += f" No alarm.{_far(verdicts, last)}"
        return Headline("mild", f"Window {last.row} could not be tested in full", sentence, last)
    if watched:
        worst = min(reversed(watched), key=smallest_p)
        return Headline(
            "watch",
            f"No alarm; window {worst.row} is worth watching",
            f"{worst.source}: {message_of(worst, limit)}. {expected_watched(verdicts, limit)}{_far(verdicts, worst)}",
            worst,
        )
    agree = "all agree" if len(verdicts) > 1 else "it agrees"
    sentence = f"{_number(len(verdicts))} tested, and {agree} with the reference.{_far(verdicts)}"
    return Headline("agreement", "No alarm", sentence)


def expected_watched(verdicts: Sequence[Verdict], limit: float) -> str:
    """How many borderline windows chance gives, so that nobody is alarmed by their usual number."""
    p_values = sum((v.p_shape is not None) + (v.p_rate is not None) for v in verdicts)
    expected = p_values * (WATCH - 1) * limit
    return f"Of so many windows about {expected:.1g} are borderline by chance."


def wants_a_look(verdict: Verdict, limit: float) -> bool:
    """Whether a window does not simply agree."""
    return state_of(verdict, limit) != "ok" or verdict.far > 0


def _far(verdicts: Sequence[Verdict], named: Verdict | None = None) -> str:
    """A sentence on windows with events far beyond the reference, but for one whose message stands beside it."""
    found = [v for v in verdicts if v.far and v is not named]
    if not found:
        return ""
    last, beyond = found[-1], "far beyond the range of the reference, such as default values"
    events = count(last.far, "event")
    if len(found) == 1:
        return f" Window {last.row} ({last.source}) has {events} {beyond}."
    return f" {_number(len(found))} have events {beyond}; the last is window {last.row} ({last.source}), with {events}."


def _number(windows: int) -> str:
    return count(windows, "window").capitalize()
