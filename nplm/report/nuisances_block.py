"""The nuisances of a result on its page, and the checks of learned log-ratios."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from nplm.learning.checks import describe_checks
from nplm.learning.learned_ratio import LearnedLogRatio
from nplm.nuisance.fit_summary import NuisanceSummary
from nplm.nuisance.summary_text import correlation_rows, nuisance_rows
from nplm.report.html.parts import columns


def nuisances_block(summary: NuisanceSummary) -> str:
    """t = tau - Delta and the tables, as HTML."""
    t = summary.tau - summary.delta
    explained = (
        f"<p>t = tau - Delta = {summary.tau:.2f} - {summary.delta:.2f} = {t:.2f}, with tau what f and the nuisances"
        " together gain over the reference as given, and Delta what the nuisances gain alone.</p>\n"
    )
    impact = "" if summary.impact is None else " Impact: t with that nuisance held at 0, less t."
    legend = (
        "<p>Pull: (fitted without f - constraint) / size of the constraint. Errors and correlations are those of the"
        f" fit without f, constraints included.{impact}</p>\n"
    )
    tables = columns(nuisance_rows(summary)) + legend + columns(correlation_rows(summary))
    return (explained + tables).replace(" +- ", " ± ")


def learned_block(learned: Sequence[LearnedLogRatio]) -> str:
    """What was learned, and every check that it went through when it was, as HTML; empty without learned ratios."""
    return "".join(_learned(ratio) for ratio in learned)


def _learned(ratio: LearnedLogRatio) -> str:
    names = escape(", ".join(ratio.nuisances))
    validation = ratio.validation
    if validation is None:
        return f"<p><strong>{names}</strong>: never checked.</p>\n"
    count, failed = len(validation.checks), len(validation.failures)
    verdict = f"all {count} checks passed" if validation.passed else f"{failed} of {count} checks FAILED"
    worst = min(validation.checks, key=lambda check: check.p_value)
    rows = [("check", "at", "χ² / degrees of freedom", "p"), *describe_checks(validation)]
    return (
        f"<p><strong>{names}</strong>: {verdict} on events that it was not learned from (smallest p ="
        f" {worst.p_value:.2g}; a check fails below {validation.level / count:.2g}).</p>\n"
        f"<details><summary>The checks of {names}</summary>\n{columns(rows)}</details>\n"
    )
