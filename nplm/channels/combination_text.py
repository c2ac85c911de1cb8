"""Which analyses may be combined, in words: the best combination, and of each analysis what it excludes and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nplm.wording.numbers import count, format_duration, printable
from nplm.wording.tables import aligned, labelled
from nplm.wording.verdict_levels import Verdict

if TYPE_CHECKING:
    from nplm.channels.combination_result import CombinationResult

ANALYSES_HEAD = ("analysis", "regions", "combines with", "weight", "in the best")
EXCLUDED_HEAD = ("analysis", "may not stand beside", "as")
# So many names stand in a line.
_MOST_NAMES = 8


def combination_verdict(result: CombinationResult) -> Verdict:
    """How many analyses the best combination has, and which."""
    many, every = len(result.best), len(result.graph.names)
    sentence = f"{printable(', '.join(result.best))}: {_weight(result)}, which no other allowed combination exceeds."
    return Verdict("agreement", f"The best combination has {many:,} of {every:,} analyses", sentence)


def analysis_rows(result: CombinationResult) -> list[tuple[str, ...]]:
    """One row for each analysis, with the columns of `ANALYSES_HEAD`."""
    graph = result.graph
    return [
        (
            printable(name),
            f"{result.regions[name]:,}",
            f"{int(graph.allowed[i].sum()):,} others",
            f"{result.weights[name]:.3g}" if name in result.weights else "no signal",
            "yes" if name in result.best else "",
        )
        for i, name in enumerate(graph.names)
    ]


def excluded_rows(result: CombinationResult) -> list[tuple[str, ...]]:
    """For each analysis a row for each reason why others may not be combined with it: `EXCLUDED_HEAD`."""
    names = result.graph.names
    found: list[tuple[str, ...]] = []
    for i, name in enumerate(names):
        reasons: dict[str, list[str]] = {}
        for j, other in enumerate(names):
            if why := result.graph.why_not(i, j):
                reasons.setdefault(why, []).append(other)
        for why, others in reasons.items():
            more = f" and {len(others) - _MOST_NAMES:,} more" if len(others) > _MOST_NAMES else ""
            found.append((printable(name), printable(", ".join(others[:_MOST_NAMES])) + more, printable(why)))
    return found


def combination_numbers(result: CombinationResult) -> Mapping[str, str]:
    """What was found and what it stands on, by name."""
    graph = result.graph
    return {
        "best": f"{printable(', '.join(result.best))} ({_weight(result)})",
        "rule": f"analyses may be combined if {graph.rule}" if graph.labels else graph.rule,
        "pairs": f"{graph.pairs:,} of {len(graph.names) * (len(graph.names) - 1) // 2:,} may be combined",
        "sets": f"{result.maximal_sets:,} to which no analysis can be added",
        "time": format_duration(sum(result.seconds.values())),
    }


def combination_text(result: CombinationResult) -> str:
    """Verdict, table of analyses and key numbers."""
    table = aligned([ANALYSES_HEAD, *analysis_rows(result)], right=(1, 3))
    rows = [(name, printable(value)) for name, value in combination_numbers(result).items()]
    return "\n".join([f"NPLM compatibility graph: {combination_verdict(result).title}", *table, *labelled(rows)])


def combination_line(result: CombinationResult) -> str:
    """The answer on one line."""
    return f"{count(len(result.best), 'analysis', 'analyses')}: {printable(', '.join(result.best))}"


def _weight(result: CombinationResult) -> str:
    if not result.template:
        return f"{result.weight:g} analyses"
    return f"an expected gain of {result.weight:.4g} in 2 log L of {printable(result.template)} at strength 1"
