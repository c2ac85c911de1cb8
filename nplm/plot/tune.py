"""Mean of t against the clip: where it is that of the chi2 sought."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from nplm.plot import style
from nplm.tuning.result import Tuned
from nplm.tuning.result_text import interval_text

_POINTS = 300
# The legend lies above everything that is drawn.
_HEADROOM = 1.5


def plot_tune(tuned: Tuned) -> Figure:
    """Draws the mean of t at the clips of the scan with its curve, at those of the walk, and the clip found."""
    k = tuned.degrees_of_freedom
    with style.house_style():
        figure = style.new_figure(height=4.2)
        axes = figure.add_axes((0.115, 0.13, 0.855, 0.83))
        axes.set_xscale("log")
        walk_clips, walk_means, few = np.array([(w.clip, w.mean, w.toys) for w in tuned.walk]).T
        label = f"first look: {few[0]:.0f} toys"
        axes.plot(walk_clips, walk_means, "s", color=style.MUTED, fillstyle="none", markersize=5, label=label)
        if tuned.path is not None:
            path = tuned.path
            grid = np.geomspace(path.clips[0], path.clips[-1], _POINTS)
            axes.plot(grid, path.curve(grid), color=style.REFERENCE)
            axes.errorbar(
                path.clips,
                path.mean,
                yerr=path.mean_error,
                fmt="o",
                color=style.REFERENCE,
                markersize=4,
                label=f"scan: the same {len(path.t)} toys at every clip\n(errors are common to all points)",
            )
        axes.axhline(k, color=style.DATA, linestyle="--", linewidth=1, label=f"mean of χ²({k})")
        if tuned.clip is not None:
            axes.axvline(tuned.clip, color=style.REWEIGHTED, label=_clip_label(tuned))
            low, high = tuned.interval or (tuned.clip, tuned.clip)
            if np.isfinite(high) and low > 0:
                axes.axvspan(low, high, color=style.REWEIGHTED, alpha=style.BAND_ALPHA / 2, linewidth=0)
        low, high = axes.get_ylim()
        axes.set_ylim(low, low + _HEADROOM * (high - low))
        style.plain_log_ticks(axes)
        axes.set_xlabel("clip: largest absolute weight of the network")
        axes.set_ylabel("mean of t on null toys")
        # The line at the clip found would run through the words.
        axes.legend(loc="upper left", frameon=True, framealpha=1.0, edgecolor="none")
    return figure


def _clip_label(tuned: Tuned) -> str:
    shape = None if tuned.check is None else tuned.check.fitted
    if shape is None:
        verdict = "not tested"
    elif not shape.accepted:
        verdict = "rejected"
    else:
        verdict = "accepted" if shape.unanimous else "not refuted"
        verdict += "" if tuned.is_chi2 else ", but maxima missed"
    return f"clip {tuned.clip:.3g} ({interval_text(tuned)})\nχ²({tuned.degrees_of_freedom}) {verdict} there"
