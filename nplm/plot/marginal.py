"""One feature of data and reference, before and after the reference is reweighted by the fitted e^f."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nplm.data.binning import Binning, common_binning, fill
from nplm.data.sample import Sample
from nplm.hypotest.result import Result
from nplm.hypotest.reweighting import expected_weights, reference_log_ratio, reweighted
from nplm.io.tables import sample_like
from nplm.plot import style
from nplm.plot.labels import unit_of
from nplm.statistic import LikelihoodRatio

# The y axis is logarithmic if the expected yields of the bins span more than this factor.
_LOG_RANGE = 100.0


@dataclass(frozen=True, eq=False)
class Marginal:
    """Yields in the bins of one feature; every array has shape (bins,).

    Arguments:
        binning: the bins.
        data: summed weights of the data.
        data_low, data_high: ends of its error bars: Garwood's 68% interval for unit weights, else
            plus and minus the root of the summed squared weights.
        reference: summed weights of the reference, expected yield; with nuisances at their fitted values.
        reference_error: root of its summed squared weights.
        reweighted: sum of w e^f; NaN if the fit failed.
        data_beyond, reference_beyond: yields that the outer bins took from beyond the edges.
        outer: whether the first bin took some, and whether the last did.
        moved: whether the reference is shown at fitted nuisances.
    """

    binning: Binning
    data: Float64[np.ndarray, " bins"]
    data_low: Float64[np.ndarray, " bins"]
    data_high: Float64[np.ndarray, " bins"]
    reference: Float64[np.ndarray, " bins"]
    reference_error: Float64[np.ndarray, " bins"]
    reweighted: Float64[np.ndarray, " bins"]
    data_beyond: float
    reference_beyond: float
    outer: tuple[bool, bool]
    moved: bool


def fill_marginal(
    test: LikelihoodRatio,
    data: Sample,
    result: Result,
    feature: str,
    log_ratio: Float64[np.ndarray, " n"] | None = None,
) -> Marginal:
    """Sums data, reference and reference x e^f in bins of one feature, in the units of the files.

    In several dimensions the last is the marginal of the whole reweighted reference.

    Arguments:
        test: holds the reference.
        data: the tested sample.
        result: of that test.
        feature: its name.
        log_ratio: f at each reference event, shape (n,), if it is known already.

    Raises:
        ValueError: if there is no such feature.
    """
    data = sample_like(test.reference, data, "data")
    if feature not in data.features:
        raise ValueError(f"there is no feature '{feature}': choose one of {', '.join(data.features)}")
    column = data.features.index(feature)
    x_data, x_reference = data.events[:, column], test.reference.events[:, column]
    weights = expected_weights(test, result)
    f = reference_log_ratio(test, result) if log_ratio is None else log_ratio
    binning = common_binning(x_data, x_reference, weights, data.effective_size)
    bins = binning.assign(x_reference)

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(bins, weights=values, minlength=binning.count)

    ends = (
        ((x < binning.edges[0]).any() for x in (x_data, x_reference)),
        ((x > binning.edges[-1]).any() for x in (x_data, x_reference)),
    )
    observed, low, high = fill(binning, x_data, data.weights)
    fitted = total(reweighted(test, result, f))
    return Marginal(
        binning=binning,
        data=observed,
        data_low=low,
        data_high=high,
        reference=total(weights),
        reference_error=np.sqrt(total(weights**2)),
        # An infinite sum has no place in a picture; NaN leaves a gap there.
        reweighted=np.where(np.isfinite(fitted), fitted, np.nan),
        data_beyond=float(data.weights[binning.beyond(x_data)].sum()),
        reference_beyond=float(weights[binning.beyond(x_reference)].sum()),
        outer=(any(ends[0]), any(ends[1])),
        moved=result.nuisances is not None,
    )


def plot_marginal(
    test: LikelihoodRatio,
    data: Sample,
    result: Result,
    feature: str,
    *,
    log_ratio: Float64[np.ndarray, " n"] | None = None,
) -> Figure:
    """Draws what `fill_marginal` sums, with the ratios to the reference below.

    Arguments and Raises: see `fill_marginal`.
    """
    marginal = fill_marginal(test, data, result, feature, log_ratio)
    with style.house_style():
        figure = style.new_figure(height=5.2)
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.2))
        figure.subplots_adjust(left=0.13, right=0.97, top=0.93, bottom=0.1, hspace=0.06)
        _draw_yields(top, marginal, data, unit_of(feature))
        _draw_ratios(bottom, marginal)
        if marginal.binning.logarithmic:
            top.set_xscale("log")
        if marginal.binning.integer:
            bottom.xaxis.set_major_locator(MaxNLocator(integer=True))
        top.set_xlim(marginal.binning.edges[0], marginal.binning.edges[-1])
        for axes in (top, bottom):
            style.hatch_outer_bins(axes, marginal.binning.edges, *marginal.outer)
        style.label_feature(bottom, feature)
        figure.align_ylabels()
    return figure


def _draw_yields(axes: Axes, marginal: Marginal, data: Sample, unit: str) -> None:
    binning, reference = marginal.binning, marginal.reference
    positive = reference[reference > 0]
    logarithmic = len(positive) > 0 and positive.max() > _LOG_RANGE * positive.min()
    name = "reference, nuisances fitted" if marginal.moved else "reference"
    if logarithmic:
        axes.set_yscale("log", nonpositive="clip")
    axes.stairs(
        reference,
        binning.edges,
        color=style.REFERENCE,
        label=f"{name}: {style.format_yield(reference.sum())} (band: its statistical uncertainty)",
    )
    axes.stairs(
        reference + marginal.reference_error,
        binning.edges,
        baseline=reference - marginal.reference_error,
        fill=True,
        color=style.REFERENCE,
        alpha=style.BAND_ALPHA,
        linewidth=0,
    )
    if np.isfinite(marginal.reweighted).all():
        total = style.format_yield(marginal.reweighted.sum())
        axes.stairs(
            marginal.reweighted,
            binning.edges,
            color=style.REWEIGHTED,
            label=f"reference reweighted by the fit: {total}",
        )
    events = f" from {len(data):,} weighted events" if data.is_weighted else " events"
    label = f"data: {style.format_yield(marginal.data.sum())}{events}"
    style.draw_points(
        axes,
        binning.centers,
        marginal.data,
        marginal.data_low,
        marginal.data_high,
        _worth_a_point(marginal),
        label=label,
    )
    _set_range(axes, marginal, logarithmic)
    axes.set_ylabel(binning.per("events", unit))
    style.legend(axes, first="data")
    style.note(axes, _remarks(marginal, logarithmic))


def _worth_a_point(marginal: Marginal) -> np.ndarray:
    """Bins that hold data, or where their absence says something."""
    return (marginal.data != 0) | (marginal.reference >= 0.5)


def _set_range(axes: Axes, marginal: Marginal, logarithmic: bool) -> None:
    """Leaves room for the legend above what is drawn."""
    reweighted = np.nan_to_num(marginal.reweighted)
    highest = max(marginal.data_high.max(), marginal.reference.max(), reweighted.max())
    if logarithmic:
        drawn = np.concatenate([marginal.reference, marginal.data])
        lowest = max(0.4 * drawn[drawn > 0].min(), 1e-8 * highest)
        axes.set_ylim(lowest, highest * max((highest / lowest) ** 0.4, 3))
    else:
        lowest = min(0.0, 1.1 * marginal.data_low.min(), 1.1 * (marginal.reference - marginal.reference_error).min())
        axes.set_ylim(lowest, 1.45 * highest)


def _remarks(marginal: Marginal, logarithmic: bool) -> list[str]:
    sentences = []
    if marginal.data_beyond or marginal.reference_beyond:
        sentences.append(
            style.beyond_the_axis(
                f"{style.format_yield(marginal.data_beyond)} data",
                f"{style.format_yield(marginal.reference_beyond)} reference",
            )
        )
    negative = int((marginal.reference < 0).sum())
    if negative:
        hidden = " and are not drawn" if logarithmic else ""
        sentences.append(f"{negative} bins have a negative expectation{hidden}; no ratio there")
    return sentences


def _draw_ratios(axes: Axes, marginal: Marginal) -> None:
    edges, centers = marginal.binning.edges, marginal.binning.centers
    expected = np.where(marginal.reference > 0, marginal.reference, np.nan)
    ratio, low, high = (y / expected for y in (marginal.data, marginal.data_low, marginal.data_high))
    band, fitted = marginal.reference_error / expected, marginal.reweighted / expected
    axes.axhline(1, color=style.REFERENCE)
    axes.stairs(1 + band, edges, baseline=1 - band, fill=True, color=style.REFERENCE, alpha=style.BAND_ALPHA, lw=0)
    axes.stairs(fitted, edges, color=style.REWEIGHTED, baseline=None)

    shown = _worth_a_point(marginal) & np.isfinite(ratio)
    bottom, top = style.ratio_range(ratio[shown], low[shown], high[shown])
    inside = shown & (ratio <= top) & (ratio >= bottom)
    style.draw_points(axes, centers, ratio, low, high, inside)
    for outside, marker, edge in ((shown & (ratio > top), "^", top), (shown & (ratio < bottom), "v", bottom)):
        axes.plot(centers[outside], np.full(outside.sum(), edge), marker, color=style.DATA, ms=5, clip_on=False)
    axes.set_ylim(bottom, top)
    axes.set_ylabel("ratio to reference", fontsize=style.SMALL)
