"""The nuisances of a result as rows of tables."""

from __future__ import annotations

import numpy as np

from nplm.nuisance.fit_summary import NuisanceSummary

# A matrix of more rows than this does not fit a page; the largest correlations are listed instead.
MOST_IN_MATRIX, MOST_PAIRS = 8, 12
# And more names than this no line.
MOST_NAMED = 8


def nuisance_rows(summary: NuisanceSummary) -> list[tuple[str, ...]]:
    """A head, and for each nuisance what is known of it, what the data say, its pull and its impact on t."""
    head = ["nuisance", "constraint", "fitted without f", "fitted with f", "pull", "impact on t"]
    rows = []
    for i, name in enumerate(summary.names):
        measured, pull = summary.measured[i], summary.pulls[i]
        row = [
            name,
            f"no value, +- {summary.sigma[i]:.3g}"
            if np.isnan(measured)
            else f"{measured:.3g} +- {summary.sigma[i]:.3g}",
            f"{summary.nu[i]:.3g} +- {summary.errors[i]:.2g}",
            f"{summary.nu_tau[i]:.3g}",
            "none" if np.isnan(pull) else f"{pull:+.2f}",
        ]
        if summary.impact is not None:
            row.append("not known" if np.isnan(summary.impact[i]) else f"{summary.impact[i]:+.2f}")
        rows.append(tuple(row))
    return [tuple(head[: len(rows[0])]), *rows]


def correlation_rows(summary: NuisanceSummary) -> list[tuple[str, ...]]:
    """The correlations of the nuisances fitted without f: a matrix, or its largest elements; none for one nuisance."""
    names, rho = summary.names, summary.correlation
    if len(names) < 2:
        return []
    if len(names) <= MOST_IN_MATRIX:
        rows = [(name, *(f"{value:+z.2f}" for value in row)) for name, row in zip(names, rho, strict=True)]
        return [("correlation", *names), *rows]
    first, second = np.triu_indices(len(names), 1)
    largest = np.argsort(-np.abs(rho[first, second]), kind="stable")[:MOST_PAIRS]
    rows = [(names[i], names[j], f"{rho[i, j]:+.2f}") for i, j in zip(first[largest], second[largest], strict=True)]
    return [("nuisance", "and", "correlation (the largest)"), *rows]


def decomposition(summary: NuisanceSummary) -> str:
    """tau and Delta, whose difference is t."""
    names = summary.names
    profiled = ", ".join(names) if len(names) <= MOST_NAMED else f"{len(names)} nuisances"
    return f"tau {summary.tau:.2f} - Delta {summary.delta:.2f} ({profiled} profiled)"
