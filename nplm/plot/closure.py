"""Z of injected signals against their size, next to the best test."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from nplm.plot import style
from nplm.sensitivity.closures import Closure
from nplm.sensitivity.null_check import LEVEL, NullCheck


def plot_closure(found: Closure) -> Figure:
    """Draws the median Z of toys with their 68% band, the asymptotic one of a kernel model, and the best test's Z."""
    order = sorted(found.at, key=lambda at: at.events)
    n = np.array([at.events for at in order])
    powers = [at.sampled for at in order]
    with style.house_style():
        figure = style.new_figure(height=4.4)
        axes = figure.add_axes((0.105, 0.125, 0.865, 0.775))
        if found.best is not None:
            z = np.array([at.ideal_z for at in order], dtype=np.float64)
            spread = np.array([at.ideal_spread for at in order], dtype=np.float64)
            known = found.best.kind == "known"
            label = "best test (knows the signal)" if known else "classifier (learned the signal from half of it)"
            if found.nuisances_known:
                label = f"{label[:-1]}; nuisances known)"
            axes.plot(n, z, color=style.REWEIGHTED, marker="s", markersize=3.5, label=label)
            if spread.any():
                axes.fill_between(n, z - spread, z + spread, color=style.REWEIGHTED, alpha=style.BAND_ALPHA, lw=0)
        if order[0].expected_z is not None:
            form = [at.expected_z if at.expected_z is not None else np.nan for at in order]
            axes.plot(n, form, color=style.REFERENCE, linestyle="--", label="this test, asymptotic")
        middle = np.array([p.median_z for p in powers])
        band = np.array([p.band for p in powers])
        shown = np.isfinite(middle) & np.isfinite(band).all(axis=1)
        label = f"this test, median and 68% of {found.toys:,} toys"
        style.draw_points(axes, n, middle, band[:, 0], band[:, 1], shown, label=label)
        limits = shown & np.array([p.median_is_limit for p in powers])
        if limits.any():
            axes.plot(n[limits], middle[limits], "^", color=style.DATA, ms=7, zorder=4, label="a lower limit")
        check = found.null_check
        style.note(
            axes,
            [
                f"without a signal: size {check.size:.3g} at a nominal {LEVEL:g}"
                f" (95%: {check.interval[0]:.2g} to {check.interval[1]:.2g})" + _said(check)
            ],
        )
        axes.axhline(0, color=style.MUTED, linewidth=0.8, linestyle=":")
        axes.set_xlim(0, 1.06 * n.max())
        low, high = axes.get_ylim()
        axes.set_ylim(low, high + 0.22 * (high - low))
        axes.set_xlabel("signal events expected")
        axes.set_ylabel("Z")
        axes.legend(loc="upper left")
    return figure


def _said(check: NullCheck) -> str:
    """What the size or its tail says of the null, where it is nothing good."""
    if check.unanimous:
        return ""
    return ": the null is not refuted, but looks odd" if check.accepted else ": the null does not hold"
