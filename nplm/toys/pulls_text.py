"""The nuisances of toys in numbers, for the terminal."""

from __future__ import annotations

from nplm.stats.asymptotic import AsymptoticNull
from nplm.toys.ensemble_text import Rows, measured
from nplm.toys.pulls import FittedNuisances, Mean, Truth
from nplm.wording.tables import aligned


def asymptotic_text(asymptotic: AsymptoticNull, truth: Truth) -> str:
    """The asymptotic null, and for which nu it holds: that of a kernel model moves with nu, a chi2 does not."""
    where = f"at {truth}" if asymptotic.derived else "whatever the nuisances"
    return f"{asymptotic.name} {where}"


def pulls_text(fitted: FittedNuisances, asymptotic: AsymptoticNull, truth: Truth | None) -> str:
    """tau and Delta of toys, and how their fits find each nuisance, in at most 100 columns of ASCII.

    Arguments:
        fitted: the numbers.
        asymptotic: that t is compared with.
        truth: where the toys were drawn.
    """
    rows: Rows = [("mean of tau", _with_sd(fitted.tau)), ("mean of Delta", _with_sd(fitted.delta))]
    if truth is not None:
        rows.insert(0, ("null of t", asymptotic_text(asymptotic, truth)))
    lines = aligned(rows)
    if not fitted.pulls:
        return "\n".join(lines)
    table: Rows = [("nuisance", "truth", "constraint", "mean pull", "sd of pull", "expected")]
    table += [
        (
            pull.name,
            f"{pull.truth:.3g}",
            f"+- {pull.sigma:.3g}",
            _number(pull.pull.mean, pull.pull.mean_error),
            _number(pull.pull.sd, pull.pull.sd_error),
            f"{pull.expected_sd:.3g}",
        )
        for pull in fitted.pulls
    ]
    return "\n".join([*lines, "", *aligned(table), "  pull: (nu fitted without f - truth) / constraint"])


def _with_sd(mean: Mean) -> str:
    number = _number(mean.mean, mean.mean_error)
    return number if mean.sd is None else f"{number}, standard deviation {mean.sd:.3g}"


def _number(value: float | None, error: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if error is None else measured(value, error)
