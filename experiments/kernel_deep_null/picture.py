"""p-values of toys over that of the asymptotic null, against its depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from nplm.plot import style

_COLORS = (style.REFERENCE, style.REWEIGHTED, style.FITTED)
_SHIFT = 0.12


@dataclass(frozen=True)
class Ratio:
    """What toys say of one problem at one depth.

    Arguments:
        problem: which one.
        z: the depth by the asymptotic null.
        counted: whether the toys were counted, or are weighted toys with weights.
        ratio: p over that of the asymptotic null.
        error: its standard error.
    """

    problem: str
    z: float
    counted: bool
    ratio: float
    error: float


def draw(ratios: Sequence[Ratio]) -> Figure:
    """A point for each; problems side by side at each depth, counted toys before weighted ones."""
    problems = list(dict.fromkeys(at.problem for at in ratios))
    with style.house_style():
        figure = style.new_figure(height=3.9)
        axes = figure.add_axes((0.11, 0.135, 0.865, 0.835))
        axes.axhline(1, color=style.DATA, linestyle="--", linewidth=1)
        for number, (problem, color) in enumerate(zip(problems, _COLORS, strict=False)):
            middle = _SHIFT * 2 * (number - (len(problems) - 1) / 2)
            for counted in (True, False):
                mine = [at for at in ratios if at.problem == problem and at.counted == counted]
                if not mine:
                    continue
                x = [at.z + middle + (-0.25 if counted else 0.25) * _SHIFT for at in mine]
                face, label = (color, "counted toys") if counted else ("white", "weighted toys")
                axes.errorbar(
                    x,
                    [at.ratio for at in mine],
                    [at.error for at in mine],
                    fmt="o" if counted else "s",
                    markersize=5,
                    color=color,
                    markerfacecolor=face,
                    label=f"{problem}: {label}",
                )
        largest = max(at.ratio + at.error for at in ratios)
        least = min(at.ratio - at.error for at in ratios)
        axes.set_ylim(min(0.5, least - 0.1), 1 + 1.9 * max(0.3, largest - 1))
        depths = sorted({at.z for at in ratios})
        axes.set_xlim(depths[0] - 0.5, depths[-1] + 0.5)
        axes.set_xticks(depths)
        axes.set_xlabel("Z by the asymptotic null")
        axes.set_ylabel("p of toys / asymptotic null")
        axes.legend(loc="upper left", ncols=2)
    return figure
