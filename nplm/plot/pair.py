"""Two features of data and reference: where the data depart from it, and what the fit makes of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from nplm.localization.comparison import Comparison
from nplm.localization.pairs import PairMap, fill_pair
from nplm.localization.region import Region
from nplm.plot import style

# Red for too many, blue for too few: told apart with every common form of colour blindness.
_COLOURS = "RdBu_r"
# The colours of the pulls end between these.
_LEAST_PULL, _MOST_PULL = 3.0, 5.0
# Names at axes that are half as wide as usual.
_LONGEST_NAME = 28
_LINES = {"excess": "-", "deficit": "--"}


def plot_pair(comparison: Comparison, first: str, second: str, regions: Sequence[Region] = ()) -> Figure:
    """Draws (data - reference) / error, and beside it reference x (e^f - 1), in bins of two features.

    Arguments:
        comparison: the samples, with f at their events.
        first, second: names of the features, on the x and on the y axis.
        regions: whose bounds in these two features are drawn.

    Raises:
        ValueError: if there is no such feature, or both are the same.
    """
    pair = fill_pair(comparison, first, second)
    with style.house_style():
        figure = style.new_figure(height=4.3)
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        figure.subplots_adjust(left=0.115, right=0.975, top=0.91, bottom=0.28, wspace=0.1)
        reach = float(np.clip(np.nanmax(np.abs(pair.pull), initial=0.0), _LEAST_PULL, _MOST_PULL))
        _draw(figure, left, pair, pair.pull, reach, "(data - reference) / error")
        difference = np.where(np.isnan(pair.pull), np.nan, pair.difference)
        largest = float(np.nanmax(np.abs(difference), initial=0.0)) or 1.0
        _draw(figure, right, pair, difference, largest, "reference x (exp(f) - 1), events / bin")
        left.set_title("what the data show", fontsize=style.SMALL, loc="left")
        right.set_title("what the fit sees", fontsize=style.SMALL, loc="left")
        for axes in (left, right):
            for region in regions:
                _outline(axes, pair, region)
            for scale, binning in zip((axes.set_xscale, axes.set_yscale), pair.binnings, strict=True):
                if binning.logarithmic:
                    scale("log")
            axes.set_xlim(pair.binnings[0].edges[[0, -1]])
            axes.set_ylim(pair.binnings[1].edges[[0, -1]])
            style.label_feature(axes, first, longest=_LONGEST_NAME)
        style.label_feature(left, second, "y", longest=_LONGEST_NAME)
    return figure


def _draw(
    figure: Figure, axes: Axes, pair: PairMap, values: Float64[np.ndarray, "a b"], reach: float, label: str
) -> None:
    a, b = pair.binnings
    axes.set_facecolor("#dddddd")
    image = axes.pcolormesh(
        a.edges, b.edges, np.ma.masked_invalid(values.T), cmap=_COLOURS, vmin=-reach, vmax=reach, rasterized=True
    )
    beyond = "both" if np.nanmax(np.abs(values), initial=0.0) > reach * (1 + 1e-9) else "neither"
    box = axes.get_position()
    bar = figure.add_axes((box.x0, 0.115, box.width, 0.03))
    figure.colorbar(image, cax=bar, orientation="horizontal", extend=beyond)
    bar.tick_params(labelsize=style.SMALL, top=False)
    bar.set_xlabel(label, fontsize=style.SMALL)


def _outline(axes: Axes, pair: PairMap, region: Region) -> None:
    """The region's bounds in these features, if it has any here."""
    columns = [region.features.index(name) for name in pair.features]
    low, high = region.box.low[columns], region.box.high[columns]
    if not (np.isfinite(low).any() or np.isfinite(high).any()):
        return
    corners = []
    for edges, below, above in zip((b.edges for b in pair.binnings), low, high, strict=True):
        corners.append(np.clip([below, above], edges[0], edges[-1]))
    (x0, x1), (y0, y1) = corners
    axes.add_patch(
        Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, linestyle=_LINES[region.kind], linewidth=1.3, clip_on=False)
    )
