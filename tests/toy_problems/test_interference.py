"""The effective theory with interference: closed forms against integrals over latent values, and draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from nplm.nuisance.ratios.base import log_ratio
from toys.interference import MONOMIALS, PARAMETERS, Interference

PROBLEMS = [Interference(2), Interference(3, growth=0.2, direct=0.6, resolution=0.5)]
POINTS = [{}, {"c_even": 0.3, "c_odd": -0.4}, {"c_even": -0.2}]
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(60)


def gauss(low: float, high: float, pieces: int) -> tuple[np.ndarray, np.ndarray]:
    ends = np.linspace(low, high, pieces + 1)
    half = np.diff(ends)[:, None] / 2
    return (ends[:-1, None] + half + half * _NODES).ravel(), (half * _WEIGHTS).ravel()


def integrated(problem: Interference, x: np.ndarray, theta: dict[str, float]) -> float:
    """n(x; theta) by integration over z, phi and y of the density of latent values times the detector's."""
    z, wz = gauss(max(0.0, x[0] - 9 * problem.resolution), x[0] + 9 * problem.resolution, 1)
    angle, wa = gauss(-np.pi, np.pi, 1)
    y, wy = gauss(-8.0, 8.0, 1) if problem.dimension == 3 else (np.ones(1), np.ones(1))
    grid = np.stack([axis.ravel() for axis in np.meshgrid(z, angle, y, indexing="ij")], axis=1)
    size = np.einsum("i,j,k->ijk", wz, wa, wy).ravel()
    turns = 2 * np.pi * np.arange(-5, 6)
    seen = norm.pdf(x[0], grid[:, 0], problem.resolution)
    seen *= norm.pdf(x[1] + turns, grid[:, 1:2], problem.angle_resolution).sum(axis=1)
    latent = np.exp(-grid[:, 0]) / (2 * np.pi)
    if problem.dimension == 3:
        seen *= norm.pdf(x[2], grid[:, 2], problem.rapidity_resolution)
        latent *= norm.pdf(grid[:, 2])
    weight = problem.weight(grid[:, : problem.dimension], theta)
    return float(problem.expected_yield * (size * latent * weight) @ seen)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("theta", POINTS)
def test_the_density_is_the_integral_over_latent_values(problem: Interference, theta: dict[str, float]) -> None:
    for x in ([0.1, 1.0, -0.5], [3.0, -2.5, 1.2], [-0.6, 3.0, 0.0]):
        event = np.array(x)[: problem.dimension]
        log_n = (
            np.log(problem.expected_yield) + problem.log_density(event[None]) + problem.log_ratio(event[None], theta)
        )
        np.testing.assert_allclose(np.exp(log_n[0]), integrated(problem, event, theta), rtol=1e-9)


def test_means_of_the_energy_are_those_of_an_integral() -> None:
    """Where the energy is far below threshold too, where the closed form has differences of large numbers."""
    problem = PROBLEMS[0]
    for m in (-1.5, -0.3, 0.0, 2.0, 12.0):

        def moment(power: int, m: float = m) -> float:
            top = max(m, 0.0)
            found = quad(lambda z: z**power * np.exp(-z) * norm.pdf(m, z, problem.resolution), 0, top + 4, epsabs=0)
            return float(found[0])

        one, two = problem._energy(np.array([m]))
        np.testing.assert_allclose([one[0], two[0]], [moment(1) / moment(0), moment(2) / moment(0)], rtol=1e-6)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("theta", POINTS)
def test_yield_score_and_information_agree(problem: Interference, theta: dict[str, float]) -> None:
    x, expected = problem.cells(theta)
    np.testing.assert_allclose(expected.sum(), problem.expected_at(theta), rtol=1e-10)
    # The score is the derivative of log r, and the information that of the yield's and of sum n log r.
    step, events = 1e-4, x[:: len(x) // 500]
    for i, name in enumerate(PARAMETERS):
        ends = [{**theta, name: theta.get(name, 0.0) + s} for s in (step, -step)]
        slope = (problem.log_ratio(events, ends[0]) - problem.log_ratio(events, ends[1])) / (2 * step)
        np.testing.assert_allclose(problem.score(events, theta)[:, i], slope, rtol=1e-4, atol=1e-6)
    # E[s] = d log N / d theta: the mean of the score is that of the yield.
    slopes = [
        (
            problem.expected_at({**theta, n: theta.get(n, 0) + step})
            - problem.expected_at({**theta, n: theta.get(n, 0) - step})
        )
        / (2 * step)
        for n in PARAMETERS
    ]
    np.testing.assert_allclose(expected @ problem.score(x, theta), slopes, atol=1e-5 * problem.expected_yield)
    # The information is minus the second derivative of the expected log-likelihood sum n log n - N.
    information = problem.information(theta)
    for i, name in enumerate(PARAMETERS):

        def expected_log(value: float, name: str = name) -> float:
            there = {**theta, name: theta.get(name, 0.0) + value}
            return float(expected @ problem.log_ratio(x, there)) - problem.expected_at(there)

        h = 2e-3
        second = (expected_log(h) - 2 * expected_log(0.0) + expected_log(-h)) / h**2
        np.testing.assert_allclose(information[i, i], -second, rtol=2e-4)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_draws_follow_the_density(problem: Interference, rng: np.random.Generator) -> None:
    """Means of functions of 40,000 events at theta are those of the quadrature; those at theta = 0 are far off."""
    theta = {"c_even": 0.3, "c_odd": -0.4}
    drawn, latent = problem.draw(rng, 40_000, theta)
    assert latent.shape == drawn.shape

    def functions(x: np.ndarray) -> np.ndarray:
        m, angle = x[:, 0], x[:, 1]
        more = [x[:, 2], x[:, 2] ** 2, m * x[:, 2] * np.cos(angle)] if problem.dimension == 3 else []
        return np.column_stack([m, m**2, np.cos(angle), np.sin(angle), m * np.cos(angle), m * np.sin(angle), *more])

    x, expected = problem.cells(theta)
    at_zero = problem.cells()[1]
    observed, values = functions(drawn), functions(x)
    error = observed.std(axis=0) / np.sqrt(len(drawn))
    pull = (observed.mean(axis=0) - expected @ values / expected.sum()) / error
    # Up to nine functions, of two problems.
    assert np.abs(pull).max() < 4.2
    wrong = (observed.mean(axis=0) - at_zero @ values / at_zero.sum()) / error
    assert np.abs(wrong).max() > 10


def test_weights_are_the_joint_ratio_and_average_to_the_ratio(rng: np.random.Generator) -> None:
    problem, theta = PROBLEMS[1], {"c_even": 0.4, "c_odd": 0.2}
    x, latent = problem.draw(rng, 100_000)
    joint, seen = problem.weight(latent, theta), np.exp(problem.log_ratio(x, theta))
    for function in (np.ones(len(x)), x[:, 0], np.cos(x[:, 1]), x[:, 2] * np.cos(x[:, 1])):
        difference = function * (joint - seen)
        assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(x))
    # They are not the same: an event weighs what its latent values say.
    assert (joint - seen).std() > 0.05
    h = 1e-5
    for i, name in enumerate(PARAMETERS):
        slope = (problem.weight(latent, {name: h}) - problem.weight(latent, {name: -h})) / (2 * h)
        np.testing.assert_allclose(problem.joint_score(latent)[:, i], slope, atol=1e-8)


@pytest.mark.parametrize("reach", [{"c_even": 0.4}, {"c_odd": 0.5}, {"c_even": 0.25, "c_odd": 0.25}])
def test_the_log_ratio_for_fits_is_the_exact_one(reach: dict[str, float], rng: np.random.Generator) -> None:
    problem = PROBLEMS[0]
    x, _ = problem.draw(rng, 3000)
    ratio = problem.exact_ratio(reach)
    assert ratio.nuisances == tuple(reach)
    for share in (1.0, -0.3):
        theta = {name: share * value for name, value in reach.items()}
        np.testing.assert_allclose(log_ratio(ratio, x, theta), problem.log_ratio(x, theta), atol=1e-3)
        np.testing.assert_allclose(ratio.log_ratio(x, theta), problem.log_ratio(x, theta), atol=1e-12)


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="2 features or 3, not 4"):
        Interference(4)
    with pytest.raises(ValueError, match="positive"):
        Interference(resolution=0.0)
    with pytest.raises(ValueError, match="unknown nuisance c_other"):
        Interference().exact_ratio({"c_other": 1.0})
    assert len(MONOMIALS) == 5
