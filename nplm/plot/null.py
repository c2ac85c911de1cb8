"""The null distribution of t: toys, the asymptotic null they are compared with, and the observed t."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nplm.calibration.words import why_unchecked
from nplm.data.binning import poisson_interval
from nplm.hypotest.result import Result
from nplm.plot import style
from nplm.stats.asymptotic import AsymptoticNull, as_asymptotic_null, fit_asymptotic_null
from nplm.stats.empirical import EmpiricalNull
from nplm.stats.ensemble_summary import EnsembleSummary, summarize_toys
from nplm.stats.goodness_of_fit import Compatibility
from nplm.wording.numbers import count, format_p, p_text, z_text
from nplm.wording.standing import kind_text

_BINS = (5, 80)
# An observed t further out than this many times the null's range is shown by an arrow, or the null would be a spike.
_FARTHEST = 3.0
# The legend lies above everything that is drawn.
_HEADROOM = 1.6


def plot_null(result: Result) -> Figure:
    """Draws the density of the toys' t with Poisson error bars, the asymptotic null and the observed t.

    Without toys there is only the asymptotic null, labelled as unchecked; failed toys have no t and are counted in the
    legend. If the toys reject the asymptotic null, the one fitted to them is drawn as well.
    """
    calibration = result.calibration
    answer = f"{p_text(result.p_value)}, {z_text(result.z)} ({kind_text(calibration.kind)})"
    asymptotic = calibration.asymptotic_for_toys if len(result.toys) else calibration.asymptotic
    unchecked = f"{asymptotic_name(asymptotic)}: unchecked, {why_unchecked(calibration)}"
    if calibration.importance is not None:
        unchecked = f"{asymptotic_name(asymptotic)}: {p_text(calibration.asymptotic_p_value)} here, for comparison"
    return _draw(result.toys.t, calibration.ensemble, asymptotic, result.t, answer, unchecked=unchecked)


def plot_null_ensemble(
    t: Float64[np.ndarray, " n"],
    asymptotic: AsymptoticNull | float | None = None,
    observed: float | None = None,
    *,
    summary: EnsembleSummary | None = None,
) -> Figure:
    """Draws what `plot_null` draws, from toys alone.

    Arguments:
        t: the toys' test statistics, shape (n,); NaN for a failed toy.
        asymptotic: to compare with, or the degrees of freedom of a chi2; None draws a fitted chi2 alone.
        observed: the t of data.
        summary: that of the same toys and asymptotic null, if it is known already.

    Raises:
        ValueError: if there is no toy.
    """
    null = EmpiricalNull(t)
    answer = "" if observed is None else f"{p_text(null.pvalue(observed))}, {z_text(null.z(observed))} (empirical)"
    expected = as_asymptotic_null(asymptotic)
    summary = summary or summarize_toys(t, expected)
    name = "" if expected is None else f"{asymptotic_name(expected)}: unchecked, too few toys"
    return _draw(t, summary, expected, observed, answer, unchecked=name)


def asymptotic_name(asymptotic: AsymptoticNull) -> str:
    """χ²(13), or χ²(12.86 ± 0.08) for a fitted one."""
    return asymptotic.name.replace("chi2", "χ²").replace("+-", "±")


def verdict_label(asymptotic: AsymptoticNull, check: Compatibility) -> str:
    """What the toys say about an asymptotic null."""
    alone, least = check.weakest
    weakest = "" if check.unanimous or not check.accepted else f", {alone} alone {format_p(least)}"
    verdict = "rejected" if not check.accepted else "not refuted" if weakest else "accepted"
    fitted = "fitted, " if check.kind.endswith("fitted") else ""
    return f"{asymptotic_name(asymptotic)}: {fitted}{verdict} (p = {format_p(check.p_value)}{weakest})"


def draw_density(axes: Axes, t: Float64[np.ndarray, " n"], color: str, label: str) -> float:
    """Draws the histogram of finite t, normalized to one, and returns the height of its tallest error bar."""
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
    asymptotic: AsymptoticNull | None,
    observed: float | None,
    answer: str,
    unchecked: str,
) -> Figure:
    """The picture; `unchecked` labels an asymptotic null that no toys have checked."""
    t = toys[np.isfinite(toys)]
    curves: list[tuple[AsymptoticNull, str, str]] = []
    given, fitted = (None, None) if summary is None else (summary.given, summary.fitted)
    if asymptotic is not None:
        label = unchecked if given is None else verdict_label(asymptotic, given)
        curves.append((asymptotic, label, style.REFERENCE))
    if fitted is not None and not (given is not None and given.accepted):
        best = fit_asymptotic_null(toys, asymptotic)
        curves.append((best, verdict_label(best, fitted), style.FITTED))
    with style.house_style():
        figure = style.new_figure(height=4.2)
        axes = figure.add_axes((0.125, 0.13, 0.845, 0.83))
        end = float(max([1e-3, *(curve.threshold(0.0005) for curve, _, _ in curves), *(1.05 * t)]))
        fits = observed is not None and np.isfinite(observed) and observed <= _FARTHEST * end
        if observed is not None and fits:
            end = max(end, 1.08 * observed)
        height = draw_density(axes, t, style.MUTED, toys_label(toys)) if len(t) else 0.0
        edges = np.linspace(0, end, 501)
        middles = (edges[1:] + edges[:-1]) / 2
        for number, (curve, label, color) in enumerate(curves):
            density = -np.diff(curve.pvalues(edges)) / np.diff(edges)
            axes.plot(middles, density, color=color, linestyle=("--", "-.")[number], label=label)
            # With one or two degrees of freedom the density rises without bound, or to its edge, at zero.
            height = max(height, float(density[middles > 0.02 * end].max()))
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
