"""The picture of a monitor: p-values of windows with their limit, and the cumulative sums with theirs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nplm.monitor.pvalues import PValueDistribution, pvalue_density
from nplm.monitor.verdict import Verdict
from nplm.plot import style

# What is smaller is drawn at the lower edge.
_SMALLEST = 1e-12
_BINS = 20


def draw_history(
    verdicts: Sequence[Verdict], alpha: float, drift_limits: dict[str, float], overlapping: bool = False
) -> Figure:
    """p of shape and rate, window by window, on top; the cumulative sums below.

    Arguments:
        verdicts: in order.
        alpha: limit of p of each chart.
        drift_limits: h of the charts of "shape" and "rate", as far as they are kept.
        overlapping: whether neighbouring windows share events.
    """
    with style.house_style():
        figure = style.new_figure(4.8 if drift_limits else 3.2)
        panels = figure.subplots(
            2 if drift_limits else 1,
            1,
            sharex=True,
            squeeze=False,
            gridspec_kw={"height_ratios": [1.5, 1][: 1 + bool(drift_limits)]},
        )[:, 0]
        _draw_pvalues(panels[0], verdicts, alpha)
        if drift_limits:
            _draw_sums(panels[1], verdicts, drift_limits)
        panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
        panels[-1].set_xlabel("window" + (" (neighbours overlap)" if overlapping else ""))
        figure.align_ylabels()
        figure.tight_layout()
    return figure


def _draw_pvalues(axes: Axes, verdicts: Sequence[Verdict], alpha: float) -> None:
    lowest = alpha / 10
    for test, color, marker in (("shape", style.DATA, "o"), ("rate", style.REFERENCE, "s")):
        known = [(v.row, getattr(v, f"p_{test}"), test in v.alarms) for v in verdicts]
        points = np.array([(row, p, alarm) for row, p, alarm in known if p is not None], dtype=float).reshape(-1, 3)
        if not len(points):
            continue
        row, p, alarm = points[:, 0], np.maximum(points[:, 1], _SMALLEST), points[:, 2] > 0
        lowest = min(lowest, p.min() / 3)
        axes.plot(row[~alarm], p[~alarm], marker, color=color, markersize=3, label=f"p of the {test}")
        if alarm.any():
            axes.plot(
                row[alarm],
                p[alarm],
                marker,
                color=style.REWEIGHTED,
                markersize=6,
                markeredgecolor=color,
                label=f"alarm of the {test}",
            )
    outside = [v.row for v in verdicts if "outside" in v.alarms]
    if outside:
        label = "alarm: events where the reference has none"
        axes.plot(outside, np.ones(len(outside)), "D", color=style.REWEIGHTED, markersize=6, label=label)
    bad = [v.row for v in verdicts if v.status not in ("ok", "alarm")]
    if bad:
        axes.plot(
            bad, np.ones(len(bad)), "x", color=style.REWEIGHTED, markersize=6, label="could not be tested in full"
        )
    axes.axhline(alpha, color=style.REWEIGHTED, linestyle="--", linewidth=1, label=f"limit {alpha:.2g}")
    axes.set_yscale("log")
    axes.set_ylim(lowest, 3)
    axes.set_ylabel("p-value")
    handles = axes.get_legend_handles_labels()[1]
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(3, len(handles)), fontsize=style.SMALL)


def _draw_sums(axes: Axes, verdicts: Sequence[Verdict], limits: dict[str, float]) -> None:
    rows = [v.row for v in verdicts]
    series = [("shape", "drift_shape", style.DATA, "-", "shape")]
    if "rate" in limits:
        series += [
            ("rate", "drift_rate_up", style.REFERENCE, "-", "rate, upwards"),
            ("rate", "drift_rate_down", style.REFERENCE, ":", "rate, downwards"),
        ]
    for test, name, color, line, label in series:
        values = [getattr(v, name) for v in verdicts]
        axes.plot(rows, values, line, color=color, linewidth=1, drawstyle="steps-post", label=label)
        fired = [
            (v.row, value)
            for v, value in zip(verdicts, values, strict=True)
            if f"{test} drift" in v.alarms and value >= limits[test]
        ]
        if fired:
            axes.plot(*zip(*fired, strict=True), "o", color=style.REWEIGHTED, markersize=4)
    for test, limit in limits.items():
        color = style.DATA if test == "shape" else style.REFERENCE
        axes.axhline(limit, color=color, linestyle="--", linewidth=1)
    axes.set_ylabel("cumulative sum")
    axes.set_ylim(0, max(1.35 * max(limits.values()), 1.0))
    axes.legend(loc="upper left", ncols=3, fontsize=style.SMALL)


def draw_distribution(p_values: Sequence[float], found: PValueDistribution, what: str) -> Figure:
    """The histogram of p-values, with what is expected: uniform, and as errors that are off by one factor make them."""
    with style.house_style():
        figure = style.new_figure(3.2)
        axes = figure.subplots()
        edges = np.linspace(0, 1, _BINS + 1)
        counts = np.histogram(p_values, edges)[0]
        expected = len(p_values) / _BINS
        middles = (edges[1:] + edges[:-1]) / 2
        axes.axhline(expected, color=style.REFERENCE, label="uniform")
        axes.axhspan(
            max(0, expected - np.sqrt(expected)),
            expected + np.sqrt(expected),
            color=style.REFERENCE,
            alpha=style.BAND_ALPHA,
            linewidth=0,
        )
        if found.tells_factor:
            p = np.linspace(0.005, 0.995, 199)
            density = expected * pvalue_density(p, found.scale, found.degrees_of_freedom)
            axes.plot(p, density, color=style.REWEIGHTED, label=f"errors times {found.error_factor:.3g}")
        error = np.sqrt(counts)
        style.draw_points(
            axes, middles, counts.astype(float), counts - error, counts + error, np.ones(_BINS, bool), label="windows"
        )
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.45 * max(float((counts + error).max()), expected))
        axes.set_xlabel(f"p-value of the {what}")
        axes.set_ylabel("windows")
        style.legend(axes, "windows")
        figure.tight_layout()
    return figure
