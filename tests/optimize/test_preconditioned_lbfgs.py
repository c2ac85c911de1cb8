"""The quasi-Newton climb in the box, with a Gauss-Newton matrix that is renewed now and then."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize

from nplm.optimize.preconditioned_lbfgs import minimize_with_secants


def climb(problem: Any, starts: np.ndarray, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Parameters and losses that a number of iterations from each point end with."""
    bound = jnp.asarray(problem.bound)

    @jax.jit
    def one(theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        value_and_gradient = jax.value_and_grad(problem.loss)
        return minimize_with_secants(
            value_and_gradient, lambda p: problem.expand(p).curvature, theta, jnp.asarray(0.1), bound, steps
        )

    ends = [one(jnp.asarray(start)) for start in starts]
    return np.array([end[0] for end in ends]), np.array([end[1] for end in ends])


@pytest.mark.slow
def test_the_best_climb_ends_where_nothing_is_gained_any_more(problem: Any) -> None:
    """Others crawl along the walls of the box, so a search starts several and ends with Gauss-Newton steps."""
    theta, losses = climb(problem, problem.starts(8), 1000)
    assert np.all(np.abs(theta) <= problem.bound)
    assert np.any(np.abs(theta) == problem.bound)

    def fun(p: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = problem.value_and_gradient(jnp.asarray(p))
        return float(value), np.asarray(gradient)

    bounds = list(zip(-problem.bound, problem.bound, strict=True))
    options = {"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-9}
    best = [minimize(fun, p, jac=True, method="L-BFGS-B", bounds=bounds, options=options).fun for p in theta]
    assert losses.min() - min(best) < 1e-6
    assert np.sum(losses - best < 1e-6) >= 3
    _, early = climb(problem, problem.starts(8), 3)
    assert np.all(early - best > 1e-4)


@pytest.mark.slow
def test_loss_is_that_of_the_parameters_and_never_increases(problem: Any) -> None:
    starts = problem.starts(3)
    path = [climb(problem, starts, steps) for steps in (0, 1, 5, 20, 60)]
    np.testing.assert_array_equal(path[0][0], starts)
    losses = np.array([end[1] for end in path])
    assert np.all(np.diff(losses, axis=0) <= 0)
    for theta, loss in zip(*path[-1], strict=True):
        assert float(problem.loss(jnp.asarray(theta))) == pytest.approx(loss, rel=1e-12)


def test_a_matrix_that_is_not_positive_definite_is_damped_until_it_is() -> None:
    """As signed weights make them: without damping enough there is no step, so the damping must rise."""
    centre = jnp.array([1.0, -2.0])

    def value_and_gradient(theta: jax.Array) -> tuple[jax.Array, jax.Array]:
        return 0.5 * jnp.sum((theta - centre) ** 2), theta - centre

    indefinite = jnp.array([[1.0, 2.0], [2.0, 1.0]])
    theta, _ = minimize_with_secants(
        value_and_gradient, lambda p: indefinite, jnp.zeros(2), jnp.asarray(0.1), jnp.full(2, 9.0), 100
    )
    np.testing.assert_allclose(theta, centre, atol=1e-6)
