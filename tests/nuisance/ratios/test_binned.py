"""Binned log-ratios: exact for histograms that are quadratic, within their errors from samples."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chi2

from nplm import GaussianConstraint, NPLMTest, Nuisances
from nplm.data.sample import Sample
from nplm.nuisance import Normalization, SumOfLogRatios
from nplm.nuisance.ratios.base import log_ratio
from nplm.nuisance.ratios.binned import BinnedLogRatio

# Size of each statistical test: the chance that it fails a correct program.
SIZE = 1e-4
EDGES = np.array([0.0, 0.5, 1.0, 2.0, 4.0])
CENTRAL = 1000.0 * np.exp(-np.arange(4.0))
D1, D2, CROSS = np.array([0.5, -0.2, 0.1, 1.0]), np.array([-1.0, 0.3, 0.0, 0.4]), np.array([0.2, 0.0, -0.7, 0.1])
X = np.array([[0.2], [0.7], [1.5], [3.0]])


def yields(a: float, b: float = 0.0) -> np.ndarray:
    return CENTRAL * np.exp(a * D1 + a**2 * D2 / 2 + 0.3 * b + a * b * CROSS)


@pytest.mark.parametrize("points", [(1.0, -1.0), (0.5, 2.0), (1.0, -1.0, 2.0, -2.0)])
def test_quadratic_histograms_are_recovered(points: tuple[float, ...]) -> None:
    ratio = BinnedLogRatio({"x": EDGES}, CENTRAL, [({"a": nu}, yields(nu)) for nu in points])
    assert ratio.terms == ("a", "a^2/2")
    np.testing.assert_allclose(ratio.values, [D1, D2], atol=1e-12)
    for nu in (0.0, 0.3, -1.7):
        np.testing.assert_allclose(log_ratio(ratio, X, {"a": nu}), np.log(yields(nu) / CENTRAL), atol=1e-12)


def test_two_points_are_met_exactly_whatever_the_yields_are() -> None:
    up, down = CENTRAL * [1.3, 0.7, 1.01, 2.0], CENTRAL * [0.9, 0.8, 1.3, 0.4]
    variances = [CENTRAL, up, 2 * down]
    for given in (None, variances):
        ratio = BinnedLogRatio({"x": EDGES}, CENTRAL, [({"a": 1.5}, up), ({"a": -1.0}, down)], variances=given)
        np.testing.assert_allclose(log_ratio(ratio, X, [1.5]), np.log(up / CENTRAL), atol=1e-12)
        np.testing.assert_allclose(log_ratio(ratio, X, [-1.0]), np.log(down / CENTRAL), atol=1e-12)


def test_several_nuisances_with_their_cross_term() -> None:
    apart = [({"a": 1.0}, yields(1.0)), ({"a": -1.0}, yields(-1.0)), ({"b": 1.0}, yields(0.0, 1.0))]
    ratio = BinnedLogRatio({"x": EDGES}, CENTRAL, apart)
    assert ratio.terms == ("a", "b", "a^2/2")
    together = BinnedLogRatio({"x": EDGES}, CENTRAL, [*apart, ({"a": 1.0, "b": 1.0}, yields(1.0, 1.0))])
    assert together.terms == ("a", "b", "a^2/2", "a b")
    exact = np.log(yields(0.4, -0.8) / CENTRAL)
    np.testing.assert_allclose(log_ratio(together, X, {"a": 0.4, "b": -0.8}), exact, atol=1e-12)
    # Without the pair the effects multiply, which here is wrong.
    assert np.abs(log_ratio(ratio, X, {"a": 0.4, "b": -0.8}) - exact).max() > 0.1


def test_derivatives_are_the_coefficients() -> None:
    ratio = BinnedLogRatio({"x": EDGES}, CENTRAL, [({"a": nu}, yields(nu)) for nu in (1.0, -1.0)])
    with jax.enable_x64(True):
        first = np.asarray(jax.jit(jax.jacfwd(ratio.coefficients))(jnp.zeros(1)))[1:, 0]
        second = np.asarray(jax.jit(jax.jacfwd(jax.jacfwd(ratio.coefficients)))(jnp.zeros(1)))[1:, 0, 0]
    np.testing.assert_allclose(ratio.basis(X) @ np.column_stack([first, second]), np.stack([D1, D2], 1), atol=1e-12)


def test_bins_of_two_features_take_the_right_events() -> None:
    edges = {"y": [0.0, 1.0, 2.0, 3.0], "x": [-1.0, 0.0, 1.0]}
    effect = np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]])
    ratio = BinnedLogRatio(edges, np.full((3, 2), 10.0), [({"a": 1.0}, 10.0 * np.exp(effect))], ("x", "other", "y"))
    events = np.array([[-0.5, 9.0, 0.5], [0.5, 9.0, 0.5], [-0.5, 9.0, 2.5], [7.0, 9.0, 99.0], [-7.0, 9.0, 1.0]])
    # The outermost bins are open, and an edge belongs to the bin above it.
    np.testing.assert_allclose(log_ratio(ratio, events, [1.0]), [0.1, 0.2, 0.5, 0.6, 0.3], atol=1e-12)


def draw(rng: np.random.Generator, nu: float, n: int) -> Sample:
    weights = rng.uniform(0.5, 1.5, n)
    return Sample(rng.exponential(np.exp(nu), n), weights * (1000.0 / n), ("x",), f"nu = {nu}")


def test_samples_give_the_exact_ratio_within_its_errors(rng: np.random.Generator) -> None:
    """Exponentials whose scale moves: the yields of bins are known; the pulls of 4 bins at 3 points follow a chi2."""
    edges = np.array([0.0, 0.3, 0.8, 1.5, 10.0])
    points = (-0.2, -0.1, 0.1, 0.2)

    def exact(nu: float) -> np.ndarray:
        survival = np.exp(-np.append(edges[:-1], np.inf) * np.exp(-nu))
        return np.asarray(-np.diff(survival))

    exact_fit = BinnedLogRatio({"x": edges}, exact(0), [({"s": nu}, exact(nu)) for nu in points])
    pulls = []
    for _ in range(50):
        samples = [({"s": nu}, draw(rng, nu, 20_000)) for nu in points]
        ratio = BinnedLogRatio.from_samples(draw(rng, 0.0, 20_000), samples, {"x": edges})
        assert ratio.errors is not None
        pulls.append((ratio.values - exact_fit.values)[0] / ratio.errors[0])
    square = (np.array(pulls) ** 2).sum(axis=0)
    # Each bin is a chi2 of 50; with the error of the central sample left out they would be too large.
    low, high = chi2.ppf([SIZE / 8, 1 - SIZE / 8], 50)
    assert np.all((low < square) & (square < high))


def test_errors_are_those_of_least_squares(rng: np.random.Generator) -> None:
    """Against the textbook's formula in one bin; the common error of the central yield cancels in the slope of +-1."""
    variances = np.array([30.0, 50.0, 70.0])
    ratio = BinnedLogRatio(
        {"x": [0.0, 1.0]}, [100.0], [({"a": 1.0}, [110.0]), ({"a": -1.0}, [95.0])], variances=variances[:, None]
    )
    relative = variances / np.array([100.0, 110.0, 95.0]) ** 2
    assert ratio.errors is not None
    assert ratio.errors[0, 0] == pytest.approx(np.sqrt(relative[1:].sum()) / 2, rel=1e-12)
    assert ratio.errors[1, 0] == pytest.approx(np.sqrt(relative[1:].sum() + 4 * relative[0]), rel=1e-12)


def test_a_precise_point_counts_more_than_a_poor_one() -> None:
    def slope(poor: float) -> float:
        varied = [({"a": 1.0}, [110.0]), ({"a": -1.0}, [90.0]), ({"a": 1.000001}, [200.0])]
        variances = np.array([1e-6, 1.0, 1.0, poor])[:, None]
        return float(BinnedLogRatio({"x": [0.0, 1.0]}, [100.0], varied, variances=variances).values[0, 0])

    assert slope(1e8) == pytest.approx(np.log(110 / 90) / 2, abs=1e-4)
    assert slope(1.0) > 0.2


def test_bad_input_is_refused_by_name() -> None:
    up = ({"a": 1.0}, yields(1.0))
    for bad, word in ((0.0, "0"), (-3.0, "-3")):
        broken = yields(-1.0)
        broken[2] = bad
        with pytest.raises(ValueError, match=rf"the bin 1 < x < 2 has the yield {word} at a = -1.*merge it"):
            BinnedLogRatio({"x": EDGES}, CENTRAL, [up, ({"a": -1.0}, broken)])
    with pytest.raises(ValueError, match="the edges of x must be two or more finite numbers in ascending order"):
        BinnedLogRatio({"x": EDGES[::-1]}, CENTRAL, [up])
    with pytest.raises(ValueError, match=r"yields at a = 1 have shape \(3,\).*bins of shape \(4,\)"):
        BinnedLogRatio({"x": EDGES}, CENTRAL, [({"a": 1.0}, CENTRAL[:3])])
    with pytest.raises(ValueError, match="no variation moves b"):
        BinnedLogRatio({"x": EDGES}, CENTRAL, [({"a": 1.0, "b": 0.0}, yields(1.0))])
    with pytest.raises(ValueError, match="a variation moves no nuisance"):
        BinnedLogRatio({"x": EDGES}, CENTRAL, [up, ({"a": 0.0}, CENTRAL)])
    corners = [({"a": a, "b": b}, yields(a, b)) for a, b in ((1.0, 1.0), (1.0, -1.0), (-1.0, 1.0))]
    with pytest.raises(ValueError, match=r"3 variations do not determine the 5 terms a, b, a\^2/2, b\^2/2, a b"):
        BinnedLogRatio({"x": EDGES}, CENTRAL, corners)
    with pytest.raises(ValueError, match="one or more variations"):
        BinnedLogRatio({"x": EDGES}, CENTRAL, [])
    with pytest.raises(ValueError, match="edges name y, but the features are x"):
        BinnedLogRatio({"y": EDGES}, CENTRAL, [up], ("x",))
    with pytest.raises(ValueError, match="variances are given for 1 histograms, but there are 2"):
        BinnedLogRatio({"x": EDGES}, CENTRAL, [up], variances=[CENTRAL])
    with pytest.raises(ValueError, match="events have 2 features, but the binned log-ratio of a was made for x"):
        BinnedLogRatio({"x": EDGES}, CENTRAL, [up]).basis(np.zeros((3, 2)))


def test_bad_samples_are_refused_by_name(rng: np.random.Generator) -> None:
    central, edges = draw(rng, 0.0, 100), {"x": [0.0, 1.0, 10.0]}
    with pytest.raises(ValueError, match="different features: shifted lacks x"):
        BinnedLogRatio.from_samples(central, [({"a": 1.0}, Sample([1.0], features=["y"], name="shifted"))], edges)
    empty = Sample(np.empty((0, 1)), features=["x"], name="shifted")
    with pytest.raises(ValueError, match="shifted is empty"):
        BinnedLogRatio.from_samples(central, [({"a": 1.0}, empty)], edges)
    with pytest.raises(ValueError, match="the bin 1 < x < 10 has the yield 0 at a = 1"):
        BinnedLogRatio.from_samples(central, [({"a": 1.0}, Sample([0.5], features=["x"], name="shifted"))], edges)
    with pytest.raises(ValueError, match=r"edges name y, but nu = 0\.0 has the features x"):
        BinnedLogRatio.from_samples(central, [({"a": 1.0}, central)], {"y": [0.0, 1.0]})


def test_a_reference_with_other_features_is_refused_by_name(rng: np.random.Generator) -> None:
    """Also within sums of sums; columns in another order would put events into the bins of another feature."""
    ratio = BinnedLogRatio({"x": EDGES}, CENTRAL, [({"a": 1.0}, yields(1.0))], ("x", "y"))
    sums = SumOfLogRatios([SumOfLogRatios([ratio]), Normalization("n")])
    events = rng.uniform(0, 4, (100, 2))
    for given, names in ((ratio, ("a",)), (sums, ("a", "n"))):
        nuisances = Nuisances(given, GaussianConstraint(names))
        nuisances.require_reference(Sample(events, features=["x", "y"]))
        for features in (["y", "x"], ["x", "z"]):
            message = f"the binned log-ratio of a is for the features x, y, but reference has {', '.join(features)}"
            with pytest.raises(ValueError, match=message):
                NPLMTest(Sample(events, features=features, name="reference"), "histogram", nuisances=nuisances)
