"""A table of counting regions in words: a verdict, what stands out, and whether the errors are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from nplm.stats.significance import z_score
from nplm.wording.numbers import count, format_duration, format_p, format_z, p_text, printable, share_of, z_text
from nplm.wording.tables import aligned, labelled
from nplm.wording.verdict_levels import MILD, STRONG, Level, Verdict

if TYPE_CHECKING:
    from nplm.channels.extremes import Extreme
    from nplm.channels.factor import ErrorFactor
    from nplm.channels.histogram import PHistogram
    from nplm.channels.regions_result import RegionsResult

# A histogram that so few tables exceed is not what was expected.
_ODD = 0.01
# Errors are said to be off when the best factor is this much more likely, in units of log-likelihood.
_OFF = 2.0

EXTREMES_HEAD = ("region", "observed", "expected", "p", "Z", "global p")
FACTORS_HEAD = ("errors of", "regions", "best factor", "68% interval", "spread by analysis", "log L over that at 1")
FITS_HEAD = ("workspace", "bins", "2 log of saturated over fitted", "degrees of freedom", "p", "p, drawn")
LIMITS_HEAD = ("template", "workspace", "best strength", "upper limit at 95%")
HISTOGRAM_HEAD = ("true errors", "regions with p <= 0.05", "p > 0.95", "histogram: p")


def regions_verdict(result: RegionsResult) -> Verdict:
    """Nothing stands out below Z = 2 of the largest excess or deficit among all, up to 3 a mild one, then a strong one.

    The deficit is named where it is rarer than the excess, or stands out.
    """
    excess, deficit = result.extremes[0], result.deficits[0]
    sides = sorted((excess, deficit), key=lambda each: each.overall_p)
    out = [each for each in sides if z_score(each.overall_p) >= MILD]
    told = sides if deficit is sides[0] or deficit in out else [excess]
    sentence = " ".join(map(_sentence, told))
    if not out:
        return Verdict("agreement", "No region stands out", sentence)
    title = " and ".join(f"{_level(each)} {each.side} in {_name(each)}" for each in out)
    return Verdict(_level(out[0]), title[0].upper() + title[1:], sentence)


def _level(each: Extreme) -> Level:
    return "mild" if z_score(each.overall_p) < STRONG else "strong"


def _sentence(each: Extreme) -> str:
    numbers = f"{p_text(each.overall_p)}, {z_text(z_score(each.overall_p))}"
    return (
        f"The largest {each.side}, {_name(each)}, has {each.observed:,.0f} events where {each.expected:.4g} +-"
        f" {each.error:.3g} are expected (local {p_text(each.p_value)}); in"
        f" {share_of(each.overall_p, 'tables without a signal')} some region has one as unlikely ({numbers})."
    )


def _title(each: Extreme) -> str:
    return f"{each.analysis}: {each.region}"


def _name(each: Extreme) -> str:
    return printable(f"{each.region} of {each.analysis}")


def regions_notes(result: RegionsResult) -> tuple[str, ...]:
    """What a reader must know beside the numbers."""
    found = []
    overall, histogram = result.factors[0], result.histogram
    right = next((each for each in histogram.expected if each.factor == 1.0), None)
    if right is not None and right.p_value <= _ODD:
        found.append(
            f"the histogram of p-values is not what the errors of the table make one expect ({p_text(right.p_value)})"
        )
    if overall.log_ratio > _OFF and len(result.table) > 1:
        word = "large" if overall.factor < 1 else "small"
        found.append(
            f"the errors look too {word}: {_factor(overall)} times them is more likely by {overall.log_ratio:.3g} in"
            " log-likelihood, and p-values of the extremes would change"
        )
    found += [
        f"the bins of {each.analysis} together are not what its workspace makes one expect ({p_text(each.drawn_p)})"
        for each in result.fits
        if z_score(each.drawn_p) >= MILD
    ]
    if len(result.table.rows) < len(result.table) and not result.table.covariances:
        found.append(
            "regions of one analysis are taken as independent: without covariances what they share is not known"
        )
    return (*found, *result.table.remarks)


def extreme_rows(extremes: Sequence[Extreme]) -> list[tuple[str, ...]]:
    """One row for each, with the columns of `EXTREMES_HEAD`."""
    return [
        (
            printable(_title(each)),
            f"{each.observed:,.0f}",
            f"{each.expected:.4g} +- {each.error:.3g}",
            format_p(each.p_value),
            format_z(z_score(each.p_value)),
            format_p(each.global_p) + ("" if np.isnan(each.drawn_p) else f" ({format_p(each.drawn_p)} drawn)"),
        )
        for each in extremes
    ]


def factor_rows(factors: Sequence[ErrorFactor]) -> list[tuple[str, ...]]:
    """One row for each group, with the columns of `FACTORS_HEAD`."""
    return [
        (
            printable(each.group),
            f"{each.regions:,}",
            _factor(each),
            f"{each.low:.2f} to {each.high:.2f}",
            "" if np.isnan(each.spread) else f"+- {each.spread:.2f}",
            f"{each.log_ratio:.2f}",
        )
        for each in factors
    ]


def fit_rows(result: RegionsResult) -> list[tuple[str, ...]]:
    """One row for each workspace, with the columns of `FITS_HEAD`."""
    return [
        (
            printable(each.analysis),
            f"{each.bins:,}",
            f"{each.statistic:.4g}",
            f"{each.degrees:,}",
            format_p(each.p_value) if each.degrees > 0 else "",
            format_p(each.drawn_p),
        )
        for each in result.fits
    ]


def limit_rows(result: RegionsResult) -> list[tuple[str, ...]]:
    """One row for each template in each workspace, with the columns of `LIMITS_HEAD`."""
    return [
        (
            printable(each.template),
            printable(fit.analysis),
            f"{each.mu:.3g}",
            f"{each.limit:.4g}" if np.isfinite(each.limit) else "none",
        )
        for fit in result.fits
        for each in fit.limits
    ]


def histogram_rows(histogram: PHistogram) -> list[tuple[str, ...]]:
    """The outer bins as observed and as expected for each factor, with the columns of `HISTOGRAM_HEAD`."""
    edges = np.array(histogram.edges)
    low, high = edges[1:] <= 0.05 + 1e-9, edges[:-1] >= 0.95 - 1e-9

    def row(name: str, counts: np.ndarray, p: str) -> tuple[str, ...]:
        return name, f"{counts[low].sum():.4g}", f"{counts[high].sum():.4g}", p

    rows = [row("observed", np.array(histogram.observed, dtype=float), "")]
    return rows + [
        row(factor_words(each.factor), np.array(each.counts), format_p(each.p_value)) for each in histogram.expected
    ]


def factor_words(factor: float) -> str:
    """What a factor says of the errors in the table: right, 1.3 times too large, 1.3 times too small."""
    if factor == 1:
        return "errors are right"
    return f"errors {1 / factor:.3g} times too large" if factor < 1 else f"errors {factor:.3g} times too small"


def regions_numbers(result: RegionsResult) -> Mapping[str, str]:
    """What was found and what it stands on, by name."""
    overall, table = result.factors[0], result.table
    kinds = {
        "gaussian": "Poisson, its mean normal and cut off at zero",
        "lognormal": "Poisson, its mean log-normal",
        "gamma": "Poisson, its mean a gamma variable",
    }
    spread = "" if np.isnan(overall.spread) else f"; +- {overall.spread:.2f} if regions of an analysis share anything"
    return {
        "p-value": f"{format_p(result.p_value)} for the largest excess among all regions",
        "Z": format_z(result.z),
        "deficit": f"{format_p(result.deficit_p_value)} for the largest deficit among all regions",
        "errors": f"best factor {_factor(overall)} ({overall.low:.2f} to {overall.high:.2f}{spread})",
        "regions": f"{len(table):,} of {count(len(table.rows), 'analysis', 'analyses')}",
        "counts": f"{table.observed.sum():,.0f} observed, {table.expected.sum():,.6g} expected",
        "null": kinds[result.errors],
        "correlated": ", ".join(printable(name) for name in table.covariances) or "none given",
        "time": format_duration(sum(result.seconds.values())),
    }


def regions_text(result: RegionsResult) -> str:
    """Verdict, tables, key numbers and cautions."""
    lines = [f"NPLM regions: {regions_verdict(result).title}"]
    lines += aligned([EXTREMES_HEAD, *extreme_rows(result.extremes[:5])], right=range(1, 6))
    if result.deficit_p_value < result.p_value:
        lines += aligned([("deficit", *EXTREMES_HEAD[1:]), *extreme_rows(result.deficits[:1])], right=range(1, 6))
    lines += aligned([HISTOGRAM_HEAD, *histogram_rows(result.histogram)], right=range(1, 4))
    for head, found in ((FITS_HEAD, fit_rows(result)), (LIMITS_HEAD, limit_rows(result))):
        lines += aligned([head, *found], right=range(1, len(head))) if found else []
    rows = [(name, printable(value)) for name, value in regions_numbers(result).items()]
    rows += [("caution", printable(text)) for text in result.notes]
    return "\n".join([*lines, *labelled(rows)])


def regions_line(result: RegionsResult) -> str:
    """The answer on one line."""
    leading, deficit = result.extremes[0], result.deficits[0]
    line = f"{p_text(result.p_value)}, {z_text(result.z)} in {printable(_title(leading))}"
    if deficit.overall_p < leading.overall_p:
        line += f"; a deficit with {p_text(deficit.overall_p)} in {printable(_title(deficit))}"
    return line


def _factor(each: ErrorFactor) -> str:
    return f"{'<= ' if each.at_end and each.factor < 1 else '>= ' if each.at_end else ''}{each.factor:.2f}"
