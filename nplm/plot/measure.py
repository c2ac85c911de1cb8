"""Pictures of a measurement: contours of two parameters, pulls and impacts of nuisances, and data beside the fit."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nplm.data.sample import Sample
from nplm.measure.result import MeasureResult
from nplm.plot import style
from nplm.plot.two_sample import plot_two_sample_bins
from nplm.plot.two_sample_bins import fill_two_samples

# Nuisances that one picture holds, those of the largest impact.
MOST_DRAWN = 30
_ROW, _HEAD, _FOOT = 0.3, 0.62, 0.62
_LINES = ("-", "--", "-.", ":")


def plot_contours(result: MeasureResult, first: str, second: str) -> Figure:
    """Draws the contours of two parameters at all levels, the fit, and the reference as given.

    Arguments:
        result: of the measurement.
        first, second: the parameters.

    Raises:
        ValueError: if the result has no contours of them.
    """
    found = [each for each in result.contours if set(each.names) == {first, second}]
    if not found:
        pairs = ", ".join(sorted({" and ".join(each.names) for each in result.contours})) or "none"
        raise ValueError(f"there are no contours of {first} and {second}: there are those of {pairs}")
    with style.house_style():
        figure = style.new_figure(height=4.4, width=style.NARROW)
        axes = figure.add_axes((0.17, 0.14, 0.8, 0.83))
        for each, line in zip(sorted(found, key=lambda c: c.level), _LINES * len(found), strict=False):
            points = each.points if each.names == (first, second) else each.points[:, ::-1]
            axes.plot(points[:, 0], points[:, 1], line, color=style.FITTED, label=f"{100 * each.level:.3g}%")
        axes.plot(result[first], result[second], "+", color=style.DATA, markersize=10, label="fit")
        axes.plot(0, 0, "o", color=style.REFERENCE, markersize=5, fillstyle="none", label="reference as given")
        axes.margins(0.08, 0.22)
        style.label_feature(axes, first)
        style.label_feature(axes, second, axis="y")
        axes.legend(loc="upper right", ncols=2)
    return figure


def plot_measured_pulls(result: MeasureResult) -> Figure:
    """Draws (nu - measured) / sigma of each nuisance with its error, and its impact on each parameter of interest.

    Impacts are in units of the error of the parameter; nuisances of the largest are on top, or those of the largest
    pull where no parameter is measured.

    Raises:
        ValueError: if there is no nuisance.
    """
    k = result.of_interest
    names = result.names[k:]
    if not names:
        raise ValueError("the measurement has no nuisance whose pull could be drawn")
    order = result.order_of_nuisances[:MOST_DRAWN]
    height = _HEAD + _FOOT + _ROW * len(order)
    left = 0.03 + 0.0142 * min(22, max(len(names[j]) for j in order))
    bottom, top = _FOOT / height, 1 - _HEAD / height
    rows = np.arange(len(order))
    with style.house_style():
        figure = style.new_figure(height)
        pulls = figure.add_axes((left, bottom, (0.6 if k else 0.97) - left, top - bottom))
        centre, sigma = np.nan_to_num(result.measured), result.sigma
        values, errors = (result.values[k:] - centre) / sigma, result.errors[k:] / sigma
        pulls.axvspan(-1, 1, color=style.MUTED, alpha=0.18, linewidth=0, label="constraint")
        pulls.axvline(0, color=style.MUTED, linewidth=0.8)
        pulls.errorbar(values[order], rows, xerr=errors[order], fmt="o", color=style.DATA, markersize=4, label="fitted")
        reach = max(2.0, 1.1 * float((np.abs(values) + errors)[order].max()))
        pulls.set_xlim(-reach, reach)
        pulls.set_yticks(rows, [_short(names[j]) for j in order])
        pulls.set_ylim(len(order) - 0.5, -0.5)
        pulls.set_xlabel("pull")
        pulls.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
        if k:
            _draw_impacts(figure.add_axes((0.64, bottom, 0.33, top - bottom)), result, order)
        if len(order) < len(names):
            style.note(pulls, [f"the {len(order)} of {len(names)} nuisances of largest impact"])
    return figure


def plot_fitted_feature(fitted: Sample, data: Sample, feature: str) -> Figure:
    """Draws the data and the fitted model in bins of one feature, and their ratio.

    Arguments:
        fitted: the reference reweighted to the fit, `Measurement.fitted_reference`.
        data: the data.
        feature: its name.

    Raises:
        ValueError: if there is no such feature.
    """
    if feature not in fitted.features:
        raise ValueError(f"there is no feature '{feature}': choose {', '.join(fitted.features)}")
    bins = fill_two_samples(fitted, data, feature, yields=True)
    return plot_two_sample_bins(bins, feature, ("fitted model", "data"), yields=True, expected="fit")


def _short(name: str) -> str:
    text = "".join(c if c.isprintable() else " " for c in name)
    return text if len(text) <= 22 else f"{text[:19]}..."


def _draw_impacts(impacts: Axes, result: MeasureResult, order: Int64[np.ndarray, " m"]) -> None:
    k, rows = result.of_interest, np.arange(len(order))
    relative = result.impact / result.errors[:k, None]
    impacts.axvline(0, color=style.MUTED, linewidth=0.8)
    colours = (style.REFERENCE, style.REWEIGHTED, style.FITTED, style.MUTED)
    drawn = min(k, len(colours))
    width = 0.8 / drawn
    for i in range(drawn):
        at = rows + (i - (drawn - 1) / 2) * width
        impacts.barh(at, relative[i, order], width, color=colours[i], label=_short(result.names[i]))
    impacts.set_yticks(rows, [""] * len(rows))
    impacts.set_ylim(len(order) - 0.5, -0.5)
    impacts.set_xlabel("impact / error")
    impacts.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
