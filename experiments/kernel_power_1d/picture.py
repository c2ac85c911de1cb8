"""Median Z and power of the three signals by width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nplm.plot import style

_COLORS = (style.REFERENCE, style.REWEIGHTED, style.FITTED)
_SHIFT = 0.09


@dataclass(frozen=True)
class Point:
    """One signal in one test.

    Arguments:
        name: the width, or what combines several.
        signal: which signal.
        median: median Z by counted null toys, and its error; None where it is beyond them.
        asymptotic: the same by the asymptotic null.
        power: P(Z >= 3) and its error.
        ideal: median Z of the test that knows the signal.
    """

    name: str
    signal: str
    median: tuple[float, float] | None
    asymptotic: float
    power: tuple[float, float]
    ideal: float


def draw(points: Sequence[Point]) -> Figure:
    """Median Z above, P(Z >= 3) below; the last of the tests, which combines the others, stands apart."""
    names = list(dict.fromkeys(point.name for point in points))
    signals = list(dict.fromkeys(point.signal for point in points))
    with style.house_style():
        figure = style.new_figure(height=6.4)
        upper = figure.add_axes((0.105, 0.485, 0.87, 0.48))
        lower = figure.add_axes((0.105, 0.085, 0.87, 0.36), sharex=upper)
        for number, (signal, color) in enumerate(zip(signals, _COLORS, strict=True)):
            mine = [point for point in points if point.signal == signal]
            _draw_signal(upper, lower, mine, color, _SHIFT * (number - 1))
        for axes, height in ((upper, 0.75), (lower, 1.0)):
            axes.axvline(len(names) - 1.5, ymax=height, color=style.MUTED, linewidth=0.8)
            axes.tick_params(axis="x", which="both", top=False)
        upper.plot([], [], "o", color=style.MUTED, label="by counted null toys")
        upper.plot(
            [], [], "o", color=style.MUTED, markerfacecolor="white", label="by the asymptotic null (beyond these)"
        )
        upper.plot([], [], color=style.MUTED, linestyle=":", label="test that knows the signal")
        upper.set_ylim(-0.3, 1.55 * max(point.ideal for point in points))
        upper.legend(loc="upper center", ncols=2)
        upper.set_ylabel("median Z")
        upper.tick_params(labelbottom=False)
        lower.set_ylim(-0.04, 1.04)
        lower.set_ylabel("P(Z ≥ 3)")
        lower.set_xlim(-0.5, len(names) - 0.5)
        lower.set_xticks(range(len(names)), names)
        lower.set_xlabel("width of the kernels")
        figure.align_ylabels([upper, lower])
    return figure


def _draw_signal(upper: Axes, lower: Axes, points: Sequence[Point], color: str, shift: float) -> None:
    x = [number + shift for number in range(len(points))]
    z = [point.asymptotic if point.median is None else point.median[0] for point in points]
    upper.axhline(points[0].ideal, color=color, linestyle=":", linewidth=1)
    upper.plot(x[:-1], z[:-1], color=color, label=points[0].signal)
    for at, point, value in zip(x, points, z, strict=True):
        error = None if point.median is None else point.median[1]
        face = "white" if point.median is None else color
        upper.errorbar(at, value, error, fmt="o", markersize=5, color=color, markerfacecolor=face)
    power, error_of_power = zip(*(point.power for point in points), strict=True)
    lower.plot(x[:-1], power[:-1], color=color)
    lower.errorbar(x, power, error_of_power, fmt="o", markersize=5, color=color)
