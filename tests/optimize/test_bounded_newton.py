"""Newton's method within bounds: minima in closed form, at bounds, beside a saddle, and where nothing exists."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der, rosen_hess

from nplm.optimize.bounded_newton import bounded_newton

FREE = np.ones(2, dtype=bool)
NO_BOUNDS = np.full(2, np.inf)


def _rosenbrock(x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    return float(rosen(x)), rosen_der(x), rosen_hess(x)


def test_a_curved_valley_is_followed_to_its_end() -> None:
    found = bounded_newton(_rosenbrock, np.array([-1.2, 1.0]), -NO_BOUNDS, NO_BOUNDS, FREE)
    assert found.converged
    np.testing.assert_allclose(found.point, 1.0, atol=1e-5)


def test_at_a_bound_the_gradient_points_outwards() -> None:
    """With x <= 0.5 the minimum is at (.5, .25)."""
    high = np.array([0.5, np.inf])
    found = bounded_newton(_rosenbrock, np.array([-1.2, 1.0]), -NO_BOUNDS, high, FREE)
    assert found.converged
    np.testing.assert_allclose(found.point, [0.5, 0.25], atol=1e-5)
    assert found.gradient[0] < 0


def test_a_held_coordinate_stays() -> None:
    found = bounded_newton(_rosenbrock, np.array([0.3, 2.0]), -NO_BOUNDS, NO_BOUNDS, np.array([False, True]))
    assert found.converged
    np.testing.assert_allclose(found.point, [0.3, 0.09], atol=1e-6)


def test_negative_curvature_is_walked_down() -> None:
    """x^4 / 4 - x^2 / 2 begins at .1, where it is curved the wrong way, and ends at 1."""

    def double_well(x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        return float(x[0] ** 4 / 4 - x[0] ** 2 / 2), x**3 - x, np.array([[3 * x[0] ** 2 - 1]])

    one = np.array([np.inf])
    found = bounded_newton(double_well, np.array([0.1]), -one, one, np.array([True]))
    assert found.converged
    assert found.point[0] == pytest.approx(1.0, abs=1e-5)
    # At 0 the gradient is 0, but that is a maximum.
    assert not bounded_newton(double_well, np.array([0.0]), -one, one, np.array([True])).converged


def test_where_the_objective_does_not_exist_is_stepped_back_from() -> None:
    """x - log x is infinite below 0; a full Newton step from 3 leads to -3."""

    def barrier(x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        with np.errstate(invalid="ignore"):
            return float(x[0] - np.log(x[0])), 1 - 1 / x, np.diag(1 / x**2)

    one = np.array([np.inf])
    found = bounded_newton(barrier, np.array([3.0]), -one, one, np.array([True]))
    assert found.converged
    assert found.point[0] == pytest.approx(1.0, abs=1e-5)
    assert not bounded_newton(barrier, np.array([-1.0]), -one, one, np.array([True])).converged
