"""What an excess may be, in words: a verdict, the best set of templates, where it gains, key numbers and cautions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nplm.wording.numbers import (
    count,
    format_duration,
    format_p,
    format_z,
    p_interval_text,
    p_text,
    printable,
    share_of,
    z_text,
)
from nplm.wording.tables import aligned, labelled
from nplm.wording.verdict_levels import MILD, STRONG, Level, Verdict

if TYPE_CHECKING:
    from nplm.channels.explain_result import ExplainResult

REGIONS_HEAD = ("region", "observed", "expected", "signal", "gain of the analysis")
WALKS_HEAD = ("walker", "K", "templates")
# A share of walkers that end this close to the best is enough to believe that it is the best.
_CLOSE, _SHARE = 0.5, 0.3


def explain_verdict(result: ExplainResult) -> Verdict:
    """Nothing to explain below Z = 2, a mild hint up to 3, a strong one above; undecided without fake tables."""
    what = printable(_what(result))
    told = f"The best explanation is {what}: K = {result.score.k:.2f}"
    if not len(result.null):
        return Verdict("undecided", f"Best explanation: {what}", f"{told}. Without fake tables there is no p-value.")
    share = share_of(result.p_value, "tables of the background alone", limit=result.limit)
    sentence = f"{told}, which {share} reach ({p_text(result.p_value)}, {z_text(result.z)})."
    if result.z < MILD and result.limit:
        return Verdict("undecided", "Undecided: too few fake tables", f"{sentence} More of them can tell.")
    if result.z < MILD:
        return Verdict("agreement", "Nothing that needs an explanation", sentence)
    level: Level = "mild" if result.z < STRONG else "strong"
    return Verdict(level, f"{level.capitalize()} hint of {what}", sentence)


def explain_notes(result: ExplainResult) -> tuple[str, ...]:
    """What a reader must know beside the numbers."""
    found = []
    near = float((result.walks >= result.score.k - _CLOSE).mean())
    if near < _SHARE:
        found.append(
            f"{near:.0%} of {count(len(result.walks), 'walker')} ended within {_CLOSE:g} of the best K: more steps may"
            " find a better set"
        )
    if result.limit:
        found.append("no fake table has so large a K: p is the least that so many can give")
    if result.score.limited_by and result.score.mu > 0.98 * result.score.limit:
        found.append(f"mu is at the limit that {result.score.limited_by} sets, outside of the combination")
    return (*found, *result.table.remarks)


def explain_rows(result: ExplainResult) -> list[tuple[str, ...]]:
    """One row for each region with a signal, with the columns of `REGIONS_HEAD`; the largest gain first."""
    table, signal = result.table, result.strengths @ result.templates.yields
    rows = np.flatnonzero(signal > 0)
    gains = {**dict.fromkeys(table.rows, -np.inf), **result.score.gains}
    order = sorted(rows.tolist(), key=lambda i: -gains[table.analyses[i]])
    return [
        (
            printable(table.title(i)),
            f"{table.observed[i]:,.0f}",
            f"{table.expected[i]:.4g} +- {table.error[i]:.3g}",
            f"{signal[i]:.3g}",
            f"{gains[table.analyses[i]]:.2f}" if np.isfinite(gains[table.analyses[i]]) else "not combined",
        )
        for i in order
    ]


def walk_rows(result: ExplainResult) -> list[tuple[str, ...]]:
    """One row for each walker, with the columns of `WALKS_HEAD`; the best first."""
    order = np.argsort(-result.walks, kind="stable").tolist()
    return [(str(i), f"{result.walks[i]:.2f}", printable(", ".join(result.sets[i]))) for i in order]


def explain_numbers(result: ExplainResult) -> Mapping[str, str]:
    """What was found and what it stands on, by name."""
    score, gain = result.score, sum(result.score.gains.values())
    p = "not known without fake tables"
    if result.p_interval is not None:
        p = f"{format_p(result.p_value)} ({p_interval_text(result.p_interval)})"
    full = result.configuration.get("full_likelihoods", [])
    limit = "none" if not score.limited_by else f"mu up to {score.limit / max(score.mu, 1e-300):.3g} times that found"
    return {
        "p-value": p,
        "Z": format_z(result.z),
        "K": f"{score.k:.3f} = {gain:.3f} of likelihoods - {gain - score.k:.3g} for its complexity",
        "strengths": ", ".join(f"{name} {value:.3g}" for name, value in result.explanation.items()) or "none",
        "analyses": ", ".join(score.combination) or "none",
        "limit": limit if score.mu > 0 else "none",
        "rule": f"analyses may be combined if {result.rule}" if "pairs" not in result.rule else result.rule,
        "walks": f"{count(len(result.walks), 'walker')}, K from {result.walks.min():.2f} to {result.walks.max():.2f}",
        "null": f"{count(len(result.null), 'fake table')} of the background{_drawn(full)}",
        "likelihood": f"full: {', '.join(full)}; all others simplified" if full else "simplified",
        "time": format_duration(sum(result.seconds.values())),
    }


def explain_text(result: ExplainResult) -> str:
    """Verdict, table of regions, key numbers and cautions."""
    found = explain_rows(result)[:10]
    table = aligned([REGIONS_HEAD, *found], right=range(1, 5)) if found else []
    rows = [(name, printable(value)) for name, value in explain_numbers(result).items()]
    rows += [("caution", printable(text)) for text in result.notes]
    return "\n".join([f"NPLM templates: {explain_verdict(result).title}", *table, *labelled(rows)])


def explain_line(result: ExplainResult) -> str:
    """The answer on one line."""
    numbers = f"K = {result.score.k:.2f}"
    if len(result.null):
        numbers += f", {p_text(result.p_value)}, {z_text(result.z)}"
    return f"{numbers}: {printable(_what(result))}"


def _drawn(full: Sequence[str]) -> str:
    return (
        f"; counts and auxiliary data of {', '.join(full)} from the workspace, fitted without a signal" if full else ""
    )


def _what(result: ExplainResult) -> str:
    names = list(result.explanation) or ["no template"]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
