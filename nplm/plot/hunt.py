"""Pictures of a bump hunt: the spectrum with its smooth fit, p-values of all windows, and a window in one feature."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator
from scipy.special import ndtr

from nplm.data.sample import Sample
from nplm.hunt.expectation import window_and_expectation
from nplm.hunt.result import HuntResult
from nplm.plot import style
from nplm.plot.labels import unit_of
from nplm.plot.two_sample import plot_two_sample_bins
from nplm.plot.two_sample_bins import fill_two_samples

# Points of the spectrum, one for each resolution, at most.
_MOST_POINTS = 120
_LOG_RANGE = 30.0
_SMALLEST_LOG_P = -690.0


def plot_hunt_spectrum(result: HuntResult, *, leading: bool = True) -> Figure:
    """Draws the spectrum of the resonant feature, the smooth fit and the pulls below; shades the leading window.

    Arguments:
        result: of the hunt.
        leading: whether to shade the window that leads.
    """
    spectrum = result.spectrum
    merged = _merge(result)
    first = np.arange(0, len(spectrum.observed), merged)
    observed, expected = (np.add.reduceat(x, first) for x in (spectrum.observed, spectrum.expected))
    at = np.append(spectrum.edges[first], spectrum.edges[-1])
    width = merged * float(np.median(np.diff(spectrum.edges)))
    widths = np.diff(at) / width
    centre = (at[1:] + at[:-1]) / 2
    scale = spectrum.unit / widths
    error = np.sqrt(np.maximum(observed, 1.0))
    with style.house_style():
        figure = style.new_figure(height=4.6, width=style.NARROW)
        top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.2))
        figure.subplots_adjust(left=0.15, right=0.97, top=0.95, bottom=0.115, hspace=0.06)
        top.stairs(expected * scale, at, color=style.REFERENCE, label="smooth fit")
        shown = np.ones(len(observed), dtype=bool)
        points = observed * scale
        style.draw_points(top, centre, points, points - error * scale, points + error * scale, shown, label="data")
        positive = np.concatenate([points[points > 0], (expected * scale)[expected > 0]])
        if positive.max() > _LOG_RANGE * positive.min():
            top.set_yscale("log", nonpositive="clip")
            top.set_ylim(0.5 * positive.min(), 4 * positive.max())
        else:
            top.set_ylim(0, 1.35 * positive.max())
        name = result.resonance
        unit = unit_of(name)
        top.set_ylabel(f"events / {width:.3g}{f' {unit}' if unit else ''}")
        pull = (observed - expected) / np.sqrt(np.maximum(expected, 1.0))
        bottom.axhline(0, color=style.REFERENCE)
        bottom.bar(centre, pull, np.diff(at), color=style.DATA, alpha=0.55)
        reach = max(3.0, 1.15 * float(np.abs(pull).max()))
        bottom.set_ylim(-reach, reach)
        bottom.set_ylabel("pull", fontsize=style.SMALL)
        if leading:
            for number, axes in enumerate((top, bottom)):
                _shade(axes, result, "leading window" if number == 0 else None)
        top.legend(loc="upper right")
        bottom.set_xlim(at[0], at[-1])
        style.label_feature(bottom, name)
        figure.align_ylabels()
    return figure


def plot_hunt_scan(result: HuntResult) -> Figure:
    """Draws the local p-value of each window, that of the other features (smallest of all kernels) and of the spectrum.

    Lines show p of one-sided Z-scores. With one window there are two points.
    """
    windows, features = result.windows, result.in_features.local.min(axis=1)
    # A log axis has an end where a float64 has one.
    rows = [np.exp(np.maximum(x, _SMALLEST_LOG_P)) for x in (features, result.in_spectrum.local)]
    marker = "o" if len(windows) < 2 else ""
    with style.house_style():
        figure = style.new_figure(height=3.6, width=style.NARROW)
        axes = figure.add_axes((0.16, 0.15, 0.71, 0.82))
        axes.plot(windows.centre, rows[0], marker=marker, color=style.REWEIGHTED, label="other features")
        axes.plot(windows.centre, rows[1], "--", marker=marker, color=style.REFERENCE, label="spectrum")
        lowest = min(float(row.min()) for row in rows)
        axes.set_yscale("log")
        axes.set_ylim(min(1e-4, lowest / 8), 60)
        axes.yaxis.set_major_locator(LogLocator(numticks=8))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda p, _: "" if p > 1 else "1" if p == 1 else f"{p:.0e}"))
        z = 1
        while (p := float(ndtr(-z))) > axes.get_ylim()[0]:
            axes.axhline(p, color=style.MUTED, linestyle=":", linewidth=0.8)
            if z <= 5 or z % 5 == 0:
                axes.text(1.01, p, f"Z = {z}", transform=axes.get_yaxis_transform(), fontsize=style.SMALL, va="center")
            z += 1 if z < 5 else 5
        axes.set_ylabel("local p-value")
        axes.legend(loc="upper right", ncols=2)
        style.label_feature(axes, result.resonance)
    return figure


def plot_hunt_feature(result: HuntResult, sample: Sample, feature: str, window: int | None = None) -> Figure:
    """Draws one feature of the events in a window, and what the smooth background has there.

    Arguments:
        result: of the hunt.
        sample: the events that were looked at.
        feature: one of the other features.
        window: its number. Default: that which leads.

    Raises:
        ValueError: if there is no such feature, or the sample is another.
    """
    if feature not in result.features:
        raise ValueError(f"there is no feature '{feature}': choose {', '.join(result.features)}")
    inside, expected = window_and_expectation(result, sample, result.leading_window if window is None else window)
    return plot_window(inside, expected, feature)


def plot_window(inside: Sample, expected: Sample, feature: str) -> Figure:
    """The same of what `window_and_expectation` gives, once for all features."""
    bins = fill_two_samples(expected, inside, feature, yields=True)
    return plot_two_sample_bins(
        bins, feature, ("smooth background", "data in the window"), yields=True, expected="smooth"
    )


def _merge(result: HuntResult) -> int:
    """How many of the fine bins make one that is drawn."""
    edges = result.spectrum.edges
    wanted = max(float(result.windows.sigma.min()), (edges[-1] - edges[0]) / _MOST_POINTS)
    return max(1, round(wanted / float(np.median(np.diff(edges)))))


def _shade(axes: Axes, result: HuntResult, label: str | None) -> None:
    low, high = result.windows.ends(result.leading_window)
    axes.axvspan(low, high, color=style.REWEIGHTED, alpha=0.15, linewidth=0, zorder=0, label=label)
