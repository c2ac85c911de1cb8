"""The result of several tests in words: a verdict, a table of the tests, and cautions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nplm.hypotest.cautions import cautions
from nplm.hypotest.key_numbers import key_numbers
from nplm.hypotest.verdict import LARGEST_INFLATION, with_outside
from nplm.stats.goodness_of_fit import LEAST_TOYS_FOR_CHECK
from nplm.stats.significance import z_score
from nplm.wording.numbers import (
    check_words,
    count,
    format_duration,
    format_p,
    format_z,
    p_interval_text,
    p_text,
    printable,
    share_of,
    z_interval_text,
    z_text,
)
from nplm.wording.standing import kind_text
from nplm.wording.tables import aligned, labelled
from nplm.wording.verdict_levels import MILD, STRONG, Level, Verdict, interrupted, where_apart

if TYPE_CHECKING:
    from nplm.hypotest.multiple_result import MultipleResult

TABLE_HEAD = ("test", "t", "expected", "local p", "local Z", "stands on")


def multiple_verdict(result: MultipleResult) -> Verdict:
    """As for one test, with the global p-value: agreement below Z = 2, a mild discrepancy up to 3, strong above."""
    return with_outside(_of_all(result), result.tests[0].outside)


def _of_all(result: MultipleResult) -> Verdict:
    found = result.global_p
    tests = count(len(result.tests), "test")
    numbers = f"global {p_text(found.p_value)}, {z_text(found.z)}, {kind_text(found.kind)}"
    if result.tests[0].calibration.inflation > LARGEST_INFLATION:
        return Verdict(
            "undecided",
            "Undecided: toys from too small a sample",
            "The sample that the toys were drawn from is too small: its own fluctuation, which data and toys do not"
            f" share, widens every t ({numbers}). Give a larger reference, or a larger pool to draw the toys from.",
        )
    limit = found.kind == "empirical" and found.exceeding == 0
    share = share_of(found.p_value, "samples drawn from the reference", limit=limit)
    chance = f"in {share} the {tests} together show as much ({numbers})"
    toys = count(result.toys, "joint toy")
    if found.z < MILD and limit:
        return Verdict(
            "undecided",
            "Undecided: too few toys",
            f"None of {toys} differs from the reference as much as the data do, but so few cannot show more than"
            f" Z = {format_z(found.z)} ({numbers}). Run at least 200.",
        )
    if found.z < MILD and not result.complete and result.toys < LEAST_TOYS_FOR_CHECK:
        return interrupted(toys, numbers)
    if found.z < MILD:
        return Verdict("agreement", "Agreement", f"The data agree with the reference: {chance}.")
    level: Level = "mild" if found.z < STRONG else "strong"
    ending = "Check both samples before reading physics into it." if level == "strong" else "It may be chance."
    if limit:
        ending = f"None of {toys} differs as much, so Z is limited by their number; more toys may raise it."
    least = "at least a " if limit else "a "
    return Verdict(
        level,
        f"{least}{level} discrepancy".removeprefix("a ").capitalize() + _apart(result),
        f"The data show {least}{level} discrepancy with the reference, most in the test"
        f" '{result.names[result.leading]}': {chance}. {ending}",
    )


def _apart(result: MultipleResult) -> str:
    """Whether yield, shape or both differ; of the shapes the smallest p-value, times their number."""
    rate, shapes = result.tests[0].rate, [test.shape for test in result.tests]
    if rate is None:
        return ""
    known = [shape.p_value for shape in shapes if shape is not None]
    shape_z = z_score(min(1.0, len(known) * min(known))) if len(known) == len(shapes) else None
    return where_apart(rate.z, shape_z)


def multiple_rows(result: MultipleResult) -> list[tuple[str, ...]]:
    """One row for each test, with the columns of `TABLE_HEAD`; the p-values are local ones."""
    return [
        (
            printable(name),
            f"{test.t:.2f}",
            f"{test.calibration.mean:.4g} +- {test.calibration.sd:.3g}",
            format_p(test.p_value),
            format_z(test.z),
            kind_text(test.calibration.kind),
        )
        for name, test in zip(result.names, result.tests, strict=True)
    ]


def multiple_numbers(result: MultipleResult) -> Mapping[str, str]:
    """What was found by all tests together and what it stands on, by name."""
    found, first = result.global_p, result.tests[0]
    leading = result.tests[result.leading]
    interval = f"68% interval: {p_interval_text(found.p_interval)}"
    rows = {
        **{name: value for name, value in key_numbers(first).items() if name == "yield"},
        "global p": f"{p_text(found.p_value).removeprefix('p ').removeprefix('= ')} ({interval})",
        "global Z": f"{z_text(found.z).removeprefix('Z ').removeprefix('= ')}"
        f" (68% interval: {z_interval_text(found.z_interval)})",
        "combined": f"{result.combination.describe()}, T = {found.statistic:.3f}",
        "stands on": f"{kind_text(found.kind)}: {found.null}{_checked(result)}",
        "leading": f"{printable(result.names[result.leading])}, local {p_text(leading.p_value)}",
    }
    if result.combination.name == "min-p" and leading.p_value > 0:
        factor = found.p_value / leading.p_value
        rows["leading"] += f"; looking at {len(result.tests)} tests costs a factor {factor:.2f} in p"
    rows["data"] = f"{count(first.n_data, 'event')}, yield {first.observed_yield:,.6g}"
    rows["expected"] = f"{first.expected_yield:,.6g}, from {count(first.n_reference, 'event')} of the reference"
    rows["time"] = format_duration(sum(result.seconds.values()))
    return rows


def multiple_cautions(result: MultipleResult) -> list[str]:
    """What a reader must know beside the numbers."""
    found = list(result.notes)
    if not result.complete:
        found.append(
            f"interrupted after {result.toys} of {result.toys_requested} joint toys: the p-values use those done"
        )
    if result.check is not None and not result.check.accepted:
        found.append(
            "the toys do not follow the joint normal distribution of the tests"
            f" (p = {format_p(result.check.p_value)}), so the global p-value was counted from them"
        )
    if result.global_p.p_interval[0] == 0:
        found.append(f"no more can be said than that: {result.global_p.null} show no smaller p-value")
    for name, test in zip(result.names, result.tests, strict=True):
        own = [text for text in cautions(test) if text not in result.notes and not text.startswith("no toys:")]
        found += [f"{name}: {text}" for text in own]
    return found


def multiple_text(result: MultipleResult) -> str:
    """Verdict, table of the tests, key numbers and cautions in at most 100 columns."""
    table = aligned([TABLE_HEAD, *multiple_rows(result)], right=range(1, 5))
    rows = [*multiple_numbers(result).items()]
    first = [row for row in rows if row[0] == "yield"]
    rows = [row for row in rows if row[0] != "yield"]
    features = result.tests[0].features
    rows += [("features", f"{len(features)}: {', '.join(printable(f) for f in features)}")]
    rows += [("caution", printable(text)) for text in multiple_cautions(result)]
    title = f"NPLM, {count(len(result.tests), 'test')}: {multiple_verdict(result).title}"
    return "\n".join([title, *labelled(first), *table, *labelled(rows)])


def multiple_line(result: MultipleResult) -> str:
    """The answer on one line: global p = 0.0196, Z = 2.06 (asymptotic joint, smallest p-value of 6 tests)."""
    found = result.global_p
    return (
        f"global {p_text(found.p_value)}, {z_text(found.z)} ({kind_text(found.kind)}, {result.combination.describe()}"
        f" of {count(len(result.tests), 'test')})"
    )


def _checked(result: MultipleResult) -> str:
    if result.check is None:
        return "" if result.global_p.kind == "empirical" else "; unchecked"
    answer = check_words(result.check) if result.check.accepted else "refused the joint normal distribution"
    return f"; {answer} by {count(result.toys, 'toy')} (p = {format_p(result.check.p_value)})"
