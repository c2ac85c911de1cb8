"""Probabilities of counts against integrals that are done otherwise, a recursion, and scipy's distributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats
from scipy.special import log_ndtr, ndtr, pdtr, pdtrc

from nplm.channels.counts import UNCERTAINTIES, expectation_at, log_probability
from nplm.channels.mixture import Part

PARTS: dict[Part, Callable[[int, float], float]] = {
    "equal": lambda n, b: math.exp(n * math.log(b) - b - math.lgamma(n + 1)) if b > 0 else float(n == 0),
    "at least": lambda n, b: pdtrc(n - 1, b) if n else 1.0,
    "at most": lambda n, b: pdtr(n, b),
}


def by_quad(part: Part, n: int, expected: float, error: float, errors: str) -> float:
    """The integral by adaptive quadrature in pieces around everything that is narrow."""
    kernel = PARTS[part]
    shape, rate, s = (expected / error) ** 2, expected / error**2, math.log1p(error / expected)
    centre, width = (math.log(expected), s) if errors == "lognormal" else (expected, error)
    low, high = (centre - 40 * s, centre + 40 * s) if errors == "lognormal" else (0.0, expected + 40 * error)
    if errors == "gamma":
        high = expected + 60 * error + 60 / rate

    def density(u: float) -> float:
        if errors == "gamma":
            log_norm = shape * math.log(rate) - math.lgamma(shape)
            return math.exp((shape - 1) * math.log(u) - rate * u + log_norm) if u > 0 else 0.0
        whole = ndtr(expected / error) if errors == "gaussian" else 1.0
        return math.exp(-(((u - centre) / width) ** 2) / 2) / (width * math.sqrt(2 * math.pi) * whole)

    count = math.log(max(n, 0.3)) if errors == "lognormal" else n
    narrow = 1 / math.sqrt(n + 1) if errors == "lognormal" else math.sqrt(n + 1)
    # Where the two factors pull the maximum to lies between both.
    points = [count + k * narrow for k in range(-8, 9, 2)] + [centre + k * width for k in range(-30, 31, 2)]
    points += np.linspace(count, centre, 9).tolist()
    edges = sorted({min(max(p, low), high) for p in [low, high, *points]})

    def integrand(u: float) -> float:
        return density(u) * kernel(n, math.exp(u) if errors == "lognormal" else u)

    pieces = [pair for pair in pairwise(edges) if pair[1] > pair[0]]
    return math.fsum(integrate.quad(integrand, *pair, epsabs=0, epsrel=1e-11, limit=200)[0] for pair in pieces)


@pytest.mark.parametrize("errors", UNCERTAINTIES)
@pytest.mark.parametrize("part", list(PARTS))
def test_probabilities_are_those_of_an_independent_integration(part: Part, errors: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(6):
        expected = float(np.exp(rng.uniform(-3, 6)))
        error = expected * float(np.exp(rng.uniform(-3, 1)))
        n = int(rng.poisson(max(0.01, rng.normal(expected, error)))) if rng.random() < 0.8 else int(3 * expected) + 2
        found = math.exp(log_probability(part, *(np.array([float(v)]) for v in (n, expected, error)), errors)[0])
        assert found == pytest.approx(by_quad(part, n, expected, error, errors), rel=1e-8), (n, expected, error)


def test_gaussian_errors_follow_their_recursion_far_into_both_tails() -> None:
    """(n + 1) P(n + 1) = mu P(n) + error^2 P(n - 1), from P(0) in closed form; a mean of 40 +- 4, then one of 0."""
    expected, error = 40.0, 4.0
    mu = expected - error**2
    log_first = -expected + error**2 / 2 + log_ndtr(mu / error) - log_ndtr(expected / error)
    n = np.arange(200.0)
    found = log_probability("equal", n, np.full(200, expected), np.full(200, error), "gaussian")
    assert found[0] == pytest.approx(log_first, rel=1e-10)
    p = np.exp(found)
    np.testing.assert_allclose((n[1:-1] + 1) * p[2:], mu * p[1:-1] + error**2 * p[:-2], rtol=1e-9)
    # Half of a normal density around zero: P(0) = 2 exp(error^2 / 2) Phi(-error).
    half = log_probability("equal", np.zeros(1), np.zeros(1), np.array([1.3]), "gaussian")[0]
    assert half == pytest.approx(math.log(2) + 1.3**2 / 2 + log_ndtr(-1.3), rel=1e-10)


@pytest.mark.parametrize("errors", UNCERTAINTIES)
def test_tails_add_up_and_a_certain_expectation_is_poisson(errors: str) -> None:
    n = np.arange(1.0, 60.0)
    b, error = np.full(59, 20.0), np.full(59, 7.0)
    above, below, equal = (np.exp(log_probability(p, n, b, error, errors)) for p in ("at least", "at most", "equal"))
    np.testing.assert_allclose(above + below - equal, 1.0, rtol=1e-9)
    certain = np.exp(log_probability("at least", n, b, 0 * error, errors))
    np.testing.assert_allclose(certain, stats.poisson.sf(n - 1, 20.0), rtol=1e-10)
    assert np.exp(log_probability("at least", np.zeros(1), b[:1], error[:1], errors))[0] == 1.0


def test_gamma_errors_are_negative_binomial() -> None:
    n = np.arange(0.0, 40.0)
    b, error = np.full(40, 9.0), np.full(40, 4.0)
    size, share = (9 / 4) ** 2, 9 / (9 + 16)
    found = np.exp(log_probability("equal", n, b, error, "gamma"))
    np.testing.assert_allclose(found, stats.nbinom.pmf(n, size, share), rtol=1e-11)


@pytest.mark.parametrize("errors", UNCERTAINTIES)
def test_expectations_that_are_drawn_have_the_distribution_whose_counts_are_summed(errors: str) -> None:
    """The share of draws above a count, 200,000 of them, agrees with the exact probability within 5 sigma."""
    rng = np.random.default_rng(1)
    b, error = np.array([3.0, 50.0]), np.array([2.0, 6.0])
    n = rng.poisson(expectation_at(rng.standard_normal((200_000, 2)), b, error, errors))
    for column, count in ((0, 6.0), (1, 62.0)):
        exact = np.exp(
            log_probability("at least", *(np.array([v]) for v in (count, b[column], error[column])), errors)
        )[0]
        assert (n[:, column] >= count).mean() == pytest.approx(exact, abs=5 * math.sqrt(exact / 200_000))
