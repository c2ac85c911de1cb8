"""Morphing: exact for polynomials, with known errors, and refused where the basis cannot tell."""

from __future__ import annotations

from itertools import pairwise
from math import comb

import numpy as np
import pytest

from nplm import Sample
from nplm.learning import MorphedSample, Morphing
from nplm.nuisance.ratios.monomials import monomials, powers_of
from toys.interference import PARAMETERS, Interference

BASIS = [{}, {"c_even": 1}, {"c_even": -1}, {"c_odd": 1}, {"c_odd": -1}, {"c_even": 1, "c_odd": 1}]
PROBLEM = Interference(2)


def morphed(n: int = 4000, seed: int = 1) -> tuple[MorphedSample, np.ndarray]:
    """Events with weights at the basis, and their latent values."""
    rng = np.random.default_rng(seed)
    x, latent = PROBLEM.draw(rng, n)
    w = np.full(n, PROBLEM.expected_yield / n)
    columns = np.column_stack([w * PROBLEM.weight(latent, point) for point in BASIS])
    return MorphedSample.of(Sample(x, w, PROBLEM.features), columns, BASIS, PARAMETERS), latent


@pytest.mark.parametrize(("k", "degree"), [(1, 2), (2, 2), (3, 2), (1, 4), (2, 3), (2, 4)])
def test_any_polynomial_is_reproduced(k: int, degree: int) -> None:
    """Random polynomials through random points: at the basis and anywhere to 1e-10; of a higher degree they are not."""
    rng = np.random.default_rng([k, degree])
    count = comb(k + degree, degree)
    powers = monomials(k, degree)
    assert len(powers) == count
    names = [f"c{i}" for i in range(k)]
    points = rng.uniform(-2, 2, (count + 3, k))
    truth = rng.normal(size=(50, count))
    morphing = Morphing(names, points, degree)
    weights = truth @ powers_of(points, powers).T
    found = morphing.coefficients(weights)
    np.testing.assert_allclose(found, truth, atol=1e-10)
    np.testing.assert_allclose(found @ powers_of(points, powers).T, weights, atol=1e-10)
    anywhere = rng.uniform(-3, 3, k)
    np.testing.assert_allclose(weights @ morphing.factors(anywhere), truth @ powers_of(anywhere, powers), atol=1e-9)
    # The constant is a polynomial.
    assert morphing.factors(anywhere).sum() == pytest.approx(1, abs=1e-10)
    higher = weights + points[:, 0] ** (degree + 1)
    with pytest.raises(ValueError, match=f"no polynomial of degree {degree}"):
        morphing.coefficients(higher)


def test_weights_of_an_effective_theory_are_exact_at_any_point() -> None:
    sample, latent = morphed()
    for theta in (*BASIS, {"c_even": 0.3, "c_odd": -0.7}, {"c_even": -2.0, "c_odd": 1.5}):
        expected = sample.sample.weights * PROBLEM.weight(latent, theta)
        np.testing.assert_allclose(sample.weights_at(theta), expected, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(sample.joint_score(), PROBLEM.joint_score(latent), atol=1e-10)


def test_yields_have_interference_and_errors() -> None:
    """In 200 simulations of 500 events, the pulls of yield, ratio and a bin have mean 0 and width 1."""
    theta = {"c_even": 0.5, "c_odd": 0.3}
    exact = PROBLEM.expected_at(theta)
    many, _ = PROBLEM.draw(np.random.default_rng(99), 400_000, theta)
    above_two = float((many[:, 0] >= 2.0).mean()) * exact
    pulls = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        # The number of simulated events fluctuates, as sqrt(sum w^2) is the error of a Poisson sum.
        x, latent = PROBLEM.draw(rng, rng.poisson(500))
        w = np.full(len(x), 2.0)
        columns = np.column_stack([w * PROBLEM.weight(latent, point) for point in BASIS])
        sample = MorphedSample.of(Sample(x, w, PROBLEM.features), columns, BASIS, PARAMETERS)
        total = sample.yield_at(theta)
        above = sample.histogram("m", [2.0, 100.0], theta)
        pulls.append(
            [
                (total.value - exact) / total.error,
                (total.ratio - exact / 1000) / total.ratio_error,
                (above.value[0] - above_two) / above.error[0],
            ]
        )
        assert total.error > total.ratio_error * 1000
    mean, width = np.mean(pulls, axis=0), np.std(pulls, axis=0)
    assert np.abs(mean).max() < 4 / np.sqrt(200) + 0.15
    assert (np.abs(width - 1) < 4 / np.sqrt(400) + 0.05).all()
    # Without the interference the yield would be off by many errors.
    assert abs(PROBLEM.expected_at({}) + 2 * (exact - PROBLEM.expected_at({})) - exact) / 30 > 2


def test_histograms_are_sums_of_weights() -> None:
    sample, latent = morphed(1000)
    theta, edges = {"c_odd": 1.0}, [-1.0, 0.5, 2.0]
    w = sample.sample.weights * PROBLEM.weight(latent, theta)
    inside = [(sample.sample["m"] >= a) & (sample.sample["m"] < b) for a, b in pairwise(edges)]
    found = sample.histogram("m", edges, theta)
    np.testing.assert_allclose(found.value, [w[rows].sum() for rows in inside])
    np.testing.assert_allclose(found.error, [np.sqrt((w[rows] ** 2).sum()) for rows in inside])
    np.testing.assert_allclose(found.ratio, [w[r].sum() / sample.sample.weights[r].sum() for r in inside])
    whole = sample.yield_at(theta)
    assert sample.histogram("m", [-100, 100], theta).value[0] == pytest.approx(float(whole.value))


def test_ratios_are_recognized_and_joint_information_bounds_that_of_features() -> None:
    rng = np.random.default_rng(2)
    sample, columns = PROBLEM.draw_weighted(rng, 20_000, BASIS)
    as_ratios = MorphedSample.of(sample, columns / sample.weights[:, None], BASIS, PARAMETERS)
    as_weights = MorphedSample.of(sample, columns, BASIS, PARAMETERS, relative=False)
    np.testing.assert_allclose(as_ratios.coefficients, as_weights.coefficients, atol=1e-12)
    joint, seen = as_weights.joint_information(), PROBLEM.information()
    # E[t^2] = 4 g^2 2 (u^2 + v^2 / 2) and 4 g^2 2 v^2 / 2.
    g, u, v = PROBLEM.growth, PROBLEM.direct, PROBLEM.azimuthal
    np.testing.assert_allclose(np.diag(joint), 8000 * g**2 * np.array([u**2 + v**2 / 2, v**2 / 2]), rtol=0.1)
    assert (np.linalg.eigvalsh(joint - seen) > 0).all()
    reach = as_weights.usual_reach()
    exact = 5 / np.sqrt(np.diag(joint))
    assert (reach <= exact).all()
    np.testing.assert_allclose(reach, exact, rtol=0.03)
    assert reach.tolist() == [float(f"{value:.2g}") for value in reach]
    half = as_weights.scaled_to(500.0).select(np.arange(10))
    assert half.sample.total_weight == pytest.approx(500 * 10 / 20_000)


@pytest.mark.parametrize(
    ("parameters", "points", "degree", "message"),
    [
        (["c"], [[0], [1]], 2, "has 3 coefficients, but there are 2 basis points: give 3 or more"),
        (["a", "b"], np.zeros((5, 2)), 2, "has 6 coefficients, but there are 5"),
        (["c"], [[0], [1], [1]], 2, r"basis point \[1.0\] is given more than once"),
        (["c"], [[0], [1], [np.nan]], 2, "must be finite"),
        (["a", "b"], [[0, 0], [1, 0], [2, 0], [3, 0], [4, 0], [5, 0]], 2, "no basis point moves b"),
        (["a", "b"], [[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1], [0, 2]], 2, "do not tell a b apart"),
        (["c"], [[1.0], [1.0001], [1.0002]], 2, "badly .condition number"),
        (["c"], [[0, 1], [1, 0], [1, 1]], 2, r"must have shape \(m, 1\)"),
        (["c"], [[0], [1], [2]], 0, "degree of 1 or more"),
        (["c", "c"], [[0, 0]], 2, "must be distinct"),
    ],
)
def test_a_basis_that_cannot_do_is_refused(parameters: list[str], points: object, degree: int, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Morphing(parameters, points, degree)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_weights_that_cannot_be_are_refused() -> None:
    morphing = Morphing(["c"], [{"c": 0}, {"c": 1}, {"c": -1}])
    assert morphing.condition < 5
    assert morphing.describe().startswith("weights of degree 2 in c: 3 coefficients from 3 basis points")
    with pytest.raises(ValueError, match=r"shape \(n, 3\), one column for each basis point"):
        morphing.coefficients(np.ones((4, 2)))
    with pytest.raises(ValueError, match="weight of event 1 at c = -1 is inf"):
        morphing.coefficients(np.array([[1, 2, 3], [1, 2, np.inf]]))
    with pytest.raises(ValueError, match="the same at all basis points: c would have no effect"):
        morphing.coefficients(np.ones((4, 3)))
    with pytest.raises(ValueError, match="so far from the basis points that errors of weights grow"):
        morphing.factors({"c": 1000.0})
    with pytest.raises(ValueError, match="unknown nuisance d"):
        morphing.factors({"d": 1.0})
    with pytest.raises(ValueError, match="finite"):
        morphing.factors([np.nan])
    sample = Sample([1.0, 2.0, 3.0], features=["x"])
    weights = np.array([[1, 2, 1.5], [1, 3, 2.0], [1, 1, 1.2]])
    points = [{"c": 0}, {"c": 1}, {"c": -1}]
    with pytest.raises(ValueError, match="at c = 0, not those of sample"):
        MorphedSample.of(sample, weights * 7, points, relative=False)
    with pytest.raises(ValueError, match=r"shape \(3, 3\), one for each event"):
        MorphedSample.of(sample, weights[:2], points)
    with pytest.raises(ValueError, match="name the parameters"):
        MorphedSample.of(sample, weights, [[0], [1], [-1]])
    good = MorphedSample.of(sample, weights, points)
    with pytest.raises(ValueError, match="edges of bins"):
        good.histogram("x", [1.0, 1.0], {"c": 1})
    falling = MorphedSample.of(sample, np.array([[1, -2, 4.0]] * 3), points)
    with pytest.raises(ValueError, match="a yield must be positive"):
        falling.at({"c": 1.0})
