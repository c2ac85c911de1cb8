"""The distribution of the fitted log-ratio over the events of data and reference."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nplm.data.binning import common_binning, fill
from nplm.data.sample import Sample
from nplm.hypotest.result import Result
from nplm.hypotest.reweighting import expected_weights, reference_log_ratio
from nplm.plot import style
from nplm.statistic import LikelihoodRatio


def plot_log_ratio(
    test: LikelihoodRatio, data: Sample, result: Result, *, log_ratio: Float64[np.ndarray, " n"] | None = None
) -> Figure:
    """Draws how f is distributed over the data and over the reference scaled to the data's yield, on a log axis.

    Events with f = -inf (in bins of the histogram model that hold no data) have no place on the axis; their
    number is stated.

    Arguments:
        test: holds the reference.
        data: the tested sample.
        result: of that test.
        log_ratio: f at each reference event, shape (n,), if it is known already.
    """
    f_reference = reference_log_ratio(test, result) if log_ratio is None else log_ratio
    # With nuisances the weights add up to the yield that was fitted, not to the expected one.
    expected = expected_weights(test, result)
    weights = expected * (result.observed_yield / expected.sum())
    with style.house_style():
        figure = style.new_figure(height=4.2)
        axes = figure.add_axes((0.125, 0.13, 0.845, 0.79))
        axes.set_xlabel("log-ratio f(x) = log (fitted data density / reference density)")
        in_data, in_reference = np.isfinite(result.log_ratio), np.isfinite(f_reference)
        if in_data.any() and np.any(weights[in_reference] != 0):
            _draw(
                axes, result.log_ratio[in_data], data.select(in_data), f_reference[in_reference], weights[in_reference]
            )
        else:
            why = "the fit failed: there is no log-ratio" if len(data) else "there are no data, so f is shown of none"
            axes.text(0.5, 0.5, why, ha="center", transform=axes.transAxes)
        empty_data, empty_reference = np.isneginf(result.log_ratio), np.isneginf(f_reference)
        if empty_data.any() or empty_reference.any():
            lost = style.format_yield(float(weights[empty_reference].sum()))
            sentence = f"f = -inf, as no data are there: {empty_data.sum():,} data events, {lost} of the reference"
            style.note(axes, [*filter(None, [axes.get_title(loc="left")]), f"{sentence} (not shown)"])
    return figure


def _draw(axes: Axes, f_data: np.ndarray, data: Sample, f_reference: np.ndarray, weights: np.ndarray) -> None:
    binning = common_binning(f_data, f_reference, weights, data.effective_size, all_data=True)
    observed, low, high = fill(binning, f_data, data.weights)
    reference, _, _ = fill(binning, f_reference, weights)
    axes.set_yscale("log", nonpositive="clip")
    filled = observed > 0
    total = style.format_yield(data.total_weight)
    style.draw_points(axes, binning.centers, observed, low, high, filled, label=f"data: {total}")
    axes.stairs(
        reference,
        binning.edges,
        color=style.REFERENCE,
        label=f"reference, scaled to the data's yield: {style.format_yield(reference.sum())}",
    )
    axes.axvline(0, ymax=0.74, color=style.MUTED, linestyle=":", linewidth=1)
    drawn = np.concatenate([reference[reference > 0], observed[filled]])
    # At least two decades, at most eight, and room for the legend above.
    lowest = np.clip(0.4 * drawn.min(), 1e-8 * drawn.max(), 1e-2 * drawn.max())
    axes.set_ylim(lowest, drawn.max() * (drawn.max() / lowest) ** 0.35)
    axes.set_xlim(binning.edges[0], binning.edges[-1])
    axes.set_ylabel(binning.unit)
    style.legend(axes, first="data")
    beyond_data = float(data.weights[binning.beyond(f_data)].sum())
    beyond_reference = float(weights[binning.beyond(f_reference)].sum())
    if beyond_data or beyond_reference:
        style.note(
            axes,
            [
                style.beyond_the_axis(
                    f"{style.format_yield(beyond_data)} data", f"{style.format_yield(beyond_reference)} reference"
                )
            ],
        )
        both = np.concatenate([f_data, f_reference])
        below, above = bool((both < binning.edges[0]).any()), bool((both > binning.edges[-1]).any())
        style.hatch_outer_bins(axes, binning.edges, below, above)
