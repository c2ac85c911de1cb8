"""Pictures of many comparisons: the matrix of Z-scores, and Z against the number of events."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from nplm.plot import style
from nplm.plot.two_sample import short_name
from nplm.two_sample.matrix import TwoSampleMatrix
from nplm.two_sample.matrix_text import NO_LIMIT
from nplm.two_sample.sweep import TwoSampleSweep
from nplm.wording.numbers import LARGEST_Z

# Z-scores beyond this have the strongest colour.
_STRONGEST = 5.0
# An extrapolation to more than this many times the largest size is not drawn.
_FARTHEST = 5.0


def plot_two_sample_matrix(matrix: TwoSampleMatrix) -> Figure:
    """Draws the Z of each pair, after the correction for their number: limits have a sign >, and p = 1 is < 0."""
    names = [short_name(name) for name in matrix.names]
    size = len(names)
    with style.house_style():
        figure = style.new_figure(height=max(3.4, 1.6 + 0.55 * size))
        axes = figure.subplots()
        z = np.clip(matrix.z, 0, _STRONGEST)
        image = axes.imshow(np.ma.masked_invalid(z), cmap="Oranges", vmin=0, vmax=_STRONGEST, aspect="auto")
        for (first, second), result in matrix.results.items():
            i, j = matrix.names.index(first), matrix.names.index(second)
            text = _cell(float(matrix.z[i, j]), result.calibration.limit)
            color = "white" if z[i, j] > 0.6 * _STRONGEST else "black"
            for row, column in ((i, j), (j, i)):
                axes.text(column, row, text, ha="center", va="center", color=color)
        axes.set_xticks(range(size), names, rotation=25, ha="right", parse_math=False)
        axes.set_yticks(range(size), names, parse_math=False)
        axes.tick_params(length=0)
        figure.colorbar(image, ax=axes, label="adjusted Z", extend="max")
        figure.tight_layout()
    return figure


def _cell(z: float, limit: bool) -> str:
    """Z = -inf belongs to p = 1, and is no limit of anything."""
    if np.isneginf(z):
        return NO_LIMIT if limit else "< 0"
    # What rounds to zero has no sign.
    return f"{'> ' * (limit or z > LARGEST_Z)}{round(min(z, LARGEST_Z), 1) + 0.0:.1f}"


def plot_two_sample_sweep(sweep: TwoSampleSweep) -> Figure:
    """Draws the median Z of subsamples with its band against their size, and the levels to be reached."""
    with style.house_style():
        figure = style.new_figure(height=3.8)
        axes = figure.add_axes((0.1, 0.15, 0.87, 0.82))
        low, high = sweep.band
        axes.fill_between(
            sweep.sizes, low, high, color=style.REFERENCE, alpha=style.BAND_ALPHA, linewidth=0, label="16% to 84%"
        )
        axes.plot(sweep.sizes, sweep.median, "o-", color=style.REFERENCE, markersize=4, label="median of subsamples")
        for crossing in sweep.crossings:
            axes.axhline(crossing.level, color=style.MUTED, linestyle=":", linewidth=1)
            if crossing.events is not None and crossing.kind == "interpolated":
                axes.plot(crossing.events, crossing.level, "D", color=style.REWEIGHTED, markersize=6, zorder=4)
        last, z = sweep.sizes[-1], float(sweep.median[-1])
        ends = [(c.events, c.level) for c in sweep.crossings if c.kind == "extrapolated" and c.events is not None]
        beyond = [(events, level) for events, level in ends if events < _FARTHEST * last]
        if beyond:
            n = np.geomspace(last, max(beyond)[0], 50)
            axes.plot(n, z * np.sqrt(n / last), "--", color=style.REFERENCE, label="extrapolated")
            x, y = zip(*beyond, strict=True)
            axes.plot(x, y, "D", markerfacecolor="white", color=style.REWEIGHTED, markersize=6)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        low_end, high_end = axes.get_ylim()
        axes.set_ylim(low_end, high_end + 0.25 * (high_end - low_end))
        axes.set_xlabel("events of each sample")
        axes.set_ylabel("Z")
        axes.legend(loc="upper left")
    return figure
