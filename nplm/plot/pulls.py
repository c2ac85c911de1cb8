"""Pulls of the nuisances, and what each of them does to t."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nplm.nuisance.fit_summary import NuisanceSummary
from nplm.plot import style

# More nuisances than this make no readable picture: those that matter most are drawn.
MOST_DRAWN = 30
_ROW, _HEAD, _FOOT = 0.3, 0.6, 0.62
_LONGEST_LABEL = 22
# Space between a bar and its number, as a part of the axis.
_GAP = 0.02


def plot_pulls(summary: NuisanceSummary) -> Figure:
    """Draws (nu - measured) / sigma of each nuisance, fitted without and with f, and beside it the impact on t.

    The nuisances of the largest impact are on top, or of the largest pull where no impacts were computed. Where
    auxiliary measurements have no maximum, nu / sigma is drawn.

    Arguments:
        summary: of the fit of the nuisances.
    """
    shown = ranked(summary)[:MOST_DRAWN]
    height = _HEAD + _FOOT + _ROW * len(shown)
    left = 0.03 + 0.0142 * max(len(_label(summary.names[i])) for i in shown)
    bottom, top = _FOOT / height, 1 - _HEAD / height
    right = 0.97 if summary.impact is None else 0.63
    with style.house_style():
        figure = style.new_figure(height)
        pulls = figure.add_axes((left, bottom, right - left, top - bottom))
        _draw_pulls(pulls, summary, shown)
        if summary.impact is not None:
            _draw_impacts(figure.add_axes((0.66, bottom, 0.31, top - bottom)), summary.impact[shown])
        if len(shown) < len(summary.names):
            style.note(pulls, [f"the {len(shown)} of {len(summary.names)} nuisances that matter most"])
    return figure


def ranked(summary: NuisanceSummary) -> Int64[np.ndarray, " k"]:
    """The nuisances from the largest impact, or pull, to the smallest; those without a number last."""
    sizes = np.abs(summary.pulls if summary.impact is None else summary.impact)
    return np.argsort(-np.nan_to_num(sizes, nan=-1.0), kind="stable")


def _draw_pulls(axes: Axes, summary: NuisanceSummary, shown: Int64[np.ndarray, " m"]) -> None:
    center, sigma = np.nan_to_num(summary.measured, nan=0.0)[shown], summary.sigma[shown]
    without, with_f = ((nu[shown] - center) / sigma for nu in (summary.nu, summary.nu_tau))
    error = summary.errors[shown] / sigma
    rows = np.arange(len(shown))
    axes.axvspan(-1, 1, color=style.MUTED, alpha=0.18, linewidth=0, label="constraint")
    axes.axvline(0, color=style.MUTED, linewidth=0.8)
    axes.errorbar(
        without, rows - 0.12, xerr=error, fmt="o", color=style.DATA, markersize=4, elinewidth=1.2, label="without f"
    )
    axes.plot(with_f, rows + 0.16, "s", color=style.REWEIGHTED, markersize=4, fillstyle="none", label="with f")
    reach = max(2.2, 1.12 * float(np.max(np.abs([without - error, without + error, with_f]))))
    axes.set_xlim(-reach, reach)
    _rows(axes, len(shown))
    axes.set_yticklabels([_label(summary.names[i]) for i in shown], parse_math=False)
    axes.set_xlabel("(nu - measured) / sigma")
    entries = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    order = ("without f", "with f", "constraint")
    axes.figure.legend([entries[name] for name in order], order, loc="upper right", ncols=3, bbox_to_anchor=(0.98, 1.0))


def _draw_impacts(axes: Axes, impact: Float64[np.ndarray, " m"]) -> None:
    known = np.isfinite(impact)
    sizes = np.where(known, impact, 0.0)
    axes.axvline(0, color=style.MUTED, linewidth=0.8)
    axes.barh(np.arange(len(impact)), sizes, height=0.5, color=style.REFERENCE)
    low, high = min(0.0, float(sizes.min())), max(0.0, float(sizes.max()))
    span = max(high - low, 1e-9)
    # Room for the numbers, on the side where bars are.
    axes.set_xlim(low - (0.55 * span if low < 0 else 0.03 * span), high + 0.55 * span)
    for row, (size, is_known) in enumerate(zip(sizes, known, strict=True)):
        text = f"{size:+.2f}" if abs(size) < 100 else f"{size:+,.0f}"
        left = size < 0
        axes.text(
            size + (-_GAP if left else _GAP) * span,
            row,
            text if is_known else "not known",
            ha="right" if left else "left",
            va="center",
            fontsize=style.SMALL,
        )
    _rows(axes, len(impact))
    axes.set_yticklabels([])
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, prune="both"))
    axes.set_xlabel("impact on t")


def _rows(axes: Axes, count: int) -> None:
    """One row for each nuisance, the first on top."""
    axes.set_ylim(count - 0.4, -0.6)
    axes.set_yticks(np.arange(count))
    axes.tick_params(axis="y", length=0)


def _label(name: str) -> str:
    text = "".join(c if c.isprintable() else " " for c in name)
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"
