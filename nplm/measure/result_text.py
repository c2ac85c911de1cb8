"""A measurement in words: a verdict, tables of parameters and nuisances, limits and cautions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nplm.stats.null import ONE_SIGMA
from nplm.wording.numbers import count, format_duration, format_p, p_text, printable, z_text
from nplm.wording.tables import aligned, labelled
from nplm.wording.verdict_levels import MILD, STRONG, Level, Verdict

if TYPE_CHECKING:
    from nplm.measure.limits import UpperLimit
    from nplm.measure.result import Interval, MeasureResult

# Nuisances, correlations and other rows that a page of text shows at most.
_MOST = 12


def value_text(value: float, error: float) -> str:
    """A value with its error, to two digits of the error: 0.0641 +- 0.0227."""
    if not (np.isfinite(error) and error > 0):
        return f"{value:.4g}"
    digits = max(0, 1 - int(np.floor(np.log10(error))))
    return f"{value:.{digits}f} +- {error:.{digits}f}" if digits < 12 else f"{value:.3g} +- {error:.2g}"


def measured_text(result: MeasureResult) -> str:
    """All parameters of interest in one line."""
    return ", ".join(
        f"{printable(name)} = {value_text(result.values[i], result.errors[i])}"
        for i, name in enumerate(result.names[: result.of_interest])
    )


def measure_verdict(result: MeasureResult) -> Verdict:
    """What was measured, and whether the best member of the model describes the data."""
    if not result.of_interest:
        return _of_reference(result)
    numbers = measured_text(result)
    if result.expected:
        return Verdict("agreement", "What is expected", f"Before there are data, one expects {numbers}.")
    found = result.goodness_of_fit
    if found is None:
        return Verdict(
            "undecided",
            "Measured; the fit was not tested",
            f"{numbers}. Whether the model describes the data was not asked.",
        )
    stands = f"{p_text(found.p_value)}, {z_text(found.z)}"
    if found.z < MILD:
        return Verdict(
            "agreement", "The model describes the data", f"{numbers}. Nothing is left beside the fit ({stands})."
        )
    level: Level = "mild" if found.z < STRONG else "strong"
    chance = " It may be chance." if level == "mild" else " The errors hold only if the model does."
    return Verdict(
        level,
        "The model leaves something over",
        f"{numbers}; but no values of the parameters describe the data: they differ most {found.leading_words}"
        f" ({stands}).{chance}",
    )


def _of_reference(result: MeasureResult) -> Verdict:
    """Without a parameter of interest: whether the reference describes the data, whatever the nuisances are."""
    found = result.goodness_of_fit
    if found is None:
        return Verdict("undecided", "The fit was not tested", "Whether the reference describes the data was not asked.")
    stands = f"{p_text(found.p_value)}, {z_text(found.z)}"
    if found.z < MILD:
        sentence = f"With the nuisances where the data put them the reference describes the data ({stands})."
        return Verdict("agreement", "The reference describes the data", sentence)
    level: Level = "mild" if found.z < STRONG else "strong"
    chance = " It may be chance." if level == "mild" else ""
    sentence = (
        f"No values of the nuisances describe the data: they differ most {found.leading_words} ({stands}).{chance}"
    )
    return Verdict(level, "The nuisances leave something over", sentence)


def parameter_rows(result: MeasureResult) -> list[tuple[str, ...]]:
    """A head, and for each parameter of interest its value, what the reference has in its error, and its intervals.

    Nothing without such parameters.
    """
    if not result.of_interest:
        return []
    levels = list(dict.fromkeys(each.level for each in result.intervals))
    head = ("parameter", "value", "error by the reference", *(f"{100 * level:.3g}% interval" for level in levels))
    rows = []
    for i, name in enumerate(result.names[: result.of_interest]):
        own = [each for each in result.intervals if each.name == name]
        rows.append(
            (
                printable(name),
                value_text(result.values[i], result.errors[i]),
                f"{result.errors_of_reference[i]:.2g}",
                *(interval_text(each) for each in own),
            )
        )
    return [head, *rows]


def interval_text(found: Interval) -> str:
    """[0.0415, 0.0869]"""
    return f"[{found.low:.4g}, {found.high:.4g}]"


def coverage_rows(result: MeasureResult) -> list[tuple[str, ...]]:
    """What toys say of the intervals; nothing without toys."""
    rows = [
        (
            printable(each.name),
            f"{100 * each.level:.3g}%",
            f"{100 * each.coverage[0]:.3g}% ({100 * each.coverage[1]:.3g} to {100 * each.coverage[2]:.3g})",
            f"{each.threshold:.3g}" if each.ends is None else f"{each.ends[0]:.3g} and {each.ends[1]:.3g}",
        )
        for each in result.intervals
        if each.coverage is not None
    ]
    return [("parameter", "level", "asymptotic interval covers", "thresholds by toys"), *rows] if rows else []


def nuisance_rows(result: MeasureResult) -> list[tuple[str, ...]]:
    """A head, and for each nuisance its constraint, its fit, its pull, and its impact on each parameter."""
    k = result.of_interest
    if len(result.names) == k:
        return []
    head = ("nuisance", "constraint", "fitted", "pull", *(f"impact on {printable(n)}" for n in result.names[:k]))
    rows = []
    for j, name in enumerate(result.names[k:]):
        measured = result.measured[j]
        known = "no value" if np.isnan(measured) else f"{measured:.3g}"
        rows.append(
            (
                printable(name),
                f"{known} +- {result.sigma[j]:.3g}",
                value_text(result.values[k + j], result.errors[k + j]),
                "none" if np.isnan(measured) else f"{result.pulls[j]:+.2f}",
                *(f"{value:+.2g}" for value in result.impact[:, j]),
            )
        )
    return [head, *(rows[j] for j in result.order_of_nuisances)]


def correlation_rows(result: MeasureResult) -> list[tuple[str, ...]]:
    """Correlations of the parameters of interest; nothing for one."""
    k = result.of_interest
    if k < 2:
        return []
    names, rho = [printable(name) for name in result.names[:k]], result.correlation
    return [("correlation", *names), *((name, *(f"{v:+z.2f}" for v in rho[i, :k])) for i, name in enumerate(names))]


def limit_rows(result: MeasureResult) -> list[tuple[str, ...]]:
    """Upper limits; nothing if none was asked for."""
    if not result.limits:
        return []
    head = ("upper limit", "level", "CLs", "plain", "CLs expected at 0", "68% of data", "from")
    return [
        head,
        *(
            (
                printable(each.name),
                f"{100 * each.level:.3g}%",
                _limit(each.cls, each) + (f" +- {each.error:.1g}" if np.isfinite(each.error) else ""),
                _limit(each.plain, each),
                _limit(each.expected[2], each),
                f"{_limit(each.expected[1], each)} to {_limit(each.expected[3], each)}",
                f"toys; asymptotic CLs {each.asymptotic_cls:.4g}" if each.by_toys else "asymptotic formulas",
            )
            for each in result.limits
        ),
    ]


def _limit(value: float, of: UpperLimit) -> str:
    if np.isnan(value):
        return "none"
    return "too few toys" if of.by_toys and np.isinf(value) else f"{value:.4g}"


def measure_numbers(result: MeasureResult) -> dict[str, str]:
    """Key numbers by name."""
    found = result.goodness_of_fit
    numbers: dict[str, str] = {}
    if found is not None:
        numbers["fit"] = f"{p_text(found.p_value)}, {z_text(found.z)} ({found.calibration.null})"
        if found.toys is not None and found.toy_p_value is not None:
            numbers["by toys"] = f"p = {format_p(found.toy_p_value)}: {len(found.toys)} toys, each with its own fit"
    if not result.expected:
        of_what = "parameters" if result.of_interest else "nuisances"
        chance = f", {p_text(result.p_reference)}" if result.of_interest else ""
        numbers["as given"] = (
            f"the reference as given (all {of_what} 0): -2 log likelihood ratio {result.deviance:.2f}{chance}"
        )
        assert result.observed_yield is not None
        numbers["yields"] = (
            f"{result.observed_yield:,.6g} observed, {result.expected_yield:,.6g} by the fit,"
            f" {result.reference_yield:,.6g} by the reference"
        )
    if result.of_interest:
        numbers["thresholds"] = _thresholds(result)
    numbers["time"] = format_duration(sum(result.seconds.values()))
    return numbers


def _thresholds(result: MeasureResult) -> str:
    if result.toys is None:
        return "of intervals and contours asymptotic (Wilks), widened by the reference's own fluctuation"
    if not result.toy_points:
        return f"of intervals by {result.toys.count} toys at the fitted values"
    what = ("intervals", "contours", "limits") if result.limits else ("intervals", "contours")
    found = [name for name in what if name != "contours" or result.contours]
    last = f" and {found[-1]}" if len(found) > 1 else ""
    return (
        f"of {', '.join(found[:-1] or found)}{last} by {result.toys.count} toys at each of"
        f" {count(result.toy_points, 'point')}, with the nuisances that the data prefer there"
    )


def measure_text(result: MeasureResult) -> str:
    """The result for a terminal."""
    verdict = measure_verdict(result)
    lines = [f"{verdict.title}. {verdict.sentence}", ""]
    for rows in (
        parameter_rows(result),
        correlation_rows(result),
        limit_rows(result),
        nuisance_rows(result)[: _MOST + 1],
        coverage_rows(result),
    ):
        if rows:
            lines += [*aligned(rows), ""]
    lines += labelled(list(measure_numbers(result).items()))
    lines += labelled(("caution", note) for note in result.notes)
    return "\n".join(lines)


LEVELS = (ONE_SIGMA, 0.95)
