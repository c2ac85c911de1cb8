"""Closure in words: its table, what it says, and both as a text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nplm.sensitivity.null_check import LEVEL, TAIL
from nplm.wording.numbers import format_z
from nplm.wording.tables import aligned

if TYPE_CHECKING:
    from nplm.sensitivity.closures import Closure, ClosureAt


def closure_text(found: Closure) -> str:
    """The table, the check of the null and the verdict, in at most 100 columns of ASCII."""
    lines = [
        *aligned(closure_rows(found)),
        "",
        f"  without a signal {size_text(found)}",
        f"  Z stands on: {found.null}",
    ]
    return "\n".join([*lines, "", *(f"  {sentence}" for sentence in verdict(found))])


def closure_rows(found: Closure) -> list[tuple[str, ...]]:
    """A head, and a row for each number of signal events."""
    best = found.best
    columns = ["signal", "median Z", "68% of toys", "technical Z"]
    if any(at.expected_z is not None for at in found.at):
        columns.append("asymptotic Z")
    if best is not None:
        name = "best test" if best.kind == "known" else "classifier"
        columns.append(f"{name}, nu known" if found.nuisances_known else name)
    return [tuple(columns), *(_row(at, columns) for at in found.at)]


def size_text(found: Closure) -> str:
    """How many toys without a signal are rejected."""
    check = found.null_check
    return (
        f"{check.rejected:,} of {check.toys:,} toys have p <= {LEVEL:g}: size {check.size:.3g}"
        f" (95%: {check.interval[0]:.3g} to {check.interval[1]:.3g}); {check.beyond:,} have p <= {TAIL:g}"
    )


def verdict(found: Closure) -> list[str]:
    """What the numbers say, in sentences."""
    check = found.null_check
    sentences = []
    size, tail = f"a size of {check.size:.3g} is not 5%", f"{check.beyond:,} of {check.toys:,} toys are not 1%"
    odd, p = min(((size, check.p_value), (tail, check.tail_p_value)), key=lambda each: each[1])
    if check.unanimous:
        sentences.append(
            f"the null holds: {check.rejected:,} of {check.toys:,} toys without a signal are rejected at {LEVEL:.0%},"
            " as chance allows"
        )
    elif check.accepted:
        part = "size" if odd is size else f"tail, {check.beyond:,} of {check.toys:,} toys with p <= {TAIL:g},"
        sentences.append(
            f"the null is not refuted, but its {part} looks odd (p = {p:.2g}): run more toys before Z above is trusted"
        )
    else:
        what = size if odd is size else f"with p <= {TAIL:g} {tail}"
        sentences.append(
            f"THE NULL DOES NOT HOLD: {what} (p = {p:.2g}), so no Z above can be trusted; calibrate with toys"
        )
    above = [f"{at.events:g}" for at in found.at if at.exceeds]
    if above and found.known:
        sentences.append(f"ABOVE THE BEST TEST at {', '.join(above)} events, which no right test can be")
    elif above:
        sentences.append(f"above the classifier at {', '.join(above)} events: it has learned less than it could")
    ratios = [at.sampled.median_z / at.ideal_z for at in found.at if at.ideal_z is not None and at.ideal_z > 1]
    if ratios:
        name = "best test" if found.known else "classifier's test"
        reach = f"{min(ratios):.0%} to {max(ratios):.0%}"
        sentences.append(f"median Z is {reach} of that of the {name}, which knows what to look for")
    if found.nuisances_known:
        sentences.append("it knows the nuisances as well: an upper bound, as what they can imitate is not found")
    return sentences


def _row(at: ClosureAt, columns: list[str]) -> tuple[str, ...]:
    limit = "at least " if at.sampled.median_is_limit else ""
    cells = [
        f"{at.events:g}",
        f"{limit}{format_z(at.sampled.median_z)}",
        f"{format_z(at.sampled.band[0])} to {format_z(at.sampled.band[1])}",
        format_z(at.technical_z),
    ]
    if "asymptotic Z" in columns:
        cells.append("" if at.expected_z is None else format_z(at.expected_z))
    if at.ideal_z is not None:
        spread = f" +- {at.ideal_spread:.2f}" if at.ideal_spread else ""
        cells.append(f"{format_z(at.ideal_z)}{spread}")
    return tuple(cells)
