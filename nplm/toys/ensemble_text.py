"""An ensemble of toys in numbers: on a terminal, in the report, and as JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm._util.json_values import json_value
from nplm.stats.asymptotic import AsymptoticNull, as_asymptotic_null, fit_asymptotic_null, with_scale_of
from nplm.stats.empirical import EmpiricalNull
from nplm.stats.ensemble_summary import EnsembleSummary, summarize_toys
from nplm.stats.goodness_of_fit import LEAST_TOYS_FOR_CHECK, Compatibility
from nplm.stats.null import Kind, Null
from nplm.stats.precision import largest_z, toys_for_z
from nplm.stats.significance import z_interval
from nplm.wording.numbers import INTERVAL, count, p_text, z_interval_text, z_text
from nplm.wording.standing import kind_text
from nplm.wording.tables import aligned

Rows = list[tuple[str, ...]]
# The precision whose price is named as an example.
_Z, _Z_ERROR = 3.0, 0.1


def ensemble_text(
    t: Float64[np.ndarray, " n"],
    asymptotic: AsymptoticNull | float | None = None,
    *,
    observed: float | None = None,
    summary: EnsembleSummary | None = None,
) -> str:
    """The numbers of an ensemble of toys in at most 100 columns of ASCII.

    Arguments:
        t: the toys' test statistics, shape (n,); NaN for a failed toy.
        asymptotic: to compare with, or the degrees of freedom of a chi2; None compares with a fitted chi2 alone.
        observed: the t of data, whose Z is shown for each null and with what it stands on.
        summary: that of the same toys and asymptotic null, if it is known already.
    """
    expected = as_asymptotic_null(asymptotic)
    summary = summary or summarize_toys(t, expected)
    lines = aligned([*ensemble_rows(summary), ("precision", precision_text(summary.toys))] if summary.toys else [])
    comparison = comparison_rows(t, expected, summary)
    lines += ["", *aligned(comparison)] if comparison else [f"  no comparison: {why_not_compared(summary)}"]
    if observed is not None and len(t):
        lines += ["", *aligned(observed_rows(t, expected, observed, summary))]
    return "\n".join(lines)


def ensemble_dict(
    t: Float64[np.ndarray, " n"],
    asymptotic: AsymptoticNull | float | None = None,
    *,
    observed: float | None = None,
    summary: EnsembleSummary | None = None,
) -> dict[str, Any]:
    """The numbers of `ensemble_text` as JSON values; numbers that do not exist or are not finite are None.

    Returns:
        The fields of `EnsembleSummary`, "largest_z" that so many toys can show, and, with an observed t, "observed":
        its t, and under "nulls" for each null what it stands on, whether the toys accept it, p, Z and intervals.
    """
    expected = as_asymptotic_null(asymptotic)
    summary = summary or summarize_toys(t, expected)
    found: dict[str, Any] = {**summary.to_dict(), "largest_z": largest_z(len(t)) if len(t) else None}
    if observed is not None and len(t):
        nulls = []
        counted: list[tuple[Null, Compatibility | None]] = [(EmpiricalNull(t), None)]
        for null, check in [*counted, *_asymptotic_nulls(t, expected, summary)]:
            interval = null.interval(observed)
            nulls.append(
                {
                    "kind": null.kind,
                    "null": null.describe(),
                    "accepted": None if check is None else check.accepted,
                    "p_value": null.pvalue(observed),
                    "p_interval": interval,
                    "z": null.z(observed),
                    "z_interval": z_interval(interval),
                }
            )
        found["observed"] = {"t": observed, "nulls": nulls}
    plain: dict[str, Any] = json_value(found)
    return plain


def ensemble_rows(summary: EnsembleSummary) -> Rows:
    """Number, mean and width of the toys, as name and text."""
    rows: Rows = [("toys", f"{summary.toys:,}")]
    if summary.failed:
        rows.append(("failed", f"{summary.failed:,}: they count as exceeding any t, and are left out of what follows"))
    if summary.zeros:
        rows.append(("zero", f"{summary.zeros:,} with t = 0: left out of the fit of degrees of freedom"))
    if summary.mean is None:
        return rows
    if summary.sd is None or summary.mean_error is None:
        return [*rows, ("mean of t", f"{summary.mean:.2f}")]
    rows.append(("mean of t", f"{measured(summary.mean, summary.mean_error)}, standard deviation {summary.sd:.3g}"))
    if summary.width is not None and summary.width_error is not None:
        width = measured(summary.width, summary.width_error)
        rows.append(("width", f"sd^2 / (2 mean) = {width}; it is 1 for every chi2"))
    return rows


def precision_text(toys: int) -> str:
    """What so many toys can show by counting, and how many it takes for a Z of 3 that is known to a tenth."""
    return (
        f"counting shows Z up to {z_text(largest_z(toys)).removeprefix('Z = ')};"
        f" Z = {_Z:g} +- {_Z_ERROR:g} takes {toys_for_z(_Z, _Z_ERROR):,} toys"
    )


def comparison_rows(t: Float64[np.ndarray, " n"], asymptotic: AsymptoticNull | None, summary: EnsembleSummary) -> Rows:
    """The tests against the asymptotic null as given and as fitted, one in a column; the first row is the head."""
    compared = [(null, check) for null, check in _asymptotic_nulls(t, asymptotic, summary) if check is not None]
    if not compared:
        return []
    checks = [check for _, check in compared]
    rows: Rows = [
        ("compared with", *(f"{null.name}, {_origin(check.kind)}" for null, check in compared)),
        ("all tests together", *(f"{p_text(c.p_value)}, {_answer(c)}" for c in checks)),
        ("Kolmogorov-Smirnov", *(p_text(check.kolmogorov_smirnov) for check in checks)),
        ("Anderson-Darling", *(p_text(check.anderson_darling) for check in checks)),
        ("upper tail alone", *(p_text(check.upper_tail) for check in checks)),
        ("width", *(p_text(check.width) for check in checks)),
    ]
    for share in (0.05, 0.01):
        cells = [_tail(check, share) for check in checks]
        if any(cells):
            rows.append((f"toys beyond {100 * (1 - share):g}%", *cells))
    return rows


def observed_rows(
    t: Float64[np.ndarray, " n"],
    asymptotic: AsymptoticNull | None,
    observed: float,
    summary: EnsembleSummary,
    for_data: AsymptoticNull | None = None,
) -> Rows:
    """p and Z of an observed t under each null, with what they stand on.

    Arguments:
        t: of the toys.
        asymptotic: that they are compared with.
        observed: t of the data.
        summary: of the toys.
        for_data: the asymptotic null that holds for the data, if it is another than that for the toys.
    """
    rows: Rows = [("observed t", f"{observed:.2f}")]
    # As far as there are toys, they have checked the asymptotic null.
    checked = "asymptotic" if np.any(t >= observed) else "extrapolated"
    nulls: list[tuple[Null, Compatibility | None]] = [(EmpiricalNull(t), None)]
    for of_toys, check in _asymptotic_nulls(t, asymptotic, summary):
        given = for_data or of_toys
        nulls.append((given if of_toys is asymptotic else with_scale_of(of_toys, given), check))
    for null, check in nulls:
        name = kind_text(null.kind)
        name = name if null.kind == "empirical" else _short(name)
        if check is not None and not check.accepted:
            rows.append((name, "no p-value: the toys do not follow it"))
            continue
        text = f"{p_text(null.pvalue(observed))}, {z_text(null.z(observed))}"
        if isinstance(null, EmpiricalNull) and null.is_limit(observed):
            text += f", the largest that {count(len(t), 'toy')} can give"
        interval = z_interval(null.interval(observed))
        if interval[0] != interval[1]:
            text += f" ({INTERVAL}: {z_interval_text(interval)})"
        if null.kind != "empirical":
            text += f", {checked if check else 'unchecked'}"
            text += f", {summary.failed:,} failed left out" if summary.failed else ""
        rows.append((name, text))
    return rows


def why_not_compared(summary: EnsembleSummary) -> str:
    """Why there is neither a given nor a fitted asymptotic null that the toys were compared with."""
    usable = count(summary.toys - summary.failed, "toy")
    return f"{usable} with a t, and {LEAST_TOYS_FOR_CHECK} are needed"


def _asymptotic_nulls(
    t: np.ndarray, asymptotic: AsymptoticNull | None, summary: EnsembleSummary
) -> list[tuple[AsymptoticNull, Compatibility | None]]:
    """The asymptotic null as given and as fitted to these toys, as far as there are such, each with its check."""
    nulls: list[tuple[AsymptoticNull, Compatibility | None]] = (
        [] if asymptotic is None else [(asymptotic, summary.given)]
    )
    if summary.fitted is not None:
        nulls.append((fit_asymptotic_null(t, asymptotic), summary.fitted))
    return nulls


def _answer(check: Compatibility) -> str:
    """The rows below name the test that would refuse the asymptotic null if it stood alone."""
    if not check.accepted:
        return "rejected"
    return "accepted" if check.unanimous else "not refuted"


def _origin(kind: Kind) -> str:
    return "fitted" if kind.endswith("fitted") else "given"


def _short(kind: str) -> str:
    """chi2, given: with the comma that the columns above have."""
    return kind.replace(" ", ", ")


def _tail(check: Compatibility, share: float) -> str:
    for tail in check.tails:
        if tail.probability == share:
            return f"{tail.toys:,} ({tail.expected:,.{int(tail.expected < 100)}f} expected), {p_text(tail.p_value)}"
    return ""


def measured(value: float, error: float) -> str:
    """A number with its error to two digits: 13.05 +- 0.25, 0.9973 +- 0.0045."""
    digits = max(0, 1 - int(np.floor(np.log10(error)))) if error > 0 else 2
    return f"{value:.{digits}f} +- {error:.{digits}f}"
