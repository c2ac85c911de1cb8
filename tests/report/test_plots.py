"""The pictures: what they sum, what they say, and that nothing breaks them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.stats import chi2

from nplm import GaussianConstraint, Nuisances
from nplm.data.binning import MOST_BINS, common_binning, fill, poisson_interval
from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.models.histogram.model import HistogramModel
from nplm.nuisance import Normalization
from nplm.plot.log_ratio import plot_log_ratio
from nplm.plot.marginal import fill_marginal, plot_marginal
from nplm.plot.null import plot_null, plot_null_ensemble
from nplm.plot.power import plot_power
from nplm.plot.qq import plot_qq, thinned_ranks
from nplm.plot.style import save_figure
from nplm.report.pictures import feature_stem
from nplm.stats.chi2 import Chi2Null, fit_chi2
from nplm.stats.ensemble_summary import summarize_toys

HOSTILE = ["$x", "a$b$c", r"\frac{", "x_1^2%", "<script>", r"$\notacommand$", "two\nlines", "m" * 200, "{", "", "#&~"]


def legend_texts(figure: Figure) -> list[str]:
    legend = figure.axes[0].get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


@pytest.mark.parametrize(
    "kind", ["exponential", "normal", "pareto", "cauchy", "poisson", "wide integers", "flag", "large"]
)
@pytest.mark.parametrize("n_data", [1, 30, 20000])
def test_binning_is_fine_bounded_and_loses_nothing(kind: str, n_data: int, rng: np.random.Generator) -> None:
    draw: dict[str, Callable[[int], np.ndarray]] = {
        "exponential": lambda n: rng.exponential(size=n),
        "normal": lambda n: rng.normal(-100, 1, n),
        "pareto": lambda n: rng.pareto(1.0, n) + 1,
        "cauchy": lambda n: rng.standard_cauchy(n),
        "poisson": lambda n: rng.poisson(3.0, n).astype(float),
        "wide integers": lambda n: rng.integers(0, 10**6, n).astype(float),
        "flag": lambda n: rng.integers(0, 2, n).astype(float),
        "large": lambda n: 1e12 + rng.normal(size=n),
    }
    data, reference = draw[kind](n_data), draw[kind](50000)
    weights = rng.normal(1, 1, len(reference))
    binning = common_binning(data, reference, weights, n_data)
    assert 1 <= binning.count <= MOST_BINS
    assert np.all(np.diff(binning.edges) > 0)
    assert fill(binning, data, np.ones(n_data))[0].sum() == n_data
    expected = fill(binning, reference, weights)[0]
    assert expected.sum() == pytest.approx(weights.sum())
    # Fine enough: no bin of a continuous feature swallows many of the events, if there are enough data to show it.
    if kind not in ("poisson", "flag") and n_data > 1000:
        assert np.bincount(binning.assign(reference)).max() < 0.35 * len(reference)


def test_integers_get_bins_centred_on_them() -> None:
    values = np.array([0.0, 1, 1, 2, 3, 5])
    binning = common_binning(values, values, np.ones(6), 6)
    np.testing.assert_array_equal(binning.centers, np.arange(6))
    np.testing.assert_array_equal(fill(binning, values, np.ones(6))[0], [1, 2, 1, 1, 0, 1])


def test_a_peak_in_the_tail_stays_visible(rng: np.random.Generator) -> None:
    data = np.append(rng.exponential(size=2000), rng.normal(6.4, 0.16, 10))
    binning = common_binning(data, rng.exponential(size=20000), np.full(20000, 0.1), 2010)
    assert binning.edges[0] <= 0.01
    assert binning.edges[-1] > 6.8
    assert np.diff(binning.edges).max() <= 0.4


def test_poisson_interval_is_garwoods() -> None:
    low, high = poisson_interval(np.array([0.0, 1.0, 10.0]))
    # Particle Data Group, Review of Particle Physics, one standard deviation.
    np.testing.assert_allclose(low, [0, 0.173, 6.891], atol=1e-3)
    np.testing.assert_allclose(high, [1.841, 3.300, 14.267], atol=1e-3)


def test_marginal_sums_the_reweighted_reference(run: Callable[..., Any]) -> None:
    case = run(toys=0, features=("x", "y"))
    reference = case.test.reference
    # f depends on x alone, and still moves the marginal of y.
    weights = reference.weights * np.exp(0.2 * reference.events[:, 0])
    for feature, column in (("x", 0), ("y", 1)):
        marginal = fill_marginal(case.test, case.data, case.result, feature)
        bins = marginal.binning.assign(reference.events[:, column])
        np.testing.assert_allclose(marginal.reweighted, np.bincount(bins, weights, marginal.binning.count))
        assert marginal.data.sum() == len(case.data)
        assert marginal.reference.sum() == pytest.approx(reference.total_weight)
        np.testing.assert_allclose(marginal.reference_error**2, 0.01 * np.bincount(bins, minlength=len(marginal.data)))


def test_marginal_of_a_histogram_model_is_the_data_even_where_f_is_infinite(rng: np.random.Generator) -> None:
    reference = Sample(rng.uniform(0, 10, 5000), np.full(5000, 0.1), name="reference")
    data = Sample(rng.uniform(0, 10, 400))
    data = data.select(np.abs(data.events[:, 0] - 4.5) > 0.5)
    test = NPLMTest(reference, HistogramModel(edges=(tuple(range(11)),)))
    result = test.run(data, toys=0)
    assert np.isneginf(result.parameter_vector[4])
    marginal = fill_marginal(test, data, result, "x0")
    assert marginal.reweighted.sum() == pytest.approx(len(data))
    empty = (marginal.binning.centers > 4) & (marginal.binning.centers < 5)
    assert empty.any()
    np.testing.assert_array_equal(marginal.reweighted[empty], 0)
    title = plot_log_ratio(test, data, result).axes[0].get_title(loc="left")
    lost = 0.1 * len(data) / 500 * ((reference.events > 4) & (reference.events < 5)).sum()
    assert f"f = -inf, as no data are there: 0 data events, {lost:.3g} of the reference" in title


def test_shape_only_scales_the_reference_to_the_data(rng: np.random.Generator) -> None:
    reference, data = Sample(rng.normal(size=3000)), Sample(rng.normal(size=200))
    test = NPLMTest(reference, HistogramModel(5), shape_only=True)
    marginal = fill_marginal(test, data, test.run(data, toys=0), "x0")
    assert marginal.reference.sum() == pytest.approx(200)
    assert marginal.reweighted.sum() == pytest.approx(200)


def test_weighted_data_have_gaussian_errors_and_say_so(rng: np.random.Generator) -> None:
    reference, data = Sample(rng.normal(size=3000)), Sample(rng.normal(size=500), np.full(500, 2.0))
    test = NPLMTest(reference, HistogramModel(5), expected_yield=1000)
    result = test.run(data, toys=0)
    marginal = fill_marginal(test, data, result, "x0")
    np.testing.assert_allclose(marginal.data_high - marginal.data, np.sqrt(2 * marginal.data))
    assert "data: 1,000 from 500 weighted events" in legend_texts(plot_marginal(test, data, result, "x0"))


def test_marginal_legend_axes_and_remarks(run: Callable[..., Any]) -> None:
    case = run(toys=0, features=("x", "y"))
    figure = plot_marginal(case.test, case.data, case.result, "x")
    total = (case.test.reference.weights * np.exp(0.2 * case.test.reference.events[:, 0])).sum()
    assert legend_texts(figure) == [
        "data: 390 events",
        "reference: 400 (band: its statistical uncertainty)",
        f"reference reweighted by the fit: {total:,.0f}",
    ]
    assert figure.axes[0].get_yscale() == "log"
    assert figure.axes[1].get_xlabel() == "x"
    marginal = fill_marginal(case.test, case.data, case.result, "x")
    assert marginal.reference_beyond > 0
    assert "from beyond the axis" in figure.axes[0].get_title(loc="left")


def test_flat_feature_has_a_linear_axis(rng: np.random.Generator) -> None:
    reference, data = Sample(rng.uniform(size=3000), np.full(3000, 0.1)), Sample(rng.uniform(size=300))
    test = NPLMTest(reference, HistogramModel(5))
    figure = plot_marginal(test, data, test.run(data, toys=0), "x0")
    assert figure.axes[0].get_yscale() == "linear"


def test_negative_expectation_is_said(rng: np.random.Generator) -> None:
    events = np.append(rng.uniform(0, 9, 9000), rng.uniform(9, 10, 100))
    reference = Sample(events, np.append(np.full(9000, 0.1), np.full(100, -0.1)))
    data = Sample(rng.uniform(0, 9, 900))
    test = NPLMTest(reference, HistogramModel(2))
    figure = plot_marginal(test, data, test.run(data, toys=0), "x0")
    assert "negative expectation" in figure.axes[0].get_title(loc="left")
    assert figure.axes[0].get_ylim()[0] < 0


@pytest.mark.parametrize("feature", HOSTILE)
def test_hostile_names_are_drawn_as_they_are(feature: str, run: Callable[..., Any], tmp_path: Path) -> None:
    case = run(toys=0, features=(feature, "other"))
    figure = plot_marginal(case.test, case.data, case.result, feature)
    png, pdf = save_figure(figure, tmp_path / feature_stem(1, feature))
    assert png.stat().st_size > 5000
    assert pdf.stat().st_size > 5000
    label = figure.axes[1].xaxis.label
    assert not label.get_parse_math()
    if feature.isprintable() and len(feature) < 50:
        assert label.get_text() == feature


def test_unknown_feature_is_refused(run: Callable[..., Any]) -> None:
    case = run(toys=0)
    with pytest.raises(ValueError, match="no feature 'z': choose one of x"):
        plot_marginal(case.test, case.data, case.result, "z")


def test_file_names_of_features_are_plain_and_distinct() -> None:
    names = [*HOSTILE, "x/y", "x y", "../x", "X", "x"]
    stems = [feature_stem(i, name) for i, name in enumerate(names, start=1)]
    assert len({stem.lower() for stem in stems}) == len(names)
    assert all(set(stem) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") for stem in stems)


@pytest.mark.parametrize(
    ("toys", "failing", "expected"),
    [
        (0, 0, ["χ²(5): unchecked, no toys were run"]),
        (1, 0, ["χ²(5): ", "1 toy"]),
        (100, 0, ["χ²(5): accepted (p = ", "100 toys"]),
        (100, 7, ["χ²(5): not refuted (p = ", "93 toys (and 7 failed, not shown)"]),
    ],
)
def test_null_says_what_it_shows(toys: int, failing: int, expected: list[str], run: Callable[..., Any]) -> None:
    result = run(toys=toys, failing=failing).result
    texts = legend_texts(plot_null(result))
    assert texts[0].startswith("observed t = 12.50\np ")
    assert len(texts) == 1 + len(expected)
    for text, start in zip(texts[1:], expected, strict=True):
        assert text.startswith(start)


def test_null_density_integrates_to_one(run: Callable[..., Any]) -> None:
    axes = plot_null(run(toys=100).result).axes[0]
    (steps,) = [patch for patch in axes.patches if hasattr(patch, "get_data")]
    values, edges, _ = steps.get_data()
    assert np.sum(values * np.diff(edges)) == pytest.approx(1)


def test_null_rejects_a_wrong_chi2_and_shows_the_fitted_one(rng: np.random.Generator) -> None:
    # At the quantiles of chi2(5), which such toys follow whatever the seed.
    toys = rng.permutation(chi2.ppf((np.arange(400) + 0.5) / 400, 5))
    observed, wrong, fitted, label = legend_texts(plot_null_ensemble(np.append(toys, np.nan), 9, 20.0))
    assert observed.startswith("observed t = 20.00\np = ")
    assert observed.endswith("(empirical)")
    assert wrong.startswith("χ²(9): rejected (p = ")
    fit = fit_chi2(toys)
    assert fitted.startswith(f"χ²({fit.degrees_of_freedom:.2f} ± {fit.error:.2f}): fitted, ")
    assert label == "400 toys (and 1 failed, not shown)"
    assert len(legend_texts(plot_null_ensemble(toys, 5))) == 2
    assert legend_texts(plot_null_ensemble(toys[:10], 5))[0] == "χ²(5): unchecked, too few toys"
    assert legend_texts(plot_null_ensemble(toys[:10])) == ["10 toys"]
    with pytest.raises(ValueError, match="at least one toy"):
        plot_null_ensemble(toys[:0], 5)


def test_far_or_failed_t_leaves_the_null_readable(run: Callable[..., Any]) -> None:
    far = plot_null(run(t=5000.0).result)
    assert far.axes[0].get_xlim()[1] < 100
    assert any("off the axis" in text for text in legend_texts(far))
    failed = plot_null(replace(run().result, t=np.nan))
    assert "no observed t: the fit failed" in legend_texts(failed)


def test_quantiles_of_the_toys_lie_in_the_bands(rng: np.random.Generator) -> None:
    """Of 300 toys in order, each lies in its band with 68%: on average over 15 ensembles, and not if chi2 is wrong."""

    def inside(k: float) -> float:
        shares = []
        for _ in range(15):
            lower = plot_qq(rng.chisquare(13, 300), k, summary=summary).axes[1]
            (points,) = [line for line in lower.lines if line.get_linestyle() == "None"]
            x, y = points.get_data()
            band = lower.collections[1].get_paths()[0].vertices
            low, high = (np.interp(x, *half.T) for half in (band[1:301], band[302:602][::-1]))
            shares.append(np.mean((low <= y) & (y <= high)))
        return float(np.mean(shares))

    summary = summarize_toys(rng.chisquare(13, 300))
    # Neighbours move together, so that 15 ensembles are worth some dozens of toys.
    assert inside(13.0) == pytest.approx(0.68, abs=0.2)
    assert inside(14.5) < 0.35


def test_quantiles_say_what_they_show(rng: np.random.Generator) -> None:
    toys = rng.chisquare(13, 300)
    figure = plot_qq(np.append(toys, np.nan), 16)
    points, fitted, given, *bands = legend_texts(figure)
    assert points == "300 toys (and 1 failed, not shown)"
    assert ": fitted, " in fitted
    assert given.startswith("χ²(16): rejected")
    assert bands == ["68% band, pointwise", "95% band, pointwise"]
    assert figure.axes[1].get_xlabel() == "t expected from χ²(16)"
    assert figure.axes[0].lines[-1].get_ydata().tolist() == np.sort(toys).tolist()
    assert "± " in plot_qq(toys).axes[1].get_xlabel()
    assert "unchecked" in legend_texts(plot_qq(toys[:10], 13))[1]
    with pytest.raises(ValueError, match="too few toys to fit"):
        plot_qq(toys[:10])
    with pytest.raises(ValueError, match="no toy with a t"):
        plot_qq(np.full(3, np.nan), 13)


def test_pictures_of_many_toys_are_thinned_quick_and_small(rng: np.random.Generator, tmp_path: Path) -> None:
    ranks = thinned_ranks(100_000)
    assert len(ranks) < 400
    assert (np.diff(ranks) > 0).all()
    np.testing.assert_array_equal(ranks[:60], np.arange(1, 61))
    np.testing.assert_array_equal(ranks[-60:], np.arange(99_941, 100_001))
    np.testing.assert_array_equal(thinned_ranks(5), np.arange(1, 6))
    toys = rng.chisquare(13, 100_000)
    began = time.process_time()
    for name, figure in (
        ("null", plot_null_ensemble(toys, 13)),
        ("qq", plot_qq(toys, 13)),
        ("power", plot_power(toys, {"signal": toys + 10})),
    ):
        _, pdf = save_figure(figure, tmp_path / name)
        assert pdf.stat().st_size < 100_000
    assert time.process_time() - began < 10


def test_power_shows_thresholds_and_what_is_out_of_reach(rng: np.random.Generator) -> None:
    toys, signal = np.arange(0.0, 40.0, 0.1), np.append(np.full(30, 39.85), np.full(10, 5.0))
    figure = plot_power(toys, {"peak": np.append(signal, np.nan)}, thresholds=(2, 3))
    axes = figure.axes[0]
    assert legend_texts(figure) == ["null: 400 toys", "peak: 40 toys (and 1 failed, not shown)\nZ ≥ 2: 73.2%"]
    assert [text.get_text() for text in axes.texts] == ["Z = 2"]
    # p = .02275 allows 8 of 400 toys to exceed: (1 + 8) / 401.
    assert axes.lines[-1].get_xdata()[0] == pytest.approx(39.1)
    remarks = axes.get_title(loc="left").replace("\N{NO-BREAK SPACE}", " ")
    assert remarks == "Z: empirical, 400 toys\nout of reach of these null toys: Z = 3 (740 toys needed)"
    by_asymptotic = plot_power(toys, {"peak": signal}, Chi2Null(13), thresholds=(2, 3)).axes[0]
    assert [text.get_text() for text in by_asymptotic.texts] == ["Z = 2", "Z = 3"]
    with pytest.raises(ValueError, match="1 to 3 ensembles with signal, not 0"):
        plot_power(toys, {})
    with pytest.raises(ValueError, match="none of the toys of 'peak' has a t"):
        plot_power(toys, {"peak": np.array([np.nan])})


def test_log_ratio_keeps_the_tail_of_the_data(run: Callable[..., Any]) -> None:
    case = run(toys=0)
    figure = plot_log_ratio(case.test, case.data, case.result)
    assert figure.axes[0].get_yscale() == "log"
    assert figure.axes[0].get_xlim()[1] >= case.result.log_ratio.max()
    assert legend_texts(figure) == ["data: 390", "reference, scaled to the data's yield: 390"]


def test_log_ratio_of_a_failed_fit_says_so(run: Callable[..., Any]) -> None:
    case = run(toys=0)
    failed = replace(case.result, log_ratio=np.full(390, np.nan), parameter_vector=np.array([np.nan]))
    assert "the fit failed" in plot_log_ratio(case.test, case.data, failed).axes[0].texts[0].get_text()
    assert len(legend_texts(plot_marginal(case.test, case.data, failed, "x"))) == 2


def test_pictures_are_reproducible_and_leave_matplotlib_alone(
    run: Callable[..., Any], tmp_path: Path, fresh_fonts: None
) -> None:
    case = run(toys=20)
    with matplotlib.rc_context({"font.size": 30, "text.usetex": True, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        for stem in ("a", "b"):
            save_figure(plot_null(case.result), tmp_path / stem)
        assert dict(matplotlib.rcParams) == before
    save_figure(plot_null(case.result), tmp_path / "c")
    for suffix in ("png", "pdf"):
        first, *others = ((tmp_path / f"{stem}.{suffix}").read_bytes() for stem in "abc")
        assert all(other == first for other in others)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pdf", "a.png", "b.pdf", "b.png", "c.pdf", "c.png"]


def test_the_log_ratio_scales_a_reference_with_a_fitted_yield_once(rng: np.random.Generator) -> None:
    """Data of a tenth more events than expected, which the yield's own nuisance takes: once, not twice."""
    reference = Sample(rng.exponential(size=20_000), np.full(20_000, 0.1), ("x",), "reference")
    data = Sample(rng.exponential(size=2200), None, ("x",), "data")
    nuisances = Nuisances(Normalization("yield"), GaussianConstraint(("yield",), [0.3]))
    test = NPLMTest(reference, HistogramModel(bins=5), nuisances=nuisances)
    result = test.run(data, toys=0)
    assert result.nuisances is not None
    assert abs(result.nuisances.nu[0]) > 0.05, "or the yield would not be fitted"
    axes = plot_log_ratio(test, data, result).axes[0]
    (steps,) = [patch for patch in axes.patches if hasattr(patch, "get_data")]
    assert steps.get_data().values.sum() == pytest.approx(2200)
    assert "reference, scaled to the data's yield: 2,200" in legend_texts(axes.figure)
