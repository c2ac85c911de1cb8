"""Interpolated log-ratios: exact where they are polynomials, within the tolerance elsewhere, else refused."""

from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import expon, norm

from nplm.nuisance.ratios.base import log_ratio
from nplm.nuisance.ratios.interpolated import CallableLogRatio

X = np.random.default_rng(1).exponential(size=500)[:, None]


def exponential(events: np.ndarray, nu: float) -> np.ndarray:
    x = events[:, 0]
    return np.asarray(expon.logpdf(x, scale=np.exp(nu)) - expon.logpdf(x))


def gaussian(events: np.ndarray, nu: np.ndarray) -> np.ndarray:
    """Mean and width move, so that the effect of one depends on the other."""
    x = events[:, 0]
    return np.asarray(norm.logpdf(x, nu[0], np.exp(nu[1])) - norm.logpdf(x))


SCALE = CallableLogRatio("scale", exponential, reach=0.75, order=10)
MEAN_AND_WIDTH = CallableLogRatio(("mean", "width"), gaussian, reach=[0.5, 0.3], order=7)


@pytest.mark.parametrize("nu", [-0.75, -0.4, 0.0, 0.1, 0.75])
def test_values_are_those_of_the_function(nu: float) -> None:
    np.testing.assert_allclose(log_ratio(SCALE, X, [nu]), exponential(X, nu), atol=1e-8)
    both = np.array([nu * 0.5 / 0.75, -nu * 0.3 / 0.75])
    np.testing.assert_allclose(log_ratio(MEAN_AND_WIDTH, X, both), gaussian(X, both), atol=1e-5)
    # The first test can fail: one degree is not enough.
    if abs(nu) == 0.4:
        line = CallableLogRatio("scale", exponential, reach=0.75, order=1, tolerance=10)
        assert np.abs(log_ratio(line, X, [nu]) - exponential(X, nu)).max() > 0.05


def test_at_zero_it_is_exactly_zero() -> None:
    for ratio in (SCALE, MEAN_AND_WIDTH):
        with jax.enable_x64(True):
            assert not np.asarray(ratio.coefficients(jnp.zeros(len(ratio.nuisances)))).any()


def test_polynomials_are_exact() -> None:
    """Also with their cross terms."""

    def quadratic(events: np.ndarray, nu: np.ndarray) -> np.ndarray:
        x = events[:, 0]
        return x * nu[0] - 0.3 * x**2 * nu[0] ** 2 / 2 + nu[0] * nu[1] * np.sin(x) + nu[1]

    ratio = CallableLogRatio(("a", "b"), quadratic, reach=2.0, order=2)
    for nu in ([1.0, -1.5], [0.0, 2.0], [-2.0, 0.1]):
        np.testing.assert_allclose(log_ratio(ratio, X, nu), quadratic(X, np.array(nu)), atol=1e-11)


def test_derivatives_at_zero_are_d1_and_d2() -> None:
    """d1 = x - 1 and d2 = -x, compiled."""
    with jax.enable_x64(True):
        first = np.asarray(jax.jit(jax.jacfwd(SCALE.coefficients))(jnp.zeros(1)))[1:, 0]
        second = np.asarray(jax.jit(jax.jacfwd(jax.jacfwd(SCALE.coefficients)))(jnp.zeros(1)))[1:, 0, 0]
    basis = SCALE.basis(X)
    np.testing.assert_allclose(basis @ first, X[:, 0] - 1, atol=1e-7)
    np.testing.assert_allclose(basis @ second, -X[:, 0], atol=1e-5)


def test_beyond_the_reach_it_is_a_straight_line() -> None:
    with jax.enable_x64(True):
        c = jax.jit(MEAN_AND_WIDTH.coefficients)
        first, second = jax.jit(jax.jacfwd(c)), jax.jit(jax.jacfwd(jax.jacfwd(c)))
        edge, out = jnp.array([0.5, 0.1]), jnp.array([0.5, 0.1]) + jnp.array([1.3, 0.0])
        slope = first(edge)
        np.testing.assert_allclose(c(out), c(edge) + slope[:, 0] * 1.3, atol=1e-12)
        np.testing.assert_allclose(first(out)[:, 0], slope[:, 0], atol=1e-12)
        # The curvature is continuous from within.
        near, inside = (np.asarray(second(edge * share)) for share in (1 - 1e-6, 1 - 1e-3))
        np.testing.assert_allclose(near, inside, rtol=0.05, atol=0.05 * np.abs(near).max())
        assert np.abs(near).max() > 1


def test_a_bad_interpolation_is_refused_with_its_error() -> None:
    with pytest.raises(ValueError, match=r"scale is interpolated with an error of .* more than 1e-05: raise the order"):
        CallableLogRatio("scale", exponential, reach=0.75, order=3).basis(X)
    # An extreme event counts, wherever it is in a large sample.
    many = np.full((100_000, 1), 1e-3)
    CallableLogRatio("scale", exponential, reach=0.75, order=7).basis(many)
    many[12_345] = 1000.0
    with pytest.raises(ValueError, match=re.escape("for the event [1000.0]")):
        CallableLogRatio("scale", exponential, reach=0.75, order=7).basis(many)
    with pytest.raises(ValueError, match="a log-ratio with a kink"):
        CallableLogRatio("kink", lambda events, nu: events[:, 0] * abs(nu), reach=1.0, order=12).basis(X)


def test_bad_functions_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"log-ratio of a must be 0 at nu = 0.*its size is 0\.5"):
        CallableLogRatio("a", lambda events, nu: np.full(len(events), nu + 0.5), 1.0).basis(X)
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(ValueError, match=r"log-ratio of a is nan at nu = .*reduce the reach"),
    ):
        CallableLogRatio("a", lambda events, nu: np.log1p(np.full(len(events), nu)), 2.0).basis(X)
    with pytest.raises(ValueError, match=r"must return shape \(500,\), one value for each event, not \(500, 1\)"):
        CallableLogRatio("a", lambda events, nu: events * nu, 1.0).basis(X)
    with pytest.raises(ValueError, match="the reach of b must be positive, not 0"):
        CallableLogRatio(("a", "b"), gaussian, [1.0, 0.0])
    with pytest.raises(ValueError, match="order of the interpolation of a must be 1 or more, not 0"):
        CallableLogRatio("a", exponential, 1.0, order=0)
    with pytest.raises(ValueError, match="the tolerance of log r must be positive"):
        CallableLogRatio("a", exponential, 1.0, tolerance=0.0)
