"""Null and signal toys in one picture, with the t at which the test reaches given Z-scores."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float64
from matplotlib.figure import Figure

from nplm.plot import style
from nplm.plot.null import draw_density, toys_label
from nplm.stats.empirical import EmpiricalNull
from nplm.stats.null import Null
from nplm.stats.power import THRESHOLDS, PowerAt, signal_power
from nplm.wording.numbers import count
from nplm.wording.standing import kind_text

_COLORS = (style.REWEIGHTED, style.REFERENCE, style.FITTED)
_HEADROOM = 1.7
_LINE = 90


def plot_power(
    null_t: Float64[np.ndarray, " n"],
    signals: Mapping[str, Float64[np.ndarray, " _"]],
    null: Null | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
) -> Figure:
    """Draws the densities of t of null toys and of up to three ensembles with signal, and the thresholds in Z.

    Arguments:
        null_t: t of the null toys, shape (n,); NaN for a failed toy.
        signals: t of toys with signal by name.
        null: what turns t into Z; default: the null toys themselves, counted.
        thresholds: Z-scores; one that the null cannot show is named in a remark instead.

    Raises:
        ValueError: if there is no null toy with a t, no signal, or more than three of them.
    """
    if not 1 <= len(signals) <= len(_COLORS):
        raise ValueError(
            f"the picture of the power takes 1 to {len(_COLORS)} ensembles with signal, not {len(signals)}"
        )
    ensembles = [("null", null_t, style.MUTED)]
    ensembles += [(name, t, color) for (name, t), color in zip(signals.items(), _COLORS, strict=False)]
    for name, t, _ in ensembles:
        if not np.isfinite(t).any():
            raise ValueError(f"none of the toys of '{name}' has a t to be drawn")
    null = null or EmpiricalNull(null_t)
    powers = [signal_power(null, t, thresholds).at for _, t, _ in ensembles[1:]]
    with style.house_style():
        remarks = textwrap.wrap(f"Z: {kind_text(null.kind)}, {null.describe()}", _LINE)
        remarks += textwrap.wrap(_out_of_reach([at for at in powers[0] if at.t is None]), _LINE)
        inches = 4.2 + 0.16 * len(remarks)
        figure = style.new_figure(height=inches)
        axes = figure.add_axes((0.125, 0.55 / inches, 0.845, 3.5 / inches))
        height = end = 0.0
        for number, (name, t, color) in enumerate(ensembles):
            finite = t[np.isfinite(t)]
            reaching = f"\n{_shares(powers[number - 1])}" if number else ""
            height = max(height, draw_density(axes, finite, color, f"{name}: {toys_label(t)}{reaching}"))
            end = max(end, 1.02 * float(finite.max()))
        shown = [i for i, at in enumerate(powers[0]) if at.t is not None and np.isfinite(at.t)]
        end = max([end, *(1.05 * float(powers[0][i].t or 0) for i in shown)])
        axes.set_xlim(0, end)
        axes.set_ylim(0, _HEADROOM * height)
        for i in shown:
            position = float(powers[0][i].t or 0)
            axes.axvline(position, ymax=0.93 / _HEADROOM, color=style.DATA, linewidth=1.0, linestyle=":")
            label = f"Z = {powers[0][i].z:g}"
            axes.text(position, 0.95 * height, label, fontsize=style.SMALL, ha="center", va="bottom", rotation=90)
        axes.set_xlabel("test statistic t")
        axes.set_ylabel("probability density")
        style.note(axes, remarks)
        axes.legend(loc="upper right")
    return figure


def _shares(power_at: Sequence[PowerAt]) -> str:
    """Z ≥ 2: 76%, Z ≥ 3: 44%."""
    known = [f"Z ≥ {at.z:g}: {100 * at.power:.3g}%" for at in power_at if at.power is not None]
    return ", ".join(known) or "no threshold within reach of the null"


def _out_of_reach(unknown: Sequence[PowerAt]) -> str:
    """out of reach of the null: Z = 5 (needs 3,488,555 toys); empty if nothing is."""
    needs = [f"{count(at.needs_toys, 'toy')} needed" if at.needs_toys else "too many failed" for at in unknown]
    names = [f"Z = {at.z:g} ({need})" for at, need in zip(unknown, needs, strict=True)]
    # Lines are broken between thresholds only.
    unbroken = ", ".join(name.replace(" ", "\N{NO-BREAK SPACE}") for name in names)
    return f"out of reach of these null toys: {unbroken}" if names else ""
