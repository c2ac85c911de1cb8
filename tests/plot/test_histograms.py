"""Objects of hist: the sums of weights and of their squares, in any bins."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import hist
import numpy as np
import pytest

from nplm import NPLMTest, Result, Sample
from nplm.localization.comparison import compared
from nplm.localization.histograms import marginal_histograms, pair_histograms
from nplm.localization.pairs import fill_pair
from nplm.models.histogram.model import HistogramModel
from nplm.plot.marginal import fill_marginal


@pytest.fixture
def run(rng: np.random.Generator) -> SimpleNamespace:
    names = ("x", "y")
    events = np.column_stack([rng.exponential(size=4000), rng.normal(size=4000)])
    reference = Sample(events, rng.normal(0.1, 0.02, 4000), names, "reference")
    data = Sample(events[:380] + 0.05, features=names, name="data")
    test = NPLMTest(reference, HistogramModel(bins=4))
    result: Result = test.run(data, 0)
    f = test.log_ratio(result, reference)
    return SimpleNamespace(test=test, data=data, result=result, reference=reference, f=f)


def test_values_and_variances_are_sums_of_weights_and_of_squares(run: SimpleNamespace) -> None:
    edges = np.array([-1.0, -0.2, 0.0, 1.5])
    found = marginal_histograms(run.test, run.data, run.result, "y", edges)
    y, w = run.reference.events[:, 1], run.reference.weights
    fitted = w * np.exp(run.f)
    for histogram, values, weights in (
        (found.data, run.data.events[:, 1], np.ones(380)),
        (found.reference, y, w),
        (found.reweighted, y, fitted),
    ):
        assert isinstance(histogram, hist.Hist)
        assert histogram.axes[0].name == "y"
        bins = np.searchsorted(edges, values, side="right")
        np.testing.assert_allclose(histogram.values(flow=True), np.bincount(bins, weights, 5), rtol=1e-12)
        np.testing.assert_allclose(histogram.variances(flow=True), np.bincount(bins, weights**2, 5), rtol=1e-12)
    # The fit is exact in the bins of its own, so e^f brings the reference to the yield of the data.
    assert found.reweighted.sum(flow=True).value == pytest.approx(380, rel=1e-9)
    assert found.reference.sum(flow=True).value != pytest.approx(380, rel=1e-3)


def test_without_bins_they_are_those_of_the_picture(run: SimpleNamespace) -> None:
    drawn = fill_marginal(run.test, run.data, run.result, "x")
    found = marginal_histograms(run.test, run.data, run.result, "x", log_ratio=run.f)
    np.testing.assert_array_equal(found.data.axes[0].edges, drawn.binning.edges)
    for histogram, outer in ((found.data, drawn.data), (found.reference, drawn.reference)):
        flow = histogram.values(flow=True)
        assert flow[1:3].sum() + flow[0] == pytest.approx(outer[:2].sum())
        np.testing.assert_allclose(flow[2:-2], outer[1:-1])
        assert flow[-2:].sum() == pytest.approx(outer[-1])


def test_an_axis_of_hist(run: SimpleNamespace) -> None:
    axis = hist.axis.Regular(8, 0, 4, name="x", overflow=False)
    found = marginal_histograms(run.test, run.data, run.result, "x", axis)
    assert found.reference.axes[0] == axis
    values, _ = np.histogram(run.reference.events[:, 0], np.linspace(0, 4, 9), weights=run.reference.weights)
    # NumPy's last bin includes its upper edge, on which no event lies.
    np.testing.assert_allclose(found.reference.values(), values, rtol=1e-12)


def test_tables_are_taken(run: SimpleNamespace) -> None:
    table = {"y": run.data.events[:, 1], "x": run.data.events[:, 0]}
    assert (
        marginal_histograms(run.test, table, run.result, "x").data
        == marginal_histograms(run.test, run.data, run.result, "x").data
    )


@pytest.mark.parametrize(
    ("feature", "bins", "message"),
    [
        ("z", None, "there is no feature 'z': choose one of x, y"),
        ("x", [0.0], "two or more increasing numbers"),
        ("x", [0.0, 2.0, 1.0], "two or more increasing numbers"),
        ("x", 10, "two or more increasing numbers, not 10"),
    ],
)
def test_bad_questions_are_refused(run: SimpleNamespace, feature: str, bins, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        marginal_histograms(run.test, run.data, run.result, feature, bins)


def test_without_hist_the_message_says_what_to_do(run: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hist", None)
    with pytest.raises(ValueError, match="pip install hist"):
        marginal_histograms(run.test, run.data, run.result, "x")
    with pytest.raises(ValueError, match="pip install hist"):
        pair_histograms(run.test, run.data, run.result, "x", "y")


def test_pairs_are_sums_of_weights_and_of_squares_in_cells(run: SimpleNamespace) -> None:
    """The axes are in the order of the question, flow included."""
    y_edges, x_edges = np.array([-1.0, -0.2, 0.0, 1.5]), np.array([0.0, 0.3, 2.0])
    found = pair_histograms(run.test, run.data, run.result, "y", "x", (y_edges, x_edges))
    fitted = run.reference.weights * np.exp(run.f)
    for histogram, sample, weights in (
        (found.data, run.data, np.ones(380)),
        (found.reference, run.reference, run.reference.weights),
        (found.reweighted, run.reference, fitted),
    ):
        assert [axis.name for axis in histogram.axes] == ["y", "x"]
        cells = 4 * np.searchsorted(y_edges, sample.events[:, 1], side="right")
        cells += np.searchsorted(x_edges, sample.events[:, 0], side="right")
        for values, w in ((histogram.values(flow=True), weights), (histogram.variances(flow=True), weights**2)):
            np.testing.assert_allclose(values, np.bincount(cells, w, 20).reshape(5, 4), rtol=1e-12)
    assert found.data.values(flow=True).sum() == 380
    # x is positive, so that no event is below its first edge; some are beyond the others.
    assert found.data.values(flow=True)[:, 0].sum() == 0
    assert found.data.values().sum() < 380


def test_a_pair_summed_over_one_axis_is_the_marginal_of_the_other(run: SimpleNamespace) -> None:
    edges, axis = [-1.0, 0.0, 1.5], hist.axis.Regular(8, 0, 4, name="x")
    pair = pair_histograms(run.test, run.data, run.result, "x", "y", (axis, edges), log_ratio=run.f)
    assert pair.data.axes[0] == axis
    one = marginal_histograms(run.test, run.data, run.result, "y", edges)
    for name in ("data", "reference", "reweighted"):
        summed, alone = getattr(pair, name).project("y"), getattr(one, name)
        np.testing.assert_allclose(summed.values(flow=True), alone.values(flow=True), rtol=1e-12)
        np.testing.assert_allclose(summed.variances(flow=True), alone.variances(flow=True), rtol=1e-12)


def test_without_bins_a_pair_is_that_of_the_picture(run: SimpleNamespace) -> None:
    drawn = fill_pair(compared(run.test, run.data, run.result), "y", "x")
    found = pair_histograms(run.test, run.data, run.result, "y", "x")
    for axis, binning in zip(found.data.axes, drawn.binnings, strict=True):
        np.testing.assert_array_equal(axis.edges, binning.edges)
    for name in ("data", "reference", "reweighted"):
        flow = getattr(found, name).values(flow=True)
        outer = getattr(drawn, "fitted" if name == "reweighted" else name)
        # The picture adds what lies beyond to its outer bins.
        inner = np.add.reduceat(flow, [0, *range(2, len(flow) - 2), len(flow) - 2], axis=0)
        columns = flow.shape[1]
        inner = np.add.reduceat(inner, [0, *range(2, columns - 2), columns - 2], axis=1)
        np.testing.assert_allclose(inner, outer, rtol=1e-9)


@pytest.mark.parametrize(
    ("pair", "bins", "message"),
    [
        (("x", "z"), (None, None), "there is no feature 'z': choose two of x, y"),
        (("x", "x"), (None, None), "not 'x' twice"),
        (("x", "y"), (None, [0.0, 2.0, 1.0]), "two or more increasing numbers"),
        (("x", "y"), None, "a tuple of two, one for each feature, not None"),
        (("x", "y"), ([0.0, 1.0],), "a tuple of two"),
    ],
)
def test_bad_questions_about_pairs_are_refused(run: SimpleNamespace, pair, bins, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pair_histograms(run.test, run.data, run.result, *pair, bins)
