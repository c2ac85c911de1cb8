"""Pictures of a comparison of two samples: one feature of both with the fitted ratio, and the null of the statistic."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nplm.plot import style
from nplm.plot.binning import Binning, common_binning
from nplm.report.numbers import p_text, printable, z_text
from nplm.sample import Sample
from nplm.two_sample.result import TwoSampleResult

# The y axis is logarithmic if the shares of the bins span more than this factor.
_LOG_RANGE = 100.0
_LOWEST_RATIO, _HIGHEST_RATIO = 0.0, 4.0
# A ratio is worth a point if both of its numbers are known better than this.
_LARGEST_ERROR = 0.5
_LONGEST_NAME = 32


def plot_two_sample_marginal(a: Sample, b: Sample, result: TwoSampleResult, feature: str) -> Figure:
    """Draws the shares of both samples in bins of one feature, and below B / A with the fitted e^f.

    The fit is the marginal of A, each event times e^f, over that of A: it includes what f owes to the other features.

    Arguments:
        a, b: the samples that were compared.
        result: of that comparison.
        feature: its name.

    Raises:
        ValueError: if there is no such feature.
    """
    if feature not in a.features:
        raise ValueError(f"there is no feature '{feature}': choose one of {', '.join(a.features)}")
    column = a.features.index(feature)
    x_a, x_b = a.events[:, column], b.events[:, column]
    binning = common_binning(x_b, x_a, a.weights, min(a.effective_size, b.effective_size))
    share_a, error_a = _shares(binning, x_a, a.weights)
    share_b, error_b = _shares(binning, x_b, b.weights)
    tilted, _ = _shares(binning, x_a, a.weights * np.exp(result.log_ratio_a), a.total_weight)
    with style.house_style():
        figure = style.new_figure(height=5.2)
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.2))
        figure.subplots_adjust(left=0.13, right=0.97, top=0.96, bottom=0.1, hspace=0.06)
        names = [short_name(name) for name in result.sample_names]
        _draw_shares(top, binning, (share_a, error_a, names[0]), (share_b, error_b, names[1]), tilted)
        _draw_ratio(bottom, binning, (share_a, error_a), (share_b, error_b), tilted)
        if binning.logarithmic:
            top.set_xscale("log")
        if binning.integer:
            bottom.xaxis.set_major_locator(MaxNLocator(integer=True))
        top.set_xlim(binning.edges[0], binning.edges[-1])
        style.label_feature(bottom, feature)
        figure.align_ylabels()
    return figure


def plot_two_sample_null(result: TwoSampleResult) -> Figure:
    """Draws the statistic -log(smallest p) of resamplings and the observed one.

    Raises:
        ValueError: if nothing was resampled.
    """
    if result.null is None:
        raise ValueError("the p-value is from a law in closed form: there are no resamplings to be drawn")
    found = result.calibration
    null = result.null[np.isfinite(result.null)]
    with style.house_style():
        figure = style.new_figure(height=3.6)
        axes = figure.add_axes((0.125, 0.15, 0.845, 0.82))
        end = 1.08 * max(null.max(), min(result.statistic, 4 * null.max()))
        counts, edges = np.histogram(null, bins=min(60, int(2 * len(null) ** 0.4)), range=(0, null.max()))
        axes.stairs(counts, edges, fill=True, color=style.REFERENCE, alpha=0.3, label=null_words(result))
        axes.set_xlim(0, end)
        axes.set_ylim(0, 1.5 * counts.max())
        label = f"observed: {p_text(found.p_value)}, {z_text(found.z)}{' (a lower limit)' if found.limit else ''}"
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


def _shares(
    binning: Binning, values: np.ndarray, weights: np.ndarray, total: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Share of a sample in each bin, and its standard deviation."""
    bins = binning.assign(values)
    total = float(weights.sum()) if total is None else total
    summed = np.bincount(bins, weights=weights, minlength=binning.count)
    squares = np.bincount(bins, weights=weights**2, minlength=binning.count)
    return summed / total, np.sqrt(squares) / total


def _draw_shares(
    axes: Axes,
    binning: Binning,
    a: tuple[np.ndarray, np.ndarray, str],
    b: tuple[np.ndarray, np.ndarray, str],
    tilted: np.ndarray,
) -> None:
    (share_a, error_a, name_a), (share_b, error_b, name_b) = a, b
    axes.stairs(share_a, binning.edges, color=style.REFERENCE, label=f"A: {name_a}")
    axes.stairs(
        share_a + error_a,
        binning.edges,
        baseline=share_a - error_a,
        fill=True,
        color=style.REFERENCE,
        alpha=style.BAND_ALPHA,
        linewidth=0,
    )
    axes.stairs(tilted, binning.edges, color=style.REWEIGHTED, label="A reweighted by the fit")
    shown = error_b > 0
    style.draw_points(axes, binning.centers, share_b, share_b - error_b, share_b + error_b, shown, label=f"B: {name_b}")
    positive = np.concatenate([share_a[share_a > 0], share_b[share_b > 0]])
    highest = float(max((share_a + error_a).max(), (share_b + error_b).max()))
    if positive.max() > _LOG_RANGE * positive.min() and (share_a >= 0).all() and (share_b >= 0).all():
        axes.set_yscale("log", nonpositive="clip")
        lowest = 0.4 * positive.min()
        axes.set_ylim(lowest, highest * max((highest / lowest) ** 0.35, 3))
    else:
        axes.set_ylim(min(0.0, 1.1 * float((share_b - error_b).min())), 1.4 * highest)
    axes.set_ylabel("share of the sample / bin")
    handles, labels = axes.get_legend_handles_labels()
    # Names come from files and are not read as mathtext.
    for text in axes.legend(handles, labels, loc="upper right").get_texts():
        text.set_parse_math(False)


def _draw_ratio(
    axes: Axes,
    binning: Binning,
    a: tuple[np.ndarray, np.ndarray],
    b: tuple[np.ndarray, np.ndarray],
    tilted: np.ndarray,
) -> None:
    (share_a, error_a), (share_b, error_b) = a, b
    known = (share_a > 0) & (error_a < _LARGEST_ERROR * share_a)
    expected = np.where(known, share_a, np.nan)
    ratio = share_b / expected
    # Both samples are finite: the error of the ratio is that of both.
    error = np.hypot(error_b / expected, ratio * error_a / expected)
    axes.axhline(1, color=style.REFERENCE)
    axes.stairs(tilted / expected, binning.edges, color=style.REWEIGHTED, baseline=None)
    shown = known & np.isfinite(ratio) & (error_b > 0)
    good = shown & (error < _LARGEST_ERROR)
    reach = 0.1
    if good.any():
        reach = max(reach, 1.15 * float(np.max(np.abs(ratio[good] - 1) + error[good])))
    bottom, top = max(_LOWEST_RATIO, 1 - reach), min(_HIGHEST_RATIO, 1 + reach)
    inside = shown & (ratio <= top) & (ratio >= bottom)
    style.draw_points(axes, binning.centers, ratio, ratio - error, ratio + error, inside)
    for outside, marker, edge in ((shown & (ratio > top), "^", top), (shown & (ratio < bottom), "v", bottom)):
        axes.plot(
            binning.centers[outside],
            np.full(outside.sum(), edge),
            marker,
            color=style.DATA,
            markersize=5,
            clip_on=False,
        )
    axes.set_ylim(bottom, top)
    axes.set_ylabel("B / A", fontsize=style.SMALL)


def short_name(name: str) -> str:
    """A name that fits beside an axis: its end, which tells files apart."""
    shown = printable(name)
    return shown if len(shown) <= _LONGEST_NAME else f"…{shown[-_LONGEST_NAME + 1 :]}"
