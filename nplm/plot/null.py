"""The null distribution of t: toys, the chi2 they are compared with, and the observed t."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import chi2

from nplm.calibrate.compatibility import Compatibility
from nplm.calibrate.empirical import EmpiricalNull
from nplm.calibrate.summary import EnsembleSummary, summarize_toys
from nplm.plot import style
from nplm.plot.binning import poisson_interval
from nplm.report.numbers import count, format_p, format_p_value, format_z_score, p_text, why_unchecked, z_text
from nplm.result import Result

_BINS = (5, 80)
# An observed t further out than this many times the null's range is shown by an arrow, or the null would be a spike.
_FARTHEST = 3.0
# The legend lies above everything that is drawn.
_HEADROOM = 1.6


def plot_null(result: Result) -> Figure:
    """Draws the density of the toys' t with Poisson error bars, the chi2 and the observed t.

    Without toys there is only the chi2, labelled as unchecked; failed toys have no t and are counted in the legend. If
    the toys reject the chi2, the one fitted to them is drawn as well.
    """
    calibration = result.calibration
    answer = f"{format_p_value(result)}, {format_z_score(result)} ({calibration.kind})"
    unchecked = f"{chi2_name(calibration.degrees_of_freedom)}: unchecked, {why_unchecked(result)}"
    return _draw(
        result.toys.t, calibration.ensemble, calibration.degrees_of_freedom, result.t, answer, unchecked=unchecked
    )


def plot_null_ensemble(
    t: Float64[np.ndarray, " n"],
    degrees_of_freedom: float | None = None,
    observed: float | None = None,
    *,
    summary: EnsembleSummary | None = None,
) -> Figure:
    """Draws what `plot_null` draws, from toys alone.

    Arguments:
        t: the toys' test statistics, shape (n,); NaN for a failed toy.
        degrees_of_freedom: of the chi2 to compare with; None draws a fitted one alone.
        observed: the t of data.
        summary: that of the same toys and degrees of freedom, if it is known already.

    Raises:
        ValueError: if there is no toy.
    """
    null = EmpiricalNull(t)
    answer = "" if observed is None else f"{p_text(null.pvalue(observed))}, {z_text(null.z(observed))} (empirical)"
    summary = summary or summarize_toys(t, degrees_of_freedom)
    name = "" if degrees_of_freedom is None else f"{chi2_name(degrees_of_freedom)}: unchecked, too few toys"
    return _draw(t, summary, degrees_of_freedom, observed, answer, unchecked=name)


def chi2_name(degrees_of_freedom: float, error: float = 0.0) -> str:
    """χ²(13), or χ²(12.86 ± 0.08) for a fitted one."""
    return f"χ²({degrees_of_freedom:.2f} ± {error:.2f})" if error else f"χ²({degrees_of_freedom:g})"


def verdict_label(check: Compatibility) -> str:
    """What the toys say about a chi2."""
    verdict = "accepted" if check.accepted else "rejected"
    fitted = "fitted, " if check.kind == "chi2 fitted" else ""
    return f"{chi2_name(check.degrees_of_freedom, check.error)}: {fitted}{verdict} (p = {format_p(check.p_value)})"


def draw_density(axes: Axes, t: Float64[np.ndarray, " n"], color: str, label: str) -> float:
    """Draws the histogram of finite t, normalised to one, and returns the height of its tallest error bar."""
    bins = int(np.clip(2 * len(t) ** 0.4, *_BINS))
    counts, edges = np.histogram(t, bins=bins, range=(min(0.0, t.min()), 1.02 * max(t.max(), 1e-3)))
    area = len(t) * np.diff(edges)
    low, high = poisson_interval(counts)
    axes.stairs(counts / area, edges, fill=True, color=color, alpha=0.25)
    filled = counts > 0
    centers = (edges[:-1] + edges[1:]) / 2
    style.draw_points(axes, centers, counts / area, low / area, high / area, filled, color, label)
    return float((high / area)[filled].max())


def toys_label(t: Float64[np.ndarray, " n"], thing: str = "toy") -> str:
    """20,000 toys, or 93 toys (and 7 failed, not shown)."""
    failed = int(np.isnan(t).sum())
    return count(len(t) - failed, thing) + (f" (and {failed:,} failed, not shown)" if failed else "")


def _draw(
    toys: np.ndarray,
    summary: EnsembleSummary | None,
    degrees_of_freedom: float | None,
    observed: float | None,
    answer: str,
    unchecked: str,
) -> Figure:
    """The picture; `unchecked` labels a chi2 with the given degrees of freedom that no toys have checked."""
    t = toys[np.isfinite(toys)]
    curves: list[tuple[float, str, str]] = []
    given, fitted = (None, None) if summary is None else (summary.given, summary.fitted)
    if degrees_of_freedom is not None:
        label = unchecked if given is None else verdict_label(given)
        curves.append((degrees_of_freedom, label, style.REFERENCE))
    if fitted is not None and not (given is not None and given.accepted):
        curves.append((fitted.degrees_of_freedom, verdict_label(fitted), style.FITTED))
    with style.house_style():
        figure = style.new_figure(height=4.2)
        axes = figure.add_axes((0.125, 0.13, 0.845, 0.83))
        end = float(max([1e-3, *(chi2.ppf(0.9995, k) for k, _, _ in curves), *(1.05 * t)]))
        fits = observed is not None and np.isfinite(observed) and observed <= _FARTHEST * end
        if observed is not None and fits:
            end = max(end, 1.08 * observed)
        height = draw_density(axes, t, style.MUTED, toys_label(toys)) if len(t) else 0.0
        grid = np.linspace(0, end, 500)[1:]
        for number, (k, label, color) in enumerate(curves):
            density = chi2.pdf(grid, k)
            axes.plot(grid, density, color=color, linestyle=("--", "-.")[number], label=label)
            # With one or two degrees of freedom the density rises without bound, or to its edge, at zero.
            height = max(height, float(density[grid > 0.02 * end].max()))
        axes.set_xlim(0, end)
        axes.set_ylim(0, _HEADROOM * height)
        if observed is not None:
            _draw_observed(axes, observed, answer, end, bool(fits))
        axes.set_xlabel("test statistic t")
        axes.set_ylabel("probability density")
        style.legend(axes, first="observed")
    return figure


def _draw_observed(axes: Axes, t: float, answer: str, end: float, fits: bool) -> None:
    if not np.isfinite(t):
        axes.plot([], [], " ", label="no observed t: the fit failed")
        return
    label = f"observed t = {t:.2f}\n{answer}"
    if fits:
        axes.axvline(t, ymax=0.97 / _HEADROOM, color=style.REWEIGHTED, label=label)
        return
    axes.plot([], [], color=style.REWEIGHTED, marker=">", linestyle="none", label=f"{label}\n(off the axis)")
    level = 0.3 * axes.get_ylim()[1]
    arrow = {"arrowstyle": "-|>", "color": style.REWEIGHTED, "linewidth": 1.5}
    axes.annotate("", xy=(end, level), xytext=(0.88 * end, level), arrowprops=arrow)
