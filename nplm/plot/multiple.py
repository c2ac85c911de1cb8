"""The Z-scores of several tests of the same data, and the global one."""

from __future__ import annotations

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nplm.hypotest.multiple_result import MultipleResult
from nplm.plot import style
from nplm.wording.numbers import p_text, printable, z_text
from nplm.wording.standing import kind_text

_LINE = 90
# Beyond this Z-score the scale is cut: it is infinite where a p-value underflows.
_LARGEST = 38.0
_LONGEST = 24


def plot_multiple(result: MultipleResult) -> Figure:
    """Draws the local Z of each test, against the width if all are kernels, and the global Z with its interval."""
    found = result.global_p
    widths = _widths(result)
    z = np.clip([test.z for test in result.tests], -_LARGEST, _LARGEST)
    with style.house_style():
        remarks = textwrap.wrap(
            f"global: {result.combination.describe()}; {kind_text(found.kind)}, {found.null}", _LINE
        )
        inches = 4.0 + 0.16 * len(remarks)
        figure = style.new_figure(height=inches)
        axes = figure.add_axes((0.1, 0.6 / inches, 0.87, 3.2 / inches))
        x = _scale(axes, result, widths)
        _draw_global(axes, result)
        intervals = [test.z_interval or (value, value) for test, value in zip(result.tests, z, strict=True)]
        low, high = np.clip(np.array(intervals).T, -_LARGEST, _LARGEST)
        # The upper end of a limit is open: an arrow, and no bar.
        limits = np.array([np.isinf(interval[1]) for interval in intervals])
        bars = np.array([z - low, np.where(limits, 0.0, high - z)]).clip(0)
        axes.errorbar(
            x, z, yerr=bars, fmt="o", markersize=5, color=style.REFERENCE, label="each test by itself", zorder=3
        )
        if limits.any():
            axes.plot(x[limits], z[limits] + 0.12, "^", markersize=6, color=style.REFERENCE, zorder=3)
        if widths is not None:
            axes.plot(x, z, color=style.REFERENCE, linewidth=0.8, alpha=0.5)
        ends = [0.0, *z.tolist(), min(found.z, _LARGEST)]
        span = max(ends) - min(ends) or 1.0
        axes.set_ylim(min(ends) - 0.15 * span, max(ends) + 0.45 * span)
        axes.axhline(0, color=style.MUTED, linewidth=0.6)
        axes.set_ylabel("Z")
        style.note(axes, remarks)
        axes.legend(loc="upper left", ncols=2)
    return figure


def _widths(result: MultipleResult) -> np.ndarray | None:
    """The widths of the kernels as they were asked for; None if a test is of another model or chose its own."""
    widths = [settings["model"].get("width") for settings in result.configuration["tests"]]
    return None if None in widths or len(set(widths)) < len(widths) else np.array(widths, dtype=np.float64)


def _scale(axes: Axes, result: MultipleResult, widths: np.ndarray | None) -> np.ndarray:
    """Sets the x axis up, and says where the tests stand on it."""
    if widths is None:
        names = [printable(name) for name in result.names]
        shown = [name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for name in names]
        axes.set_xticks(np.arange(len(names)), shown, rotation=20 if len(names) > 4 else 0, parse_math=False)
        axes.set_xlim(-0.5, len(names) - 0.5)
        return np.arange(len(names), dtype=np.float64)
    axes.set_xscale("log")
    axes.set_xticks(widths, [f"{width:g}" for width in widths])
    axes.set_xticks([], minor=True)
    axes.set_xlim(widths.min() / 1.5, widths.max() * 1.5)
    axes.set_xlabel("width of the kernels")
    return widths


def _draw_global(axes: Axes, result: MultipleResult) -> None:
    found = result.global_p
    z = min(found.z, _LARGEST)
    label = f"all together: {z_text(found.z)}, {p_text(found.p_value)}"
    axes.axhline(z, color=style.REWEIGHTED, linewidth=1.2, label=label)
    low, high = np.clip(found.z_interval, -_LARGEST, _LARGEST)
    if np.isfinite(found.z_interval[1]):
        axes.axhspan(float(low), float(high), color=style.REWEIGHTED, alpha=style.BAND_ALPHA, linewidth=0)
