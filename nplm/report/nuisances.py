"""The nuisances of a result as rows of tables."""

from __future__ import annotations

from nplm.nuisance.summary import NuisanceSummary


def nuisance_rows(summary: NuisanceSummary) -> list[tuple[str, ...]]:
    """A head, and for each nuisance what is known of it, what the data say, and its pull."""
    head = ("nuisance", "constraint", "fitted without f", "pull", "fitted with f")
    columns = zip(summary.names, summary.sigma, summary.nu, summary.errors, summary.pulls, summary.nu_tau, strict=True)
    rows = [
        (name, f"0 +- {sigma:.3g}", f"{nu:.3g} +- {error:.2g}", f"{pull:+.2f}", f"{with_f:.3g}")
        for name, sigma, nu, error, pull, with_f in columns
    ]
    return [head, *rows]


def decomposition(summary: NuisanceSummary) -> str:
    """tau and Delta, whose difference is t."""
    return f"tau {summary.tau:.2f} - Delta {summary.delta:.2f} ({', '.join(summary.names)} profiled)"
