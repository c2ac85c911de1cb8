"""The histogram model is Baker and Cousins' chi2 for an exact reference, and compares two Poisson samples otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from nplm.data.sample import Sample
from nplm.data.scaler import Scaler
from nplm.hypotest.test import NPLMTest
from nplm.models.histogram.model import HistogramModel

EDGES_1D = ((0.0, 0.3, 0.8, 1.5, 2.5, 5.0),)
EDGES_2D = ((0.0, 0.5, 1.5, 4.0), (0.0, 0.7, 4.0))


def baker_cousins(n: np.ndarray, nu: np.ndarray) -> float:
    n, nu = n.ravel(), nu.ravel()
    filled = n > 0
    return float(2 * (np.sum(n[filled] * np.log(n[filled] / nu[filled])) - n.sum() + nu.sum()))


def signed_weights(rng: np.random.Generator, n: int) -> np.ndarray:
    return np.where(rng.random(n) < 0.15, -1.0, 1.0) * rng.uniform(0.1, 2.0, n)


def counts(sample: Sample, edges: tuple[tuple[float, ...], ...]) -> np.ndarray:
    """Bin sums by NumPy's histogram, the outermost edges at infinity."""
    bins = [np.array([-np.inf, *e[1:-1], np.inf]) for e in edges]
    return np.histogramdd(sample.events, bins, weights=sample.weights)[0]


@pytest.mark.parametrize("edges", [EDGES_1D, EDGES_2D], ids=["1-D", "2-D"])
@pytest.mark.parametrize("signed", [False, True], ids=["positive", "signed"])
def test_explicit_bins_give_baker_and_cousins(
    edges: tuple[tuple[float, ...], ...], signed: bool, rng: np.random.Generator
) -> None:
    d = len(edges)
    draw = signed_weights if signed else (lambda rng, n: rng.uniform(0.1, 2.0, n))
    reference = Sample(rng.exponential(size=(3000, d)), draw(rng, 3000))
    data = Sample(rng.exponential(1.1, size=(1000, d)), draw(rng, 1000))
    test = NPLMTest(reference, HistogramModel(edges=edges, reference_exact=True))
    t = test.statistic(data)
    assert t == pytest.approx(baker_cousins(counts(data, edges), counts(reference, edges)), rel=1e-10)
    # Weights inside a bin do not matter, its sum does.
    heavier = Sample(data.events, data.weights * 1.01)
    assert test.statistic(heavier) != pytest.approx(t, rel=1e-4)


@pytest.mark.parametrize("dimension", [1, 2, 4])
def test_automatic_bins_give_baker_and_cousins(dimension: int, rng: np.random.Generator) -> None:
    """The bins are read off the fitted log-ratio, which has one value in each."""
    reference = Sample(rng.normal(size=(4000, dimension)), signed_weights(rng, 4000))
    data = Sample(rng.normal(0.1, 1, size=(1500, dimension)), rng.uniform(0.5, 1.5, 1500))
    test = NPLMTest(reference, HistogramModel(bins=12, reference_exact=True), expected_yield=1400)
    fits = test.fit([data])
    f_reference, f_data = (test.prepared.log_ratio(fits.parameters[0], s.events) for s in (reference, data))
    levels = np.unique(f_reference)
    assert len(levels) == 12
    nu = np.array([test.reference.weights[f_reference == f].sum() for f in levels])
    n = np.array([data.weights[f_data == f].sum() for f in levels])
    assert fits.t[0] == pytest.approx(baker_cousins(n, nu), rel=1e-10)
    np.testing.assert_allclose(levels, np.log(n / nu), rtol=1e-10)


def test_no_other_log_ratio_is_more_likely(rng: np.random.Generator) -> None:
    """A numerical maximization over the bins' log-ratios, event by event, ends at the same t."""
    reference = Sample(rng.exponential(size=2000), rng.uniform(0.0, 0.5, 2000))
    data = Sample(rng.exponential(1.2, size=450), rng.uniform(0.5, 1.5, 450))
    bin_of = [np.searchsorted(EDGES_1D[0][1:-1], s.events[:, 0], side="right") for s in (reference, data)]

    def loss(f: np.ndarray) -> tuple[float, np.ndarray]:
        tilted = reference.weights * np.exp(f[bin_of[0]])
        value = np.sum(tilted) - reference.weights.sum() - np.sum(data.weights * f[bin_of[1]])
        return value, np.bincount(bin_of[0], tilted) - np.bincount(bin_of[1], data.weights)

    found = minimize(loss, np.zeros(5), jac=True, method="BFGS", options={"gtol": 1e-9})
    fits = NPLMTest(reference, HistogramModel(edges=EDGES_1D, reference_exact=True)).fit([data])
    assert fits.t[0] == pytest.approx(-2 * found.fun, rel=1e-8)
    np.testing.assert_allclose(fits.parameters[0], found.x, atol=1e-5)


def test_a_bin_without_data_adds_twice_its_expectation() -> None:
    reference = Sample([0.5] * 30 + [1.5] * 7)
    exact, finite = (
        NPLMTest(reference, HistogramModel(edges=((0.0, 1.0, 2.0),), reference_exact=exact)) for exact in (True, False)
    )
    assert exact.statistic(Sample([0.5] * 30)) == pytest.approx(14.0, rel=1e-12)
    # All seven events of two samples that expect as many are those of one of them: 7 log 2.
    assert finite.statistic(Sample([0.5] * 30)) == pytest.approx(14.0 * np.log(2), rel=1e-12)
    for test in (exact, finite):
        assert test.statistic(Sample([0.5] * 30 + [1.5] * 7)) == 0.0


@pytest.mark.parametrize("signed", [False, True], ids=["positive", "signed"])
def test_two_poisson_samples_are_compared_bin_by_bin(signed: bool, rng: np.random.Generator) -> None:
    """t is v0 times the ratio of likelihoods of two Poisson means a bin, which SciPy maximizes numerically."""
    draw = signed_weights if signed else (lambda rng, n: rng.uniform(0.1, 2.0, n))
    reference, data = Sample(rng.exponential(size=900), draw(rng, 900)), Sample(rng.exponential(1.1, size=500))
    data = Sample(data.events, rng.uniform(0.5, 1.5, 500))
    test = NPLMTest(reference, HistogramModel(edges=EDGES_1D))
    nu, n = counts(reference, EDGES_1D), counts(data, EDGES_1D)
    squares = counts(Sample(reference.events, reference.weights**2), EDGES_1D)
    v0 = np.sum(data.weights**2) / np.sum(data.weights)
    events, seen = nu**2 / squares, n / v0

    def poisson(mean: np.ndarray, count: np.ndarray) -> float:
        return float(np.sum(mean - count * np.log(mean)))

    # One mean for both, with the ratio that the weights say; and a mean for each.
    ratio = nu / v0 / events
    together = minimize(
        lambda x: poisson(np.exp(x), events) + poisson(ratio * np.exp(x), seen), np.log(events), tol=1e-12
    )
    apart = poisson(events, events) + poisson(seen, seen)
    fits = test.fit([data])
    assert fits.t[0] == pytest.approx(2 * v0 * (together.fun - apart), rel=1e-6)
    np.testing.assert_allclose(fits.parameters[0], np.log(n / nu), rtol=1e-9)
    assert abs(fits.t[0] - baker_cousins(n, nu)) > 1


def test_a_reference_of_very_many_events_is_exact(rng: np.random.Generator) -> None:
    data = Sample(rng.exponential(1.1, size=300))
    reference = rng.exponential(size=1000)
    exact = NPLMTest(reference, HistogramModel(edges=EDGES_1D, reference_exact=True), expected_yield=300.0)
    off = []
    for copies in (10, 100):
        many = NPLMTest(np.repeat(reference, copies), HistogramModel(edges=EDGES_1D), expected_yield=300.0)
        off.append(exact.statistic(data) - many.statistic(data))
    assert 0 < off[1] < 0.15 * off[0] < 0.15


def test_the_size_is_right_however_small_the_reference() -> None:
    """As many reference events as data: 400 trials of a nominal 5%, within four standard deviations of the binomial.

    An exact reference has t about twice as large, and fires in half of them.
    """
    rng = np.random.default_rng(1)
    fires = {False: 0, True: 0}
    for _ in range(400):
        reference, data = (Sample(rng.normal(size=rng.poisson(500))) for _ in range(2))
        for exact in fires:
            prepared = HistogramModel(8, reference_exact=exact).prepare(reference, Scaler.identity(1))
            fires[exact] += prepared.null().pvalue(prepared.fit([data]).t[0]) < 0.05
    assert abs(fires[False] - 20) < 4 * np.sqrt(19)
    assert fires[True] > 100


@pytest.mark.parametrize(("weights", "expects"), [([1, 1, 1, -2.0], "-1"), ([1, 1, 1, -1.0], "0"), ([1, 1, 0, 0], "0")])
def test_a_bin_without_expectation_is_refused_by_name(weights: list[float], expects: str) -> None:
    reference = Sample([0.5, 1.5, 2.5, 2.6], weights, ("mass",))
    with pytest.raises(ValueError, match=rf"bin 2 \(mass from 2 to 3\) expects {expects} events.*Merge"):
        NPLMTest(reference, HistogramModel(edges=((0.0, 1.0, 2.0, 3.0),)))


def test_an_automatic_bin_without_expectation_is_refused_by_name() -> None:
    reference = Sample([0.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, -1.0], ("mass",))
    with pytest.raises(ValueError, match=r"\(mass from 2 to 3\) expects 0 events"):
        NPLMTest(reference, HistogramModel(bins=2))


def test_a_negative_sum_of_data_has_no_t() -> None:
    test = NPLMTest(Sample([0.5] * 5 + [1.5] * 5), HistogramModel(edges=((0.0, 1.0, 2.0),)))
    fits = test.fit([Sample([0.5, 1.5], [3.0, -1.0]), Sample([0.5, 1.5])])
    np.testing.assert_array_equal(np.isnan(fits.t), [True, False])
    np.testing.assert_array_equal(fits.converged, [False, True])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bins": 0}, "at least 1 bin"),
        ({"edges": ((0.0,),)}, "two or more increasing"),
        ({"edges": ((0.0, 1.0, 1.0),)}, "increasing"),
        ({"edges": ((0.0, np.nan, 1.0),)}, "increasing"),
    ],
)
def test_bad_bins_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HistogramModel(**settings)


def test_edges_must_be_for_all_features(rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="edges for 1 features, but the reference has 2"):
        NPLMTest(rng.normal(size=(100, 2)), HistogramModel(edges=EDGES_1D))


def test_parameters_by_name(rng: np.random.Generator) -> None:
    reference, data = Sample(rng.exponential(size=1000)), Sample(rng.exponential(size=900))
    test = NPLMTest(reference, HistogramModel(edges=EDGES_1D))
    named = test.prepared.named_parameters(test.fit([data]).parameters[0])
    np.testing.assert_allclose(named["expected"], counts(reference, EDGES_1D))
    np.testing.assert_allclose(named["observed"], counts(data, EDGES_1D))
    assert test.degrees_of_freedom == 5
