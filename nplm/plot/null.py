"""The null distribution of t: toys, the chi2 they are compared with, and the observed t."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import chi2

from nplm.plot import style
from nplm.plot.binning import poisson_interval
from nplm.report.numbers import format_p, format_p_value, format_z_score, why_unchecked
from nplm.result import Result

_BINS = (5, 40)
# An observed t further out than this many times the null's range is shown by an arrow, or the null would be a spike.
_FARTHEST = 3.0
# The legend lies above everything that is drawn.
_HEADROOM = 1.6


def plot_null(result: Result) -> Figure:
    """Draws the density of the toys' t with Poisson error bars, the chi2 and the observed t.

    Without toys there is only the chi2, labelled as unchecked; failed toys have no t and are counted in the legend.
    """
    with style.house_style():
        figure = style.new_figure(height=4.2)
        axes = figure.add_axes((0.125, 0.13, 0.845, 0.83))
        t = result.toys.t[result.toys.succeeded]
        law = chi2(result.calibration.degrees_of_freedom)
        end = float(max([law.ppf(0.9995), *(1.05 * t)]))
        observed_fits = np.isfinite(result.t) and result.t <= _FARTHEST * end
        if observed_fits:
            end = max(end, 1.08 * result.t)
        height = _draw_toys(axes, t, result) if len(t) else 0.0
        grid = np.linspace(0, end, 500)[1:]
        density = law.pdf(grid)
        axes.plot(grid, density, color=style.REFERENCE, linestyle="--", label=_chi2_label(result))
        # With one or two degrees of freedom the density rises without bound, or to its edge, at zero.
        height = max(height, float(density[grid > 0.02 * end].max()))
        axes.set_xlim(0, end)
        axes.set_ylim(0, _HEADROOM * height)
        _draw_observed(axes, result, end, observed_fits)
        axes.set_xlabel("test statistic t")
        axes.set_ylabel("probability density")
        style.legend(axes, first="observed")
    return figure


def _draw_toys(axes: Axes, t: np.ndarray, result: Result) -> float:
    """Draws the histogram and returns the height of its tallest error bar."""
    bins = int(np.clip(2 * len(t) ** 0.4, *_BINS))
    counts, edges = np.histogram(t, bins=bins, range=(min(0.0, t.min()), 1.02 * max(t.max(), 1e-3)))
    area = len(t) * np.diff(edges)
    low, high = poisson_interval(counts)
    failed = result.calibration.toys_failed
    label = f"{len(t)} toy{'s' * (len(t) != 1)}" + (f" (and {failed} failed, not shown)" if failed else "")
    axes.stairs(counts / area, edges, fill=True, color=style.MUTED, alpha=0.25)
    filled = counts > 0
    centers = (edges[:-1] + edges[1:]) / 2
    style.draw_points(axes, centers, counts / area, low / area, high / area, filled, style.MUTED, label)
    return float((high / area)[filled].max())


def _chi2_label(result: Result) -> str:
    calibration = result.calibration
    name = f"χ²({calibration.degrees_of_freedom:g})"
    if calibration.chi2_check is None:
        return f"{name}: unchecked, {why_unchecked(result)}"
    verdict = "accepted" if calibration.chi2_accepted else "rejected"
    return f"{name}: {verdict} by the toys (KS p = {format_p(calibration.chi2_check)})"


def _draw_observed(axes: Axes, result: Result, end: float, fits: bool) -> None:
    if not np.isfinite(result.t):
        axes.plot([], [], " ", label="no observed t: the fit failed")
        return
    label = f"observed t = {result.t:.2f}\n{format_p_value(result)}, {format_z_score(result)}"
    if fits:
        axes.axvline(result.t, ymax=0.97 / _HEADROOM, color=style.REWEIGHTED, label=label)
        return
    axes.plot([], [], color=style.REWEIGHTED, marker=">", linestyle="none", label=f"{label}\n(off the axis)")
    level = 0.3 * axes.get_ylim()[1]
    arrow = {"arrowstyle": "-|>", "color": style.REWEIGHTED, "linewidth": 1.5}
    axes.annotate("", xy=(end, level), xytext=(0.88 * end, level), arrowprops=arrow)
