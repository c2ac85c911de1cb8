"""Quantiles of toys against those of an asymptotic null: where in the distribution they agree, tails included."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Int64
from matplotlib.figure import Figure
from scipy.stats import beta

from nplm.plot import style
from nplm.plot.null import asymptotic_name, toys_label, verdict_label
from nplm.stats.asymptotic import AsymptoticNull, as_asymptotic_null, fit_asymptotic_null
from nplm.stats.ensemble_summary import EnsembleSummary, summarize_toys
from nplm.stats.null import ONE_SIGMA

# All toys of either tail up to this rank are drawn, and of the others about so many in all.
_ALL_UP_TO, _OTHERS = 60, 240
_TWO_SIGMA = 0.95
# Half the height of the lower panel, unless a toy is further away.
_LEAST_REACH = 3.5


def plot_qq(
    t: Float64[np.ndarray, " n"],
    asymptotic: AsymptoticNull | float | None = None,
    *,
    summary: EnsembleSummary | None = None,
) -> Figure:
    """Draws the ordered t of toys against the quantiles of an asymptotic null, with pointwise 68% and 95% bands.

    If t follows the asymptotic null with cumulative distribution F, the i-th of n ordered toys has F(t_i) ~ Beta(i,
    n+1-i): the horizontal axis is the asymptotic null's quantile at the median of that distribution, and the bands are
    those at its 16%, 84%, 2.5% and 97.5% points. Below, the distance from the median in units of half the 68% band,
    which stays readable where thousands of toys make the bands thin. Neighbouring toys are correlated, so whole
    stretches may leave a band; and the bands do not know of a fit, which pulls the toys towards the middle.

    Of large ensembles all toys in the tails are drawn, and of the others those at regular ranks.

    Arguments:
        t: the toys' test statistics, shape (n,); failed ones (NaN) are left out and counted.
        asymptotic: expected, or the degrees of freedom of a chi2; None takes the chi2 fitted to the toys.
        summary: that of the same toys and asymptotic null, if it is known already.

    Raises:
        ValueError: if no asymptotic null is given and there are too few toys to fit them; or if no toy has a t.
    """
    expected = as_asymptotic_null(asymptotic)
    summary = summary or summarize_toys(t, expected)
    ordered = np.sort(t[np.isfinite(t)])
    fitted = summary.fitted
    if len(ordered) == 0:
        raise ValueError("there is no toy with a t to compare with an asymptotic null")
    if expected is None and fitted is None:
        raise ValueError("too few toys to fit the degrees of freedom: give them, or run 50 toys")
    best = None if fitted is None else fit_asymptotic_null(t, expected)
    base = expected or best
    assert base is not None
    check = fitted if expected is None else summary.given
    n = len(ordered)
    ranks = thinned_ranks(n)
    x, low, high, lowest, highest = (
        _quantile_of_rank(q, ranks, n, base)
        for q in (0.5, (1 - ONE_SIGMA) / 2, (1 + ONE_SIGMA) / 2, (1 - _TWO_SIGMA) / 2, (1 + _TWO_SIGMA) / 2)
    )
    y = ordered[ranks - 1]
    half = (high - low) / 2
    with style.house_style():
        figure = style.new_figure(height=5.4)
        upper = figure.add_axes((0.125, 0.36, 0.845, 0.61))
        lower = figure.add_axes((0.125, 0.095, 0.845, 0.235), sharex=upper)
        upper.fill_between(
            x, lowest, highest, color=style.REFERENCE, alpha=0.15, linewidth=0, label="95% band, pointwise"
        )
        upper.fill_between(x, low, high, color=style.REFERENCE, alpha=0.3, linewidth=0, label="68% band, pointwise")
        label = verdict_label(base, check) if check else f"{asymptotic_name(base)}: unchecked, too few toys"
        upper.plot(x, x, color=style.REFERENCE, linestyle="--", linewidth=1.0, label=label)
        lower.fill_between(x, (lowest - x) / half, (highest - x) / half, color=style.REFERENCE, alpha=0.15, linewidth=0)
        lower.fill_between(x, (low - x) / half, (high - x) / half, color=style.REFERENCE, alpha=0.3, linewidth=0)
        lower.axhline(0, color=style.REFERENCE, linestyle="--", linewidth=1.0)
        if fitted is not None and best is not None and best is not base:
            other = _quantile_of_rank(0.5, ranks, n, best)
            upper.plot(x, other, color=style.FITTED, linestyle="-.", linewidth=1.0, label=verdict_label(best, fitted))
            lower.plot(x, (other - x) / half, color=style.FITTED, linestyle="-.", linewidth=1.0)
        upper.plot(x, y, "o", color=style.DATA, markersize=2.5, label=toys_label(t))
        pull = (y - x) / half
        lower.plot(x, pull, "o", color=style.DATA, markersize=2.5)
        end = 1.03 * max(float(x[-1]), float(highest[-1]))
        upper.set_xlim(0, 1.03 * float(x[-1]))
        upper.set_ylim(min(0.0, 1.05 * float(y[0])), max(end, 1.03 * float(y[-1])))
        reach = max(_LEAST_REACH, 1.1 * float(np.abs(pull).max()))
        lower.set_ylim(-reach, reach)
        upper.set_ylabel("t of the toys, in order")
        upper.tick_params(labelbottom=False)
        lower.set_ylabel("distance /\n(68% band / 2)", fontsize=style.SMALL)
        lower.set_xlabel(f"t expected from {asymptotic_name(base)}{', fitted' if base is best else ''}")
        handles, labels = upper.get_legend_handles_labels()
        upper.legend(handles[::-1], labels[::-1], loc="upper left")
        figure.align_ylabels([upper, lower])
    return figure


def thinned_ranks(n: int) -> Int64[np.ndarray, " m"]:
    """Ranks from 1 to n to be drawn: all in the tails, and between them some hundreds at equal steps in log rank.

    The steps are equal in the logit of the rank, so that they are as dense towards the tails as there.
    """
    if n <= 2 * _ALL_UP_TO + _OTHERS:
        return np.arange(1, n + 1)
    ends = np.arange(1, _ALL_UP_TO + 1)
    edge = np.log(_ALL_UP_TO / (n + 1 - _ALL_UP_TO))
    between = np.rint((n + 1) / (1 + np.exp(-np.linspace(edge, -edge, _OTHERS)))).astype(np.int64)
    return np.unique(np.concatenate([ends, between, n + 1 - ends]))


def _quantile_of_rank(q: float, ranks: np.ndarray, n: int, asymptotic: AsymptoticNull) -> np.ndarray:
    """The q-quantile of the i-th of n ordered values, through 1 - F, which does not round in the tail."""
    return asymptotic.thresholds(np.asarray(beta.isf(q, n + 1 - ranks, ranks)))
