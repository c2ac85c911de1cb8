"""The numbers of weighted toys, and how they fit together, for the report."""

from __future__ import annotations

from nplm.calibration.record import Calibration
from nplm.wording.numbers import count, format_p


def weighted_toys_rows(calibration: Calibration) -> list[tuple[str, str]]:
    """Toys, weights and checks of a p-value from weighted toys, as name and text; none for another p-value."""
    found = calibration.importance
    if found is None:
        return []
    rows = [
        (
            "toys",
            f"{calibration.toys:,}, by size of their signal: {', '.join(f'{n:,}' for n in found['toys_by_rung'])}",
        ),
        ("t for the toys", f"{found['t_for_toys']:.2f}: their reference does not fluctuate, and they exceed this t"),
        ("beyond it", f"{count(calibration.toys_exceeding, 'toy')}, {found['effective_toys']:.0f} effective ones"),
        ("error of p", f"{100 * found['relative_error']:.2g}%"),
        ("mean weight", f"{_measured(found['mean_weight'], found['mean_weight_error'])}, expected 1"),
    ]
    if calibration.toys_failed:
        rows.append(("failed", f"{calibration.toys_failed:,}: they count as exceeding any t"))
    ratios = [_measured(pair["ratio"], pair["error"]) for pair in found["overlaps"]]
    if ratios:
        rows.append(("neighbouring signals", f"{', '.join(ratios)}, expected 1: what both give for the same average"))
    rows.append(("asymptotic", f"p = {format_p(calibration.asymptotic_p_value)}"))
    return rows


def _measured(value: float, error: float) -> str:
    return f"{value:.3f} +- {error:.3f}"
