"""The fitted log-ratio against the one feature that there is."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64
from matplotlib.figure import Figure

from nplm.data.sample import Sample
from nplm.plot import style
from nplm.plot.two_sample_bins import fill_two_samples

# Bins of ratios that are known worse than this, in their logarithm, say nothing.
_LARGEST_ERROR = 0.7


def plot_log_ratio_of_feature(
    a: Sample,
    b: Sample,
    feature: str,
    log_ratios: tuple[Float64[np.ndarray, " n_a"], Float64[np.ndarray, " n_b"]],
    *,
    yields: bool = False,
) -> Figure:
    """Draws f at the events of both samples, and the log of the ratio B / A in bins, with its error.

    Arguments:
        a, b: the samples that were compared, of one feature.
        feature: its name.
        log_ratios: f at the events of A, and of B.
        yields: whether f compares yields, and not only shapes.
    """
    bins = fill_two_samples(a, b, feature, yields=yields)
    x = np.concatenate([a.events[:, 0], b.events[:, 0]])
    f = np.concatenate(log_ratios)
    order = np.argsort(x, kind="stable")
    both = (bins.a > 0) & (bins.b > 0)
    safe_a, safe_b = np.where(both, bins.a, 1.0), np.where(both, bins.b, 1.0)
    error = np.hypot(bins.error_a / safe_a, (bins.high_b - bins.low_b) / (2 * safe_b))
    ratio = np.log(safe_b / safe_a)
    known = both & (error < _LARGEST_ERROR)
    with style.house_style():
        figure = style.new_figure(height=3.4, width=style.NARROW)
        axes = figure.add_axes((0.15, 0.16, 0.82, 0.81))
        axes.axhline(0, color=style.MUTED, linestyle=":", linewidth=1)
        axes.plot(x[order], f[order], color=style.REWEIGHTED, label="f, fitted")
        centers = bins.binning.centers
        style.draw_points(axes, centers, ratio, ratio - error, ratio + error, known, label="log of the ratio of bins")
        ends = np.concatenate([(ratio - error)[known], (ratio + error)[known], f[np.isfinite(f)], [-0.1, 0.1]])
        low, high = float(ends.min()), float(ends.max())
        axes.set_ylim(low - 0.05 * (high - low), high + 0.3 * (high - low))
        if bins.binning.logarithmic:
            axes.set_xscale("log")
        axes.set_xlim(bins.binning.edges[0], bins.binning.edges[-1])
        axes.set_ylabel("log-ratio f")
        style.label_feature(axes, feature)
        style.legend(axes, "log")
    return figure
