"""Pictures of a comparison of two samples: one feature of both with the fitted ratio, and the null of the statistic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nplm.data.binning import Binning
from nplm.data.sample import Sample
from nplm.plot import style
from nplm.plot.labels import unit_of
from nplm.plot.two_sample_bins import Process, TwoSampleBins, fill_two_samples, overlapping
from nplm.two_sample.result import TwoSampleResult
from nplm.wording.numbers import p_text, printable, z_text

# The y axis is logarithmic if the shares of the bins span more than this factor.
_LOG_RANGE = 100.0
# An interval whose bins are lower than this share of the highest is not seen on a linear axis.
_SEEN = 0.08
# Of processes: told apart in grey, and none the colour of a line.
_STACK = ("#bcd9ea", "#f3e2a9", "#d5c3dd", "#c9e3c3", "#e5c9b8", "#d0d0d0")
# A ratio is worth a point if both of its numbers are known better than this.
_LARGEST_ERROR = 0.5
_LONGEST_NAME = 32


def plot_two_sample_marginal(
    a: Sample,
    b: Sample,
    result: TwoSampleResult,
    feature: str,
    *,
    names: tuple[str, str] | None = None,
    yields: bool = False,
    fitted: bool = True,
    interval: tuple[float, float] | None = None,
    enlarge: bool = True,
    processes: Sequence[Process] = (),
) -> Figure:
    """Draws both samples in bins of one feature, and below B / A with the fitted e^f.

    The fit is the marginal of A, each event times e^f, over that of A: it includes what f owes to the other features.

    Arguments:
        a, b: the samples that were compared.
        result: of that comparison.
        feature: its name.
        names: what to call them; default: A and B with their names.
        fitted: show what the fit makes of A.
        yields, interval, enlarge, processes: see `nplm.plot.two_sample_bins.fill_two_samples`; the interval is shaded.

    Raises:
        ValueError: if there is no such feature.
    """
    bins = fill_two_samples(
        a,
        b,
        feature,
        result.log_ratio_a if fitted else None,
        yields=yields,
        interval=interval,
        enlarge=enlarge,
        processes=processes,
    )
    if names is None:
        short = [short_name(name) for name in result.sample_names]
        names = f"A: {short[0]}", f"B: {short[1]}"
    return plot_two_sample_bins(bins, feature, names, yields=yields, interval=interval)


def plot_two_sample_bins(
    bins: TwoSampleBins,
    feature: str,
    names: tuple[str, str],
    *,
    yields: bool = False,
    interval: tuple[float, float] | None = None,
    expected: str = "reference",
) -> Figure:
    """Draws what `fill_two_samples` sums.

    Arguments:
        bins: the sums.
        feature: name of the feature.
        names: what to call the samples.
        yields: whether the sums are yields.
        interval: to be shaded.
        expected: what sample A is to the data, where the sums are yields.
    """
    with style.house_style():
        figure = style.new_figure(height=4.6, width=style.NARROW)
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.2))
        figure.subplots_adjust(left=0.15, right=0.97, top=0.93, bottom=0.115, hspace=0.06)
        _draw_yields(top, bins, names, _is_linear(bins, interval))
        _draw_ratio(bottom, bins, f"data / {expected}" if yields else "B / A", overlapping(bins, interval))
        top.set_ylabel(bins.binning.per("events" if yields else "share of the sample", unit_of(feature)))
        style.note(top, _remarks(bins, expected if yields else None))
        for axes in (top, bottom):
            if interval is not None:
                _shade(axes, bins.binning, interval)
            _mark_outer_bins(axes, bins)
        if bins.binning.logarithmic:
            top.set_xscale("log")
        if bins.binning.integer:
            bottom.xaxis.set_major_locator(MaxNLocator(integer=True))
        top.set_xlim(bins.binning.edges[0], bins.binning.edges[-1])
        style.label_feature(bottom, feature)
        figure.align_ylabels()
    return figure


def plot_two_sample_null(result: TwoSampleResult) -> Figure:
    """Draws the statistic -log(smallest p) of resamplings and the observed one.

    Raises:
        ValueError: if nothing was resampled.
    """
    if result.null is None:
        raise ValueError("the p-value is from the asymptotic null: there are no resamplings to be drawn")
    found = result.calibration
    null = result.null[np.isfinite(result.null)]
    with style.house_style():
        figure = style.new_figure(height=3.4, width=style.NARROW)
        axes = figure.add_axes((0.14, 0.16, 0.83, 0.81))
        end = 1.08 * max(null.max(), min(result.statistic, 4 * null.max()))
        counts, edges = np.histogram(null, bins=min(60, int(2 * len(null) ** 0.4)), range=(0, null.max()))
        axes.stairs(counts, edges, fill=True, color=style.REFERENCE, alpha=0.3, label=null_words(result))
        axes.set_xlim(0, end)
        axes.set_ylim(0, 1.5 * counts.max())
        # Of shapes and yields together the statistic is that of the shapes.
        of_shape = found if result.shape is None else result.shape
        limit = " (a lower limit)" if of_shape.limit else ""
        label = (
            f"observed{'' if of_shape is found else ' shape'}: {p_text(of_shape.p_value)}, {z_text(of_shape.z)}{limit}"
        )
        if result.statistic <= end:
            axes.axvline(result.statistic, ymax=0.64, color=style.REWEIGHTED, label=label)
        else:
            axes.plot(end, 0, ">", color=style.REWEIGHTED, clip_on=False, label=f"{label}, off the axis")
        axes.set_xlabel("-log of the smallest p-value")
        axes.set_ylabel("resamplings / bin")
        axes.legend(loc="upper right")
    return figure


def null_words(result: TwoSampleResult) -> str:
    """What was resampled, in a few words."""
    found = result.calibration
    if result.null is None or found.kind != "analytic":
        return found.null
    return f"{len(result.null):,} samples without a difference"


def _is_linear(bins: TwoSampleBins, interval: tuple[float, float] | None) -> bool:
    """Whether a linear axis shows all that matters: the interval that leads, or else all bins."""
    a = bins.a
    if interval is not None:
        inside = overlapping(bins, interval)
        highest = max(float(a.max()), float(bins.b.max()))
        return bool(max(a[inside].max(initial=0.0), bins.b[inside].max(initial=0.0)) > _SEEN * highest)
    positive = np.concatenate([a[a > 0], bins.b[bins.b > 0]])
    return not len(positive) or positive.max() <= _LOG_RANGE * positive.min()


def _draw_yields(axes: Axes, bins: TwoSampleBins, names: tuple[str, str], linear: bool) -> None:
    edges = bins.binning.edges
    below = np.zeros(bins.binning.count)
    for number, (name, values) in enumerate(bins.stack):
        color = _STACK[number % len(_STACK)]
        axes.stairs(below + values, edges, baseline=below, fill=True, color=color, linewidth=0, label=short_name(name))
        below = below + values
    axes.stairs(bins.a, edges, color=style.REFERENCE, label=names[0])
    axes.stairs(
        bins.a + bins.error_a,
        edges,
        baseline=bins.a - bins.error_a,
        fill=True,
        color=style.MUTED if bins.stack else style.REFERENCE,
        alpha=style.BAND_ALPHA,
        linewidth=0,
    )
    if bins.tilted is not None:
        axes.stairs(bins.tilted, edges, color=style.REWEIGHTED, label=f"{names[0].split(':')[0]} reweighted by the fit")
    style.draw_points(axes, bins.binning.centers, bins.b, bins.low_b, bins.high_b, bins.filled, label=names[1])
    positive = np.concatenate([bins.a[bins.a > 0], bins.b[bins.b > 0]])
    highest = max(float((bins.a + bins.error_a).max()), float(bins.high_b.max()))
    entries = len(bins.stack) + 3
    if not linear and len(positive) and (bins.a >= 0).all() and (bins.b >= 0).all():
        axes.set_yscale("log", nonpositive="clip")
        lowest = 0.4 * positive.min()
        axes.set_ylim(lowest, highest * max((highest / lowest) ** (0.18 * entries), 3))
    else:
        axes.set_ylim(min(0.0, 1.1 * float(bins.low_b.min())), (1 + 0.18 * entries) * highest)
    handles, labels = axes.get_legend_handles_labels()
    # Names come from files and are not read as mathtext.
    for text in axes.legend(handles, labels, loc="upper right").get_texts():
        text.set_parse_math(False)


def _shade(axes: Axes, binning: Binning, interval: tuple[float, float]) -> None:
    low, high = interval
    if low == high:
        half = float(np.diff(binning.edges).min()) / 2
        low, high = low - half, high + half
    axes.axvspan(low, high, color=style.REWEIGHTED, alpha=0.13, linewidth=0, zorder=0)


def _mark_outer_bins(axes: Axes, bins: TwoSampleBins) -> None:
    """Hatches outer bins that hold events from beyond the axis."""
    (below_a, above_a), (below_b, above_b) = bins.beyond
    style.hatch_outer_bins(axes, bins.binning.edges, bool(below_a or below_b), bool(above_a or above_b))


def _remarks(bins: TwoSampleBins, expected: str | None) -> list[str]:
    if bins.enlarged:
        return ["enlarged: what lies around the shaded interval"]
    a, b = (sum(each) for each in bins.beyond)
    if not (a or b):
        return []
    if expected is not None:
        return [style.beyond_the_axis(f"{style.format_yield(b)} data", f"{style.format_yield(a)} {expected}")]
    return [style.beyond_the_axis(f"{100 * a:.2g}% of A", f"{100 * b:.2g}% of B")]


def _draw_ratio(axes: Axes, bins: TwoSampleBins, label: str, leading: np.ndarray) -> None:
    known = (bins.a > 0) & (bins.error_a < _LARGEST_ERROR * bins.a)
    expected = np.where(known, bins.a, np.nan)
    ratio, relative = bins.b / expected, bins.error_a / expected
    # Both samples are finite: the error of the ratio is that of both.
    low = ratio - np.hypot((bins.b - bins.low_b) / expected, ratio * relative)
    high = ratio + np.hypot((bins.high_b - bins.b) / expected, ratio * relative)
    axes.axhline(1, color=style.REFERENCE)
    if bins.tilted is not None:
        axes.stairs(bins.tilted / expected, bins.binning.edges, color=style.REWEIGHTED, baseline=None)
    shown = known & np.isfinite(ratio) & bins.filled
    bottom, top = style.ratio_range(ratio[shown], low[shown], high[shown], leading[shown])
    inside = shown & (ratio <= top) & (ratio >= bottom)
    style.draw_points(axes, bins.binning.centers, ratio, low, high, inside)
    for outside, marker, edge in ((shown & (ratio > top), "^", top), (shown & (ratio < bottom), "v", bottom)):
        axes.plot(
            bins.binning.centers[outside],
            np.full(outside.sum(), edge),
            marker,
            color=style.DATA,
            markersize=5,
            clip_on=False,
        )
    axes.set_ylim(bottom, top)
    axes.set_ylabel(label, fontsize=style.SMALL)


def short_name(name: str) -> str:
    """A name that fits beside an axis: its end, which tells files apart."""
    shown = printable(name)
    return shown if len(shown) <= _LONGEST_NAME else f"…{shown[-_LONGEST_NAME + 1 :]}"
