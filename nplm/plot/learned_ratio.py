"""A learned log-ratio on events it has not seen: the reweighted reference against the varied samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nplm.learning.store import AnyLearned
from nplm.learning.validation import Calibration, Check, Curve, RatioValidation, described
from nplm.plot import style

Record = TypeVar("Record", Curve, Calibration)

# Points of one nuisance in the order of their size: downwards blue, upwards orange, lighter where nearer to 0.
_DOWN, _UP = style.REFERENCE, style.REWEIGHTED
_NEAREST_ALPHA = 0.45
# Outer bins take all events beyond, and are drawn with at most so many times the width of their neighbour.
_WIDEST_OUTER = 2.0
_FEATURE_HEIGHT, _CALIBRATION_HEIGHT, _HEAD = 3.2, 2.3, 0.45
_EXPLANATION = (
    "points: varied samples; lines and bands: reference reweighted by the learned r\n"
    "outermost bins take all events beyond; a pull is in units of both errors"
)


def plot_learned_ratio(ratio: AnyLearned, nuisance: str) -> Figure:
    """For one nuisance: yields relative to nu = 0 in bins of each feature, and the calibration of the classifier.

    Points are varied samples, lines the reference reweighted by r, bands their errors; below, the differences in
    units of the errors of both.

    Raises:
        ValueError: if the ratio was not validated, or at no point that moves this nuisance alone.
    """
    validation = ratio.validation
    if validation is None:
        raise ValueError("the log-ratio was never validated, so that there is nothing to draw: see validate_ratio")
    curves = [curve for curve in validation.curves if set(curve.nu) == {nuisance}]
    if not curves:
        raise ValueError(f"no sample varied '{nuisance}' alone: the nuisances are {', '.join(ratio.nuisances)}")
    features = list(dict.fromkeys(curve.feature for curve in curves))
    calibrations = [c for c in validation.calibrations if set(c.nu) == {nuisance}]
    heights = [*[_FEATURE_HEIGHT] * len(features), _CALIBRATION_HEIGHT]
    with style.house_style():
        figure = style.new_figure(height=sum(heights) + _HEAD)
        head, *parts = np.asarray(figure.subfigures(len(heights) + 1, 1, height_ratios=[_HEAD, *heights])).tolist()
        head.text(0.13, 0.0, _EXPLANATION, fontsize=style.SMALL, color=style.MUTED, va="bottom")
        for part, feature in zip(parts[:-1], features, strict=True):
            here = [curve for curve in curves if curve.feature == feature]
            top, bottom = part.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
            part.subplots_adjust(left=0.13, right=0.97, top=0.84, bottom=0.15, hspace=0.08)
            _draw_feature(top, bottom, here, nuisance)
            _write_verdicts(top, validation, "feature", feature, here, nuisance)
            style.label_feature(bottom, feature)
            part.align_ylabels()
        axes = parts[-1].subplots()
        parts[-1].subplots_adjust(left=0.13, right=0.97, top=0.78, bottom=0.23)
        _draw_calibration(axes, calibrations, nuisance)
        _write_verdicts(axes, validation, "calibration", "", calibrations, nuisance)
    return figure


def drawable(ratio: AnyLearned) -> tuple[str, ...]:
    """The nuisances that `plot_learned_ratio` can draw: those that some sample moved alone."""
    curves = () if ratio.validation is None else ratio.validation.curves
    return tuple(name for name in ratio.nuisances if any(set(curve.nu) == {name} for curve in curves))


def _draw_feature(top: Axes, bottom: Axes, curves: list[Curve], nuisance: str) -> None:
    edges = _drawn_edges(curves[0].edges)
    centers = (edges[1:] + edges[:-1]) / 2
    half = (edges[1:] - edges[:-1]) / 2
    top.axhline(1, color=style.MUTED, linewidth=0.8)
    bottom.axhline(0, color=style.MUTED, linewidth=0.8)
    bottom.axhspan(-1, 1, color=style.MUTED, alpha=0.15, linewidth=0)
    reach = 3.5
    for shift, (curve, color, alpha) in zip(_shifts(len(curves)), _colored(curves, nuisance), strict=True):
        central = np.where(curve.central > 0, curve.central, np.nan)
        ratio, band = curve.reweighted / central, curve.reweighted_error / central
        # Errors of a ratio to the central sample would count it twice: these are of the yields alone.
        top.stairs(ratio, edges, baseline=None, color=color, alpha=alpha)
        top.stairs(ratio + band, edges, baseline=ratio - band, fill=True, color=color, alpha=0.25 * alpha, lw=0)
        x = centers + shift * half
        error = curve.varied_error / central
        top.errorbar(x, curve.varied / central, error, fmt="o", ms=3, color=color, alpha=alpha, elinewidth=1, zorder=3)
        pulls = (curve.varied - curve.reweighted) / np.hypot(curve.varied_error, curve.reweighted_error)
        bottom.plot(x, pulls, "o", ms=3, color=color, alpha=alpha)
        reach = max(reach, 1.1 * float(np.nanmax(np.abs(pulls))))
    top.set_ylabel("ratio to nu = 0")
    bottom.set_ylabel("pull")
    bottom.set_ylim(-reach, reach)
    top.set_xlim(edges[0], edges[-1])


def _draw_calibration(axes: Axes, calibrations: list[Calibration], nuisance: str) -> None:
    axes.axhline(0, color=style.MUTED, linewidth=0.8)
    for calibration, color, alpha in _colored(calibrations, nuisance):
        axes.errorbar(
            calibration.predicted,
            calibration.observed - calibration.predicted,
            calibration.error,
            fmt="o",
            ms=3,
            color=color,
            alpha=alpha,
            elinewidth=1,
        )
    axes.set_xlabel("c = 1 / (1 + r), predicted share of events at nu = 0")
    axes.set_ylabel("observed - c")
    axes.margins(y=0.15)


def _drawn_edges(edges: Float64[np.ndarray, " e"]) -> Float64[np.ndarray, " e"]:
    """The edges with outer bins cut to a width that lets the others be seen."""
    drawn = edges.copy()
    if len(edges) > 3:
        drawn[0] = max(edges[0], edges[1] - _WIDEST_OUTER * (edges[2] - edges[1]))
        drawn[-1] = min(edges[-1], edges[-2] + _WIDEST_OUTER * (edges[-2] - edges[-3]))
    return drawn


def _shifts(count: int) -> Float64[np.ndarray, " n"]:
    """Places of several points within a bin, as parts of its half width."""
    return np.linspace(-0.3, 0.3, count) if count > 1 else np.zeros(1)


def _colored(records: Sequence[Record], nuisance: str) -> Iterator[tuple[Record, str, float]]:
    """The records from the most negative nu to the largest, each with colour and opacity."""
    largest = max(abs(record.nu[nuisance]) for record in records)
    for record in sorted(records, key=lambda record: record.nu[nuisance]):
        nu = record.nu[nuisance]
        yield record, _UP if nu > 0 else _DOWN, _NEAREST_ALPHA + (1 - _NEAREST_ALPHA) * abs(nu) / largest


def _write_verdicts(
    axes: Axes, validation: RatioValidation, kind: str, subject: str, records: Sequence[Record], nuisance: str
) -> None:
    """Above the axes, for each point in its colour: nu, chi2 and p-value. This is the legend, too."""
    rows = -(-len(records) // 2)
    for number, (record, color, alpha) in enumerate(_colored(records, nuisance)):
        for check in validation.checks:
            if (check.kind, check.subject) == (kind, subject) and dict(check.nu) == dict(record.nu):
                column, row = divmod(number, rows)
                axes.annotate(
                    f"{described(check.nu)}: chi2 {check.chi2:.1f} / {check.dof}, {_p(validation, check)}",
                    (0.5 * column, 1.0),
                    xycoords="axes fraction",
                    xytext=(0, 4 + 12 * (rows - 1 - row)),
                    textcoords="offset points",
                    fontsize=style.SMALL,
                    color=color,
                    alpha=alpha,
                    parse_math=False,
                )


def _p(validation: RatioValidation, check: Check) -> str:
    return f"p = {check.p_value:.2g}" + (" FAILED" if check in validation.failures else "")
