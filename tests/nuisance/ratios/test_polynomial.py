"""Log-ratios of polynomials: exact event by event, expanded as accurately as they say, refused where r is negative."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nplm.nuisance import PolynomialLogRatio
from nplm.nuisance.ratios.base import log_ratio
from nplm.nuisance.ratios.monomials import monomials, names_of_monomials, powers_of, traced_powers

X = np.random.default_rng(1).normal(size=(300, 2))
POWERS = monomials(2, 2)[1:]


def coefficients(events: np.ndarray) -> np.ndarray:
    """(1 + a . theta)^2 + (b . theta)^2, and so positive."""
    a, b = 0.3 * np.sin(events), 0.4 + 0.2 * np.cos(events)
    return np.column_stack(
        [
            2 * a[:, 0],
            2 * a[:, 1],
            a[:, 0] ** 2 + b[:, 0] ** 2,
            2 * (a[:, 0] * a[:, 1] + b[:, 0] * b[:, 1]),
            a[:, 1] ** 2 + b[:, 1] ** 2,
        ]
    )


def exact(events: np.ndarray, theta: np.ndarray) -> np.ndarray:
    a, b = 0.3 * np.sin(events), 0.4 + 0.2 * np.cos(events)
    return np.log((1 + a @ theta) ** 2 + (b @ theta) ** 2)


RATIO = PolynomialLogRatio(("p", "q"), POWERS, coefficients, [1.0, 0.8], order=16)


@pytest.mark.parametrize("theta", [[0.0, 0.0], [0.5, -0.3], [-1.0, 0.8], [1.0, 0.8], [-0.01, 0.0]])
def test_it_is_the_logarithm_of_the_polynomial(theta: list[float]) -> None:
    truth = exact(X, np.array(theta))
    np.testing.assert_allclose(RATIO.log_ratio(X, theta), truth, atol=1e-12)
    np.testing.assert_allclose(log_ratio(RATIO, X, theta), truth, atol=1e-3)
    with jax.enable_x64(True):
        columns = jnp.asarray(RATIO.columns(X))
        pointwise = np.asarray(RATIO.log_r(columns, jnp.asarray(theta)))
    np.testing.assert_allclose(pointwise, truth, atol=1e-12)


def test_a_higher_order_is_more_accurate_and_a_low_one_is_refused() -> None:
    theta = [0.9, -0.7]
    errors = []
    for order in (6, 12, 24):
        ratio = PolynomialLogRatio(("p", "q"), POWERS, coefficients, [1.0, 0.8], order=order, tolerance=1.0)
        errors.append(np.abs(log_ratio(ratio, X, theta) - exact(X, np.array(theta))).max())
    assert errors[0] > 10 * errors[1] > 100 * errors[2]
    low = PolynomialLogRatio(("p", "q"), POWERS, coefficients, [1.0, 0.8], order=2)
    with pytest.raises(ValueError, match=r"expanded with an error of .* more than 0\.001: raise the order \(2\)"):
        low.basis(X)


def test_derivatives_and_the_line_beyond_the_reach() -> None:
    with jax.enable_x64(True):
        assert not np.asarray(RATIO.coefficients(jnp.zeros(2))).any()
        slope = np.asarray(jax.jacfwd(RATIO.coefficients)(jnp.zeros(2)))
        inside, step = jnp.array([1.0, 0.2]), jnp.array([0.1, 0.0])
        value, along = jax.jvp(RATIO.coefficients, (inside - 1e-9,), (step,))
        beyond = np.asarray(RATIO.coefficients(inside + step))
    rows = RATIO.basis(X)
    np.testing.assert_allclose(rows @ slope[1:], coefficients(X)[:, :2], atol=2e-2)
    np.testing.assert_allclose(rows @ beyond[1:], rows @ (np.asarray(value) + np.asarray(along))[1:], atol=1e-6)


def test_monomials_and_their_names() -> None:
    powers = monomials(3, 2)
    assert names_of_monomials(("a", "b", "c"), powers) == [
        "1", "a", "b", "c", "a^2", "a b", "a c", "b^2", "b c", "c^2",
    ]  # fmt: skip
    theta = np.array([0.5, -2.0, 0.0])
    with jax.enable_x64(True):
        traced = np.asarray(traced_powers(jnp.asarray(theta), powers))
        second = np.asarray(jax.hessian(lambda t: traced_powers(t, powers).sum())(jnp.zeros(3)))
    np.testing.assert_allclose(traced, powers_of(theta, powers))
    np.testing.assert_allclose(second, np.ones((3, 3)) + np.eye(3))


def test_what_makes_no_sense_is_refused() -> None:
    def negative(events: np.ndarray) -> np.ndarray:
        return np.column_stack([events[:, 0], 0 * events[:, 0]])

    with pytest.raises(ValueError, match=r"r\(x; theta\) = -.* not positive for .* events: reduce the reach"):
        PolynomialLogRatio("c", [[1], [2]], negative, 1.0).basis(X)
    # In fits, event by event, r is taken as vanishing there.
    with jax.enable_x64(True):
        assert (
            float(PolynomialLogRatio("c", [[1]], negative, 1.0).log_r(jnp.array([[-2.0]]), jnp.array([1.0]))[0]) < -600
        )
    with pytest.raises(ValueError, match=r"c = 2 is outside of \[-1, 1\]"):
        PolynomialLogRatio("c", [[1], [2]], negative, 1.0).log_ratio(X, {"c": 2.0})
    with pytest.raises(ValueError, match="constant term of r is 1"):
        PolynomialLogRatio("c", [[0], [1]], negative, 1.0)
    with pytest.raises(ValueError, match="whole numbers of shape"):
        PolynomialLogRatio("c", [[0.5]], negative, 1.0)
    with pytest.raises(ValueError, match="must be positive"):
        PolynomialLogRatio("c", [[1]], negative, 0.0)
    with pytest.raises(ValueError, match="more than 500: lower the order"):
        PolynomialLogRatio(("a", "b", "c"), monomials(3, 2)[1:], negative, 1.0, order=16)
    with pytest.raises(ValueError, match=r"must return shape \(300, 1\), the coefficients of c, not \(300, 2\)"):
        PolynomialLogRatio("c", [[1]], negative, 1.0).basis(X)
    with pytest.raises(ValueError, match="not finite at the event"):
        PolynomialLogRatio("c", [[1]], lambda x: x[:, :1] * np.nan, 1.0).basis(X)
    with pytest.raises(ValueError, match="too many"):
        monomials(20, 6)
