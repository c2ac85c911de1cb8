"""The nuisances of a result on its page, and the checks of learned log-ratios."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nplm.learning.checks import describe_checks
from nplm.learning.learned_ratio import LearnedLogRatio
from nplm.nuisance.fit_summary import NuisanceSummary
from nplm.nuisance.summary_text import correlation_rows, nuisance_rows
from nplm.report.html.cells import plus_minus, typeset
from nplm.report.html.render import render

if TYPE_CHECKING:
    from markupsafe import Markup


def nuisances_block(summary: NuisanceSummary) -> Markup:
    """t = tau - Delta and the tables."""
    return render(
        "nuisances.html",
        tau=f"{summary.tau:.2f}",
        delta=f"{summary.delta:.2f}",
        t=f"{summary.tau - summary.delta:.2f}",
        nuisances=typeset(nuisance_rows(summary), plus_minus),
        impact=summary.impact is not None,
        correlations=typeset(correlation_rows(summary), plus_minus),
    )


def learned_block(learned: Sequence[LearnedLogRatio]) -> Markup:
    """What was learned, and every check that it went through when it was; empty without learned ratios."""
    return render("learned.html", ratios=[_learned(ratio) for ratio in learned])


def _learned(ratio: LearnedLogRatio) -> dict[str, Any]:
    names = ", ".join(ratio.nuisances)
    validation = ratio.validation
    if validation is None:
        return {"names": names, "checks": []}
    count, failed = len(validation.checks), len(validation.failures)
    return {
        "names": names,
        "verdict": f"all {count} checks passed" if validation.passed else f"{failed} of {count} checks FAILED",
        "smallest": f"{min(check.p_value for check in validation.checks):.2g}",
        "level": f"{validation.level / count:.2g}",
        "checks": [("check", "at", "χ² / degrees of freedom", "p"), *describe_checks(validation)],
    }
