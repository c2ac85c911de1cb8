"""One place for the look of all pictures, and how they are saved."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import matplotlib.style
import numpy as np
from jaxtyping import Bool, Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from nplm._util.files import atomic_path
from nplm.plot.labels import label_of
from nplm.plot.mplhep_style import mplhep_settings

# Okabe and Ito's palette: told apart with every common form of colour blindness, and in grey.
DATA = "#000000"
REFERENCE = "#0072B2"
REWEIGHTED = "#D55E00"
FITTED = "#009E73"
MUTED = "#666666"
BAND_ALPHA = 0.3

WIDTH = 6.4
# Of pictures whose letters must be read on a telephone, where all pictures are as wide as its screen.
NARROW = 5.2
DPI = 150
SMALL = 8.5
LONGEST_NAME = 60
# Ratios whose error bars are shorter than this are known; those of usual bins reach no further than that from one.
_KNOWN_RATIO, _USUAL_REACH, _LEAST_REACH, _HIGHEST_RATIO = 0.6, 1.0, 0.1, 10.0

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "text.usetex": False,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "lines.linewidth": 1.5,
    "pdf.fonttype": 42,
}


# The settings of an experiment that pictures are drawn with inside `plot_style`.
_EXPERIMENT: ContextVar[Mapping[str, Any]] = ContextVar("experiment", default=MappingProxyType({}))


@contextmanager
def plot_style(name: str | None) -> Iterator[None]:
    """All pictures that are drawn and saved inside have the fonts, ticks and axes of an experiment.

    Arguments:
        name: a style of mplhep: "CMS", "ATLAS", "LHCb2", "ALICE", ...; None leaves the house's own.

    Raises:
        ValueError: if mplhep is not installed, or has no such style.
    """
    if name is None:
        yield
        return
    token = _EXPERIMENT.set(mplhep_settings(name, WIDTH))
    try:
        yield
    finally:
        _EXPERIMENT.reset(token)


def house_style() -> AbstractContextManager[None]:
    """Matplotlib's defaults with our settings on top, whatever the user's own are; these come back on leaving."""
    return matplotlib.style.context(["default", _STYLE, dict(_EXPERIMENT.get())])


def new_figure(height: float, width: float = WIDTH) -> Figure:
    """A figure of the given height and the house's width (or another) in inches, without pyplot."""
    return Figure(figsize=(width, height), dpi=DPI)


def label_feature(axes: Axes, feature: str, axis: Literal["x", "y"] = "x", longest: int = LONGEST_NAME) -> None:
    """Writes a feature's label, or its name, at an axis as it is: it may hold $, _ or ^ and is not read as mathtext."""
    text = "".join(c if c.isprintable() else " " for c in label_of(feature))
    write = axes.set_xlabel if axis == "x" else axes.set_ylabel
    write(text if len(text) <= longest else text[: longest - 1] + "…", parse_math=False)


def draw_points(
    axes: Axes,
    x: Float64[np.ndarray, " n"],
    y: Float64[np.ndarray, " n"],
    low: Float64[np.ndarray, " n"],
    high: Float64[np.ndarray, " n"],
    shown: Bool[np.ndarray, " n"],
    color: str = DATA,
    label: str | None = None,
) -> None:
    """Draws the points that are to be shown, with error bars from low to high."""
    bars = np.array([y - low, high - y])[:, shown]
    axes.errorbar(
        x[shown], y[shown], yerr=bars, fmt="o", color=color, markersize=3.5, elinewidth=1.0, zorder=3, label=label
    )


def legend(axes: Axes, first: str) -> None:
    """A legend in the upper right, beginning with the entry that starts with a given word."""
    handles, labels = axes.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda i: not labels[i].startswith(first))
    axes.legend([handles[i] for i in order], [labels[i] for i in order], loc="upper right")


def plain_log_ticks(axes: Axes) -> None:
    """Writes numbers such as 5 and 20 at a logarithmic x axis of about a decade, instead of powers of ten."""
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 3.0, 5.0, 7.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def note(axes: Axes, sentences: list[str]) -> None:
    """Writes small remarks above the axes, where no curve can hide them."""
    axes.set_title("\n".join(sentences), loc="left", fontsize=SMALL, color=MUTED, parse_math=False)


def format_yield(value: float) -> str:
    """A number of events for a legend: 1,234,567 or 12.3."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def hatch_outer_bins(axes: Axes, edges: Float64[np.ndarray, " edges"], first: bool, last: bool) -> None:
    """Marks the outer bins that hold events from beyond the axis.

    Arguments:
        axes: of the picture.
        edges: of its bins.
        first, last: which of the two do.
    """
    for marked, low, high in ((first, edges[0], edges[1]), (last, edges[-2], edges[-1])):
        if marked:
            axes.axvspan(low, high, facecolor="none", edgecolor="#9a9a9a", hatch="////", linewidth=0, zorder=0)


def ratio_range(
    ratio: Float64[np.ndarray, " n"],
    low: Float64[np.ndarray, " n"],
    high: Float64[np.ndarray, " n"],
    leading: Bool[np.ndarray, " n"] | None = None,
) -> tuple[float, float]:
    """A range around one that shows the ratios that are known, or that are far from one, with their error bars.

    A bin of few events would stretch the range until nothing else is seen: it may leave it. A bin that three errors
    tell from one may not, as it is what there is to see, nor one where the samples differ most.

    Arguments:
        ratio, low, high: of the bins that are drawn, with the ends of their error bars.
        leading: which bins lie where the samples differ most.
    """
    known = (high - low) < _KNOWN_RATIO
    far = ((low - 1) > 2 * (ratio - low)) | ((1 - high) > 2 * (high - ratio))
    if leading is not None:
        far |= leading
    up = np.concatenate([high[far], np.minimum(high, 1 + _USUAL_REACH)[known]])
    highest = float(np.max(up, initial=1 + _LEAST_REACH))
    lowest = float(np.min(low[known | far], initial=1 - _LEAST_REACH))
    return max(0.0, 1 - 1.1 * (1 - lowest)), 1 + 1.1 * (min(highest, _HIGHEST_RATIO) - 1)


def beyond_the_axis(data: str, reference: str) -> str:
    """The remark that outer bins hold events from beyond the axis, short enough for the width of a picture."""
    return f"hatched: with {data} and {reference} from beyond the axis"


def save_figure(figure: Figure, stem: Path) -> tuple[Path, Path]:
    """Writes STEM.png and STEM.pdf, each whole or not at all; the same figure gives the same bytes.

    Returns:
        The paths of the PNG and of the PDF.
    """
    # Dates and version strings would make two identical runs differ.
    metadata: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "pdf": {"Creator": None, "Producer": None, "CreationDate": None},
    }
    paths = []
    with house_style(), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the report shows it in full.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        for suffix, tags in metadata.items():
            path = stem.with_name(f"{stem.name}.{suffix}")
            with atomic_path(path) as temporary:
                figure.savefig(temporary, format=suffix, metadata=tags)
            paths.append(path)
    return paths[0], paths[1]
