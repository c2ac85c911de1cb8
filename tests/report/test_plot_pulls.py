"""The picture of the nuisances: points, bars and their order are the numbers of the summary."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes

from nplm.nuisance.fit_summary import NuisanceSummary
from nplm.plot.pulls import MOST_DRAWN, plot_pulls, ranked


def summary(impact: list[float] | None = None) -> NuisanceSummary:
    """Three nuisances, the last of which was not measured anywhere in particular."""
    return NuisanceSummary.of(
        names=("scale", "$w^2$", "rate"),
        sigma=np.array([0.1, 2.0, 0.5]),
        measured=np.array([0.05, 0.0, np.nan]),
        nu=np.array([0.15, -3.0, 0.25]),
        covariance=np.diag([0.02, 1.0, 0.25]) ** 2,
        nu_tau=np.array([0.1, -2.0, 0.5]),
        t=10.0,
        delta=5.0,
        impact=None if impact is None else np.array(impact),
    )


def labels(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def test_points_are_pulls_with_their_errors() -> None:
    (axes,) = plot_pulls(summary()).axes
    # From the largest pull; nu / sigma where nothing was measured.
    assert labels(axes) == ["$w^2$", "scale", "rate"]
    points, (bars,) = axes.containers[0][0], axes.containers[0][2]
    np.testing.assert_allclose(points.get_xdata(), [-1.5, 1.0, 0.5])
    widths = [(segment[1, 0] - segment[0, 0]) / 2 for segment in bars.get_segments()]
    np.testing.assert_allclose(widths, [0.5, 0.2, 0.5])
    with_f = next(line for line in axes.lines if line.get_label() == "with f")
    np.testing.assert_allclose(with_f.get_xdata(), [-1.0, 0.5, 1.0])


def test_bars_are_impacts_and_say_their_numbers() -> None:
    pulls, impacts = plot_pulls(summary([0.5, -30.25, np.nan])).axes
    assert labels(pulls) == ["$w^2$", "scale", "rate"]
    np.testing.assert_allclose([bar.get_width() for bar in impacts.patches], [-30.25, 0.5, 0.0])
    assert [text.get_text() for text in impacts.texts] == ["-30.25", "+0.50", "not known"]
    low, high = impacts.get_xlim()
    assert low < -30.25 < 0.5 < high


def test_impacts_decide_the_order_where_there_are_any() -> None:
    assert ranked(summary([0.5, np.nan, -2.0])).tolist() == [2, 0, 1]
    assert ranked(summary()).tolist() == [1, 0, 2]


def test_of_many_those_that_matter_most_are_drawn() -> None:
    k = 2 * MOST_DRAWN
    impact = np.arange(k, dtype=float)
    many = replace(
        NuisanceSummary.of(
            tuple(f"n{i}" for i in range(k)), *(np.ones(k) for _ in range(3)), np.eye(k), np.ones(k), 1.0, 2.0
        ),
        impact=impact,
    )
    pulls, _ = plot_pulls(many).axes
    assert labels(pulls) == [f"n{i}" for i in range(k - 1, MOST_DRAWN - 1, -1)]
    assert f"the {MOST_DRAWN} of {k} nuisances" in pulls.get_title(loc="left")
