"""The comparison of two samples in words: a verdict, a table of the tests, and cautions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from nplm.hypotest.yields import rate_z
from nplm.stats.significance import z_score
from nplm.wording.numbers import (
    count,
    format_duration,
    format_p,
    format_z,
    p_interval_text,
    p_text,
    printable,
    share_of,
    yields_text,
    z_interval_text,
    z_text,
)
from nplm.wording.standing import kind_text
from nplm.wording.tables import WIDTH, aligned, labelled
from nplm.wording.verdict_levels import MILD, STRONG, Level, Verdict, where_apart

if TYPE_CHECKING:
    from nplm.two_sample.calibration import TwoSampleCalibration
    from nplm.two_sample.result import TwoSampleResult

TABLE_HEAD = ("test", "t", "expected", "local p", "local Z")
# Of more tests than these only the first, those of smallest p-value, are in a table.
_MOST_ROWS, _FIRST_ROWS = 15, 10
_ROUNDING = 1e-9
# What the words of a family say for those who know it: the scale of its kernels.
_SCALE = re.compile(r", at a scale of [^ ]+ standard deviations(?: of the ranks)?(?: \([^ ]+ in .*?\))?(?=, |$)")


def two_sample_verdict(result: TwoSampleResult) -> Verdict:
    """Agreement below Z = 2, a mild difference up to 3, a strong one above; a limit where no resampling reaches."""
    found = result.calibration
    a, b = (printable(name) for name in result.sample_names)
    both = f"The data ({b}) and the reference ({a})" if result.of_test else f"{a} and {b}"
    numbers = f"{p_text(found.p_value)}, {z_text(found.z)}, {_kind(result)}"
    if found.limit and found.z < MILD:
        return Verdict(
            "undecided",
            "Undecided: too few resamplings",
            f"{both} differ more than any of {found.null}, but so few cannot show more than Z = {format_z(found.z)}"
            f" ({numbers}). Take more.",
        )
    cases = "cases" if result.of_test else "pairs of samples from one distribution"
    share = share_of(found.p_value, cases, limit=found.limit)
    chance = f"in {share} they differ at least as much{' by chance alone' * result.of_test} ({numbers})"
    if found.z < MILD:
        return Verdict("agreement", f"Agreement{_but(result)}", f"{both} agree: {chance}.")
    level: Level = "mild" if found.z < STRONG else "strong"
    least = "at least a " if found.limit else "a "
    ending = "It may be chance." if level == "mild" and not found.limit else ""
    if found.limit:
        ending = f"None of {found.null} differs as much, so Z is limited by their number."
        if result.asymptotic is not None and not result.asymptotic.limit:
            ending += f" The asymptotic null, uncounted, says {z_text(result.asymptotic.z)}."
    title = f"{least}{level} difference".removeprefix("a ").capitalize() + _apart(result)
    most = f"{both} show {least}{level} difference, most {_leading(result)}."
    sentence = f"{most} {chance[0].upper()}{chance[1:]}."
    return Verdict(level, title, f"{sentence} {ending}".rstrip())


def _apart(result: TwoSampleResult) -> str:
    """Whether yield, shape or both differ; nothing where only shapes are compared."""
    if result.rate is None:
        return ""
    return where_apart(rate_z(result.rate), None if result.shape is None else result.shape.z)


def _but(result: TwoSampleResult) -> str:
    """That the yield alone is far off, in spite of an agreement of all together."""
    return ", but the yield alone differs" if result.rate is not None and rate_z(result.rate) >= STRONG else ""


def two_sample_rows(result: TwoSampleResult) -> list[tuple[str, ...]]:
    """One row for each test, with the columns of `TABLE_HEAD`; of many, the leading one and those of smallest p."""
    rows: list[tuple[str, ...]] = [
        (name, f"{t:.2f}", f"{expected:.4g}", format_p(p), format_z(z_score(p)))
        for name, t, expected, p in zip(
            result.names, result.t.tolist(), result.expected_t.tolist(), result.local_p.tolist(), strict=True
        )
    ]
    if len(rows) <= _MOST_ROWS:
        return rows
    order = [result.leading, *(k for k in np.argsort(result.local_p).tolist() if k != result.leading)]
    return [*(rows[k] for k in order[:_FIRST_ROWS]), (f"and {len(rows) - _FIRST_ROWS} more", "", "", "", "")]


def two_sample_numbers(result: TwoSampleResult) -> Mapping[str, str]:
    """What was found and what it stands on, by name."""
    found = result.calibration
    # In a family p is that of shape and yield, each with its own distribution; one distribution of kernels is of both.
    of_shape = result.shape is not None and "family" in result.configuration
    within = found.p_interval[0] < found.p_interval[1]
    rows = {
        **_yields(result),
        "p-value": _value(p_text(found.p_value)) + within * f" (68% interval: {p_interval_text(found.p_interval)})",
        "Z": _value(z_text(found.z)) + within * f" (68% interval: {z_interval_text(found.z_interval)})",
        "shape by" if of_shape else "stands on": f"{kind_text(found.kind)}: {found.null}{_exceeding(found)}",
    }
    if result.asymptotic is not None and found.kind != "analytic":
        rows["asymptotic"] = (
            f"{p_text(result.asymptotic.p_value)}, {z_text(result.asymptotic.z)} from the {result.asymptotic.null}, for"
            " comparison"
        )
    if (shape := result.shape) is not None:
        limit = " (a lower limit of Z)" if shape.limit else ""
        rows["shape"] = f"{p_text(shape.p_value)}, {z_text(shape.z)}{limit}"
    if result.leading_words:
        rows["leading"] = result.leading_words
    rows |= {each.name: each.words for each in result.kept if each.threshold is not None}
    tests = len(result.names)
    shapes = count(tests - of_shape, "test")
    rows["combined"] = f"smallest p-value of {shapes}, T = -log p = {result.statistic:.3f}"
    if of_shape:
        rows["combined"] += (
            " (of the shapes); with the yield: the smallest of shape, twice the yield, and their product"
        )
    called = ("reference", "data") if result.of_test else ("sample A", "sample B")
    for i, name in enumerate(result.sample_names):
        effective, size = result.effective_sizes[i], result.sizes[i]
        weighted = f", {effective:,.6g} effective" if effective < (1 - _ROUNDING) * size else ""
        rows[called[i]] = (
            f"{printable(name)}: {count(result.sizes[i], 'event')}{weighted}, yield {result.yields[i]:,.6g}"
        )
    ratio = result.configuration["expected_ratio"]
    of_yields = "data / reference" if result.of_test else "B / A"
    rows["yields"] = "not compared" if ratio is None else f"compared: {of_yields} is expected to be {ratio:g}"
    rows["time"] = format_duration(sum(result.seconds.values()))
    return rows


def _yields(result: TwoSampleResult) -> dict[str, str]:
    """Observed over expected, first of all numbers, where yields are compared apart from shapes."""
    rate = result.rate
    if rate is None:
        return {}
    return {"yield": f"{yields_text(rate.observed, rate.expected)}; {p_text(rate.p_value)} (both sides)"}


def two_sample_cautions(result: TwoSampleResult) -> list[str]:
    """What a reader must know beside the numbers."""
    found = list(result.notes)
    if not result.fit_converged:
        found.append("the fit of the log-ratio did not converge: pictures show where it stopped; p is not affected")
    return found


def two_sample_text(result: TwoSampleResult) -> str:
    """Verdict, table of the tests, key numbers and cautions in at most 100 columns."""
    table = aligned(_narrow([TABLE_HEAD, *two_sample_rows(result)]), right=range(1, 5))
    first = _yields(result)
    rows = [(name, value) for name, value in two_sample_numbers(result).items() if name not in first]
    rows += [("features", f"{len(result.features)}: {', '.join(printable(f) for f in result.features)}")]
    rows += [("caution", printable(text)) for text in two_sample_cautions(result)]
    title = f"{'NPLM test' if result.of_test else 'NPLM, two samples'}: {two_sample_verdict(result).title}"
    return "\n".join([title, *labelled([*first.items()]), *table, *labelled(rows)])


def _narrow(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Rows of a table in which names go on in a line of their own where they would make it wider than a terminal."""
    others = sum(2 + max(len(cell) for cell in column) for column in list(zip(*rows, strict=True))[1:])
    found: list[tuple[str, ...]] = []
    for name, *numbers in rows:
        first, *more = wrap(name, WIDTH - 2 - others, subsequent_indent="  ", break_on_hyphens=False) or [""]
        found += [(first, *numbers), *((line, *[""] * len(numbers)) for line in more)]
    return found


def two_sample_line(result: TwoSampleResult) -> str:
    """The answer on one line: p = 0.012, Z = 2.26 (permutation)."""
    found = result.calibration
    limit = ", a lower limit of Z" if found.limit else ""
    return f"{p_text(found.p_value)}, {z_text(found.z)} ({_kind(result)}{limit})"


def _kind(result: TwoSampleResult) -> str:
    """What the p-value is from: where the yield has a part in it, no count of shapes alone."""
    kind = kind_text(result.calibration.kind)
    if result.rate is None or "family" not in result.configuration:
        return kind
    return "yield" if result.leading != result.leading_shape else f"{kind} and yield"


def _leading(result: TwoSampleResult) -> str:
    """Where they differ most, as part of a sentence."""
    if result.rate is not None and result.leading != result.leading_shape:
        return f"in the yield ({result.rate.observed:,.6g} where {result.rate.expected:,.6g} are expected)"
    return plain_words(result) or f"in the test '{result.names[result.leading]}'"


def plain_words(result: TwoSampleResult) -> str:
    """What the leading test of shapes found, without its scale; empty without words.

    In met alone, mainly between met = 42 and 92: 954 events of the data where 705 are expected.
    """
    words = _SCALE.sub("", result.leading_words).replace(", most of it between ", ", mainly between ")
    return words.replace(", most of it at ", ", mainly at ")


def _value(text: str) -> str:
    return text.removeprefix("p ").removeprefix("Z ").removeprefix("= ")


def _exceeding(found: TwoSampleCalibration) -> str:
    if found.kind == "analytic":
        return ""
    return f", {found.exceeding or 'none'} of them with at least the observed statistic"
