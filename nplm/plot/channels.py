"""Pictures of many results: p-values of regions, rankings, factors of errors, and fake tables."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from scipy.special import ndtri_exp

from nplm.channels.combination_result import CombinationResult
from nplm.channels.combine_result import CombinedResult
from nplm.channels.explain_result import ExplainResult
from nplm.channels.extremes import on_their_side
from nplm.channels.histogram import PHistogram
from nplm.channels.regions_result import RegionsResult
from nplm.channels.regions_text import factor_words
from nplm.plot import style
from nplm.stats.significance import z_score

_LONGEST, _MOST_ROWS = 34, 20
_TICKS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0)
_COLOURS = (style.REFERENCE, style.REWEIGHTED, style.FITTED, style.MUTED, "#CC79A7")
_KINDS = {"excess": "p-value of an excess, P(N ≥ n)", "mid": "mid-p of an excess", "deficit": "p-value of a deficit"}
_DASHES = ("-", "--", "-.", ":", (0, (1, 3)))


def plot_p_histogram(histogram: PHistogram) -> Figure:
    """Draws how many regions have their p-value in each bin, and what is expected for each factor of the errors."""
    edges = np.array(histogram.edges)
    centre, observed = (edges[1:] + edges[:-1]) / 2, np.array(histogram.observed, dtype=float)
    with style.house_style():
        figure = style.new_figure(height=4.2, width=style.NARROW)
        axes = figure.add_axes((0.14, 0.13, 0.83, 0.84))
        for i, each in enumerate(histogram.expected[: len(_COLOURS)]):
            axes.stairs(each.counts, edges, color=_COLOURS[i], linestyle=_DASHES[i], label=factor_words(each.factor))
        first = np.array(histogram.expected[0].counts) if histogram.expected else observed
        bar = np.sqrt(np.maximum(first, 1.0))
        shown = np.ones(len(observed), dtype=bool)
        style.draw_points(axes, centre, observed, observed - bar, observed + bar, shown, label="observed")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.55 * max(observed.max(), max((max(e.counts) for e in histogram.expected), default=0.0)))
        kinds = {
            "excess": "p-value of an excess, P(N ≥ n)",
            "mid": "mid-p of an excess",
            "deficit": "p-value of a deficit",
        }
        axes.set_xlabel(kinds[histogram.kind])
        axes.set_ylabel(f"regions / {edges[1]:.3g}")
        style.legend(axes, "observed")
    return figure


def plot_extremes(result: RegionsResult) -> Figure:
    """Draws Z of the largest excesses and deficits, by themselves and among all regions."""
    sides = (on_their_side(each[: _MOST_ROWS // 2]) for each in (result.extremes, result.deficits))
    rows = [each for side in sides for each in side] or list(result.extremes[:1])
    signs = [1 if each.side == "excess" else -1 for each in rows]
    local = [sign * z_score(each.p_value) for sign, each in zip(signs, rows, strict=True)]
    overall = [sign * max(0.0, z_score(each.overall_p)) for sign, each in zip(signs, rows, strict=True)]
    names = [f"{each.region} ({each.analysis})" for each in rows]
    return _ranking(names, local, "by itself", overall, "among all regions", "Z: excess right, deficit left")


def plot_error_factors(result: RegionsResult) -> Figure:
    """Draws the best factor of the errors of all regions and of each group, with its interval."""
    rows = result.factors[: 2 * _MOST_ROWS]
    with style.house_style():
        figure = style.new_figure(height=1.1 + 0.2 * max(len(rows), 3), width=style.NARROW)
        axes = figure.add_axes(_beside_names(figure, len(rows)))
        y = -np.arange(len(rows), dtype=float)
        factor = np.array([each.factor for each in rows])
        bars = np.array([[each.factor - each.low, each.high - each.factor] for each in rows]).T
        axes.axvline(1, color=style.MUTED, linewidth=0.8)
        axes.errorbar(factor, y, xerr=np.maximum(bars, 0), fmt="o", color=style.DATA, markersize=3.5, elinewidth=1.0)
        if not np.isnan(rows[0].spread):
            axes.axvspan(
                rows[0].factor - rows[0].spread,
                rows[0].factor + rows[0].spread,
                color=style.REFERENCE,
                alpha=style.BAND_ALPHA,
                linewidth=0,
            )
        axes.set_xscale("log")
        axes.set_xticks(_TICKS, [f"{tick:g}" for tick in _TICKS])
        axes.xaxis.set_minor_formatter(NullFormatter())
        _name_rows(axes, y, [f"{each.group} ({each.regions})" for each in rows])
        axes.set_xlabel("factor of the errors")
    return figure


def plot_combined(result: CombinedResult) -> Figure:
    """Draws Z of each channel, by itself and among all, and that of the combination."""
    order = sorted(range(len(result.channels)), key=lambda i: result.channels[i].log_p)[:_MOST_ROWS]
    local = [float(-ndtri_exp(result.channels[i].log_p)) for i in order]
    overall = [max(0.0, z_score(float(result.adjusted[i]))) for i in order]
    names = ["all together", *(result.channels[i].name for i in order)]
    return _ranking(names, [result.z, *local], "by itself", [np.nan, *overall], "among all (Holm)", "Z")


def plot_fake_tables(result: ExplainResult) -> Figure:
    """Draws K of the fake tables, and that of the observed one.

    Raises:
        ValueError: if there were none.
    """
    if not len(result.null):
        raise ValueError("there are no fake tables to draw")
    with style.house_style():
        figure = style.new_figure(height=3.4, width=style.NARROW)
        axes = figure.add_axes((0.14, 0.15, 0.83, 0.81))
        low, high = min(result.null.min(), result.score.k), max(result.null.max(), result.score.k)
        edges = np.linspace(low, high + 0.02 * (high - low) + 1e-9, 31).tolist()
        axes.hist(result.null, edges, color=style.REFERENCE, alpha=style.BAND_ALPHA, label="fake tables")
        axes.hist(result.null, edges, color=style.REFERENCE, histtype="step")
        axes.axvline(result.score.k, color=style.DATA, label="observed")
        axes.set_ylim(0, 1.35 * axes.get_ylim()[1])
        axes.set_xlabel("K of the best set of templates")
        axes.set_ylabel("tables")
        axes.legend(loc="upper center")
    return figure


def plot_explained(result: ExplainResult) -> Figure:
    """Draws the excess of each region with a signal in the best set, and the signal, over the error of the background.

    Raises:
        ValueError: if no signal describes the table better than the background.
    """
    if not result.explanation:
        raise ValueError("no template describes the table better than the background, so there is no signal to draw")
    table, signal = result.table, result.strengths @ result.templates.yields
    rows = sorted(
        np.flatnonzero(signal > 0).tolist(), key=lambda i: -(signal[i] ** 2) / (table.expected[i] + table.error[i] ** 2)
    )
    rows = rows[:_MOST_ROWS]
    unit = np.sqrt(table.expected[rows] + table.error[rows] ** 2)
    excess = ((table.observed - table.expected)[rows] / unit).tolist()
    names = [f"{table.regions[i]} ({table.analyses[i]})" for i in rows]
    return _ranking(
        names,
        excess,
        "observed - expected",
        (signal[rows] / unit).tolist(),
        "signal",
        "over the error of the background",
    )


def plot_graph(result: CombinationResult) -> Figure:
    """Draws which analyses may be combined with which, as a matrix, and the pairs of the best combination."""
    graph = result.graph
    n, best = len(graph.names), np.array([name in result.best for name in graph.names])
    shown = np.where(graph.allowed, np.where(best[:, None] & best, 2, 1), 0)
    with style.house_style():
        figure = style.new_figure(height=1.4 + 0.2 * max(n, 6), width=style.NARROW)
        axes = figure.add_axes(_beside_names(figure, n))
        axes.imshow(shown, ListedColormap(["white", "#CFE3F1", style.REFERENCE]), vmin=0, vmax=2, aspect="auto")
        axes.imshow(
            np.where(np.eye(n, dtype=bool), 1.0, np.nan), ListedColormap([style.MUTED]), alpha=0.35, aspect="auto"
        )
        _name_rows(axes, np.arange(n, dtype=float), list(graph.names))
        axes.set_ylim(n - 0.5, -0.5)
        for label, inside in zip(axes.get_yticklabels(), best, strict=True):
            label.set_fontweight("bold" if inside else "normal")
        axes.set_xticks([])
        axes.set_xlabel("the same analyses, in this order")
    return figure


def _ranking(
    names: list[str], first: list[float], first_label: str, second: list[float], second_label: str, axis: str
) -> Figure:
    with style.house_style():
        figure = style.new_figure(height=1.4 + 0.26 * max(len(names), 3), width=style.NARROW)
        axes = figure.add_axes(_beside_names(figure, len(names)))
        y = -np.arange(len(names), dtype=float)
        axes.barh(y, first, 0.62, color=style.REFERENCE, alpha=0.55, label=first_label)
        axes.plot(second, y, "D", color=style.DATA, markersize=4.5, label=second_label)
        axes.axvline(0, color=style.MUTED, linewidth=0.8)
        _name_rows(axes, y, names)
        finite = [abs(v) for v in (*first, *second) if np.isfinite(v)]
        reach = 1.15 * max(3.0, *finite)
        axes.set_xlim(-reach if min(v for v in (*first, *second) if np.isfinite(v)) < 0 else 0, reach)
        axes.set_xlabel(axis)
        axes.legend(loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=2, fontsize=style.SMALL)
    return figure


def _beside_names(figure: Figure, rows: int) -> tuple[float, float, float, float]:
    height = float(figure.get_size_inches()[1])
    return 0.42, 0.5 / height, 0.55, 1 - 0.9 / height


def _name_rows(axes: Axes, y: np.ndarray, names: list[str]) -> None:
    short = [name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…" for name in names]
    axes.set_yticks(y)
    for label in axes.set_yticklabels(short, fontsize=style.SMALL):
        label.set_parse_math(False)
    axes.set_ylim(y.min() - 0.6, y.max() + 0.6)
    axes.tick_params(axis="y", length=0)
