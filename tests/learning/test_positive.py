"""Sums of squares of degree 4: positive everywhere, as they were where they are such sums, and near exact ratios."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.special import softmax

from nplm.learning import LearnedPolynomialRatio, MorphedSample, RegressionSettings, learn_from_morphing
from nplm.learning.learned_polynomial import PolynomialForm
from nplm.learning.positive import made_positive
from nplm.nuisance.ratios.monomials import monomials, powers_of
from toys.interference import Interference

PROBLEM = Interference(2)
# An operator in production and in decay: the weight is that of the problem squared, |1 + c a|^4.
POINTS = [0.0, 0.5, -0.5, 1.0, -1.0]


def exact_polynomial(x: np.ndarray) -> np.ndarray:
    """Coefficients of E[|1 + c a|^4 | x], by sums over the energy and the azimuth that may lie behind x."""
    energies, turns = np.linspace(0, 15, 1001)[1:] - 0.0075, np.linspace(-np.pi, np.pi, 64, endpoint=False)
    of_z = softmax(-energies - (x[:, :1] - energies) ** 2 / (2 * PROBLEM.resolution**2), axis=1)
    apart = (x[:, 1:2] - turns)[:, :, None] + 2 * np.pi * np.arange(-2, 3)
    of_turn = np.exp(-(apart**2) / (2 * PROBLEM.angle_resolution**2)).sum(axis=2)
    of_turn /= of_turn.sum(axis=1, keepdims=True)
    z, turn = (each.ravel() for each in np.meshgrid(energies, turns, indexing="ij"))
    latent = np.column_stack([z, turn])
    squares = [PROBLEM.weight(latent, {"c_even": c}).reshape(len(energies), -1) ** 2 for c in POINTS]
    means = np.array([((of_z @ each) * of_turn).sum(axis=1) for each in squares])
    return np.linalg.solve(np.vander(POINTS, 5, increasing=True), means)[1:].T


@cache
def cells() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some cells of events, how many are expected in each, and the exact coefficients there."""
    x, expected = PROBLEM.cells()
    some = np.flatnonzero(expected > 1e-3 * expected.max())[::5]
    return x[some], expected[some], exact_polynomial(x[some])


@cache
def learned(form: PolynomialForm) -> LearnedPolynomialRatio:
    sample, weights = PROBLEM.draw_weighted(np.random.default_rng(1), 12_000, [{"c_even": c} for c in POINTS])
    fourth = sample.weights[:, None] * (weights / sample.weights[:, None]) ** 2
    morphed = MorphedSample.of(sample, fourth, [{"c_even": c} for c in POINTS], degree=4)
    return learn_from_morphing(morphed, form=form, reach=0.3, settings=RegressionSettings(members=2, centers=60))


@pytest.mark.parametrize("k", [1, 2])
def test_random_polynomials_become_positive_and_sums_of_squares_stay(k: int) -> None:
    """At any theta; sums of squares to 1% of the largest coefficient: projections in turn converge slowly at edges."""
    rng = np.random.default_rng(k)
    powers = monomials(k, 4)[1:]
    values = rng.normal(size=(200, len(powers)))
    changed = made_positive(values, powers)
    np.testing.assert_array_equal(changed[:, :k], values[:, :k])
    theta = rng.normal(scale=2, size=(1000, k))
    assert (1 + values @ powers_of(theta, powers).T < 0).any()
    assert (1 + changed @ powers_of(theta, powers).T > 0).all()
    half = monomials(k, 2)
    number = {tuple(row): t for t, row in enumerate(monomials(k, 4).tolist())}
    vectors = rng.normal(size=(200, 6, len(half)))
    q = np.einsum("njh,nji->nhi", vectors, vectors)
    q /= q[:, :1, :1]
    squares = np.zeros((200, len(number)))
    for i, a in enumerate(half):
        for j, b in enumerate(half):
            squares[:, number[tuple((a + b).tolist())]] += q[:, i, j]
    found = made_positive(squares[:, 1:], powers)
    size = np.abs(squares).max(axis=1)
    assert np.quantile(np.abs(found - squares[:, 1:]).max(axis=1) / size, 0.9) < 0.01
    # And what is no such sum is changed by far.
    assert np.median(np.abs(changed - values).max(axis=1)) > 0.1


def test_the_exact_ratio_of_two_amplitudes_is_kept() -> None:
    """E[|1 + c a|^4 | x] is a sum of squares: r at |c| < .3 moves by 0.3% in the mean, in tails of full interference.

    The sum over what may lie behind x is right: its mean is the yield of events that are drawn.
    """
    _, expected, exact = cells()
    c = np.linspace(-0.3, 0.3, 7)[:, None] ** np.arange(1, 5)
    scale = 0.3 ** np.arange(1, 5)
    kept = made_positive(exact * scale, monomials(1, 4)[1:]) / scale
    moved = np.abs((1 + kept @ c.T) / (1 + exact @ c.T) - 1).max(axis=1)
    assert np.median(moved) < 1e-3
    assert expected @ moved / expected.sum() < 3e-3
    drawn, latent = PROBLEM.draw(np.random.default_rng(5), 3000)
    difference = 1 + exact_polynomial(drawn) @ c[-1] - PROBLEM.weight(latent, {"c_even": 0.3}) ** 2
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(3000)


@pytest.mark.parametrize("form", ["positive", "polynomial"])
def test_a_learned_ratio_of_degree_4_is_near_the_exact_one(form: PolynomialForm) -> None:
    """log r at c = +-.2 to a fifth of its size; the positive form exists at every c, the other one does not."""
    ratio = learned(form)
    assert ratio.validation is not None
    assert ratio.validation.passed
    x, expected, exact = cells()
    found = ratio.polynomial(x)
    for c in (0.2, -0.2):
        log_r = np.log1p(exact @ c ** np.arange(1, 5))
        error = np.sqrt(expected @ (ratio.log_of(found, {"c_even": c}) - log_r) ** 2 / expected.sum())
        assert error < 0.2 * np.sqrt(expected @ log_r**2 / expected.sum())
    wide = np.linspace(-3, 3, 201)[:, None] ** np.arange(1, 5)
    lowest = (1 + found @ wide.T).min()
    assert (lowest > 0) == (form == "positive")
