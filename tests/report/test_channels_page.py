"""The pages of many results from Python, results that were saved, and pictures that show their numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nplm import load_result, write_report
from nplm.channels import RegionTable, best_combination, combine_results, examine_regions, explain_excesses
from nplm.plot import (
    plot_combined,
    plot_error_factors,
    plot_extremes,
    plot_fake_tables,
    plot_graph,
    plot_p_histogram,
)
from tests.report.html_page import Page
from toys.signal_regions import draw_table, templates


def test_pages_say_the_answer_first_and_results_are_loaded(tmp_path: Path) -> None:
    quiet = draw_table(np.random.default_rng(5))
    regions = examine_regions(quiet, draws=50, by=["experiment"])
    combined = combine_results({"<b>one</b>": 0.3, "two": 0.6})
    explained = explain_excesses(quiet, templates(quiet), ["signature"], walkers=2, steps=3, fakes=2)
    for name, result, text in (
        ("regions", regions, "p-values of all regions"),
        ("combined", combined, "2 channels agree"),
        ("explained", explained, "Where the signal is"),
        ("graph", best_combination(quiet, "energy"), "The best combination has 2 of 10 analyses"),
    ):
        page = Page(write_report(result, tmp_path / name).read_text(encoding="utf-8"))
        assert page.text.index(text) < page.text.index("Key numbers")
        result.save(tmp_path / f"{name}.npz")
        assert load_result(tmp_path / f"{name}.npz").to_dict() == result.to_dict()
    assert "<b>one</b>" in Page((tmp_path / "combined/report.html").read_text(encoding="utf-8")).text
    with pytest.raises(ValueError, match="no fake tables"):
        plot_fake_tables(explain_excesses(quiet, templates(quiet), ["signature"], walkers=1, steps=1, fakes=0))


def test_pictures_show_the_numbers(tmp_path: Path) -> None:
    result = examine_regions(draw_table(np.random.default_rng(5)), draws=20, by=["experiment"])
    axes = plot_p_histogram(result.histogram).axes[0]
    (points,) = (c for c in axes.containers if c.get_label() == "observed")
    np.testing.assert_allclose(points.lines[0].get_ydata(), result.histogram.observed)
    np.testing.assert_allclose(axes.patches[0].get_data().values, result.histogram.expected[0].counts)
    bars = plot_extremes(result).axes[0].patches
    from scipy.stats import norm

    assert bars[0].get_width() == pytest.approx(norm.isf(result.extremes[0].p_value))
    assert bars[10].get_width() == pytest.approx(-norm.isf(result.deficits[0].p_value))
    # What is listed as a deficit as there are no others is none: its bar would stand among the excesses.
    more = {"region": ["a", "b"], "analysis": ["x", "y"], "observed": [9, 30], "expected": [3, 20], "error": [0.5, 1]}
    excesses = examine_regions(RegionTable.from_columns(more), draws=20)
    assert [bar.get_width() > 0 for bar in plot_extremes(excesses).axes[0].patches] == [True, True]
    page = Page(write_report(excesses, tmp_path).read_text(encoding="utf-8")).text
    assert "No region has fewer events than half of all tables would have there." in page
    factors = plot_error_factors(result).axes[0].containers[0].lines[0].get_xdata()
    np.testing.assert_allclose(factors, [each.factor for each in result.factors])
    combined = combine_results({"one": 0.3, "two": 0.01})
    assert [bar.get_width() for bar in plot_combined(combined).axes[0].patches] == pytest.approx(
        [combined.z, norm.isf(0.01), norm.isf(0.3)]
    )


def test_the_matrix_shows_which_analyses_are_combined() -> None:
    result = best_combination(draw_table(np.random.default_rng(5)), "experiment energy")
    axes = plot_graph(result).axes[0]
    shown, names = np.asarray(axes.images[0].get_array()), result.graph.names
    np.testing.assert_array_equal(shown > 0, result.graph.allowed)
    best = [names.index(name) for name in result.best]
    assert (shown == 2).sum() == len(best) * (len(best) - 1)
    assert (shown[np.ix_(best, best)] == 2).sum() == len(best) * (len(best) - 1)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(names)
