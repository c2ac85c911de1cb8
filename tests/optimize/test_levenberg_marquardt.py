"""The Levenberg-Marquardt climb in the box."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize as minimize_by_scipy

from nplm.optimize.levenberg_marquardt import Expansion, State, minimize, newton_decrement

STARTS = 8


def gains(problem: Any, states: State) -> np.ndarray:
    """How much lower SciPy's L-BFGS-B brings the loss from each point."""

    def fun(p: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = problem.value_and_gradient(jnp.asarray(p))
        return float(value), np.asarray(gradient)

    bounds = list(zip(-problem.bound, problem.bound, strict=True))
    options = {"maxiter": 1000, "ftol": 1e-15, "gtol": 1e-9}
    ends = [
        minimize_by_scipy(fun, p, jac=True, method="L-BFGS-B", bounds=bounds, options=options) for p in states.theta
    ]
    return np.asarray(states.expansion.loss) - [end.fun for end in ends]


def decrements(problem: Any, states: State) -> np.ndarray:
    return np.asarray(jax.vmap(newton_decrement, in_axes=(0, None))(states, jnp.asarray(problem.bound)))


def test_one_neuron_is_solved_from_every_start(one_neuron: Any) -> None:
    states = one_neuron.climb(one_neuron.starts(STARTS), 0.1, 300)
    assert np.all(gains(one_neuron, states) < 1e-6)
    assert np.all(decrements(one_neuron, states) < 1e-6)
    # The comparison can fail: at the start both see how far there is to go.
    states = one_neuron.climb(one_neuron.starts(STARTS), 0.1, 0)
    assert np.all(gains(one_neuron, states) > 1e-2)
    assert np.all(decrements(one_neuron, states) > 1e-2)


@pytest.mark.slow
def test_two_neurons_are_solved_from_most_starts(problem: Any) -> None:
    """Climbs along the ridges between maxima, where the Gauss-Newton matrix is poor, may outlast any budget."""
    states = problem.climb(problem.starts(STARTS), 0.1, 3000)
    solved = gains(problem, states) < 1e-6
    assert solved.sum() >= 0.75 * STARTS
    assert np.all(decrements(problem, states)[solved] < 1e-6)
    for theta, loss in zip(states.theta, states.expansion.loss, strict=True):
        assert float(problem.loss(theta)) == pytest.approx(float(loss), rel=1e-12)


def test_loss_never_increases_and_the_box_is_never_left(problem: Any) -> None:
    starts = problem.starts(STARTS)
    states = problem.climb(starts, 0.1, 0)
    np.testing.assert_array_equal(states.theta, starts)
    budgets = np.arange(0, 60, 3)
    path = [problem.climb(starts, 0.1, int(steps)) for steps in budgets]
    losses = np.array([state.expansion.loss for state in path])
    assert np.all(np.diff(losses, axis=0) <= 0)
    assert np.all(losses[-1] < losses[0])
    assert all(np.all(np.abs(state.theta) <= problem.bound) for state in path)
    assert np.any(np.abs(path[-1].theta) == problem.bound)


def test_a_climb_can_be_continued(problem: Any) -> None:
    bound = jnp.asarray(problem.bound)
    climb = jax.jit(lambda theta, damping, steps: minimize(problem.expand, theta, damping, bound, steps))
    start = jnp.asarray(problem.starts(1)[0])
    half = climb(start, 0.1, 10)
    np.testing.assert_allclose(climb(half.theta, half.damping, 10).theta, climb(start, 0.1, 20).theta, rtol=1e-10)


@pytest.mark.parametrize("elsewhere", [1.0, np.nan, np.inf])
def test_a_step_that_does_not_lower_the_loss_is_refused(elsewhere: float) -> None:
    start, gradient = jnp.zeros(2), jnp.array([1.0, -1.0])

    def expand(theta: jax.Array) -> Expansion:
        return Expansion(jnp.where(jnp.all(theta == start), 0.0, elsewhere), gradient, jnp.eye(2))

    end = minimize(expand, start, jnp.asarray(0.1), jnp.full(2, 9.0), 10)
    np.testing.assert_array_equal(end.theta, start)
    assert float(end.expansion.loss) == 0.0
    assert float(end.damping) > 1.0


def test_decrement_is_how_much_t_would_rise_on_a_parabola(rng: np.random.Generator) -> None:
    """L = (x - c)^T H (x - c) / 2 can fall by g^T H^-1 g / 2, and t = -2 L rises by twice that."""
    root, centre = rng.normal(size=(3, 3)), rng.normal(size=3)
    hessian = root @ root.T + np.eye(3)
    state = State(jnp.zeros(3), parabola(hessian, centre)(jnp.zeros(3)), jnp.asarray(0.1))
    decrement = float(newton_decrement(state, jnp.full(3, 100.0)))
    assert decrement == pytest.approx(2 * float(state.expansion.loss), rel=1e-4)


def test_a_parabola_is_minimized_on_the_bound() -> None:
    """Of an ill-conditioned parabola whose minimum lies outside the box, against a bounded solver."""
    hessian, centre = np.array([[2.0, 0.9, 0.0], [0.9, 1.0, 0.3], [0.0, 0.3, 50.0]]), np.array([3.0, 0.2, -0.1])
    end = minimize(parabola(hessian, centre), jnp.zeros(3), jnp.asarray(0.1), jnp.ones(3), 200)

    def loss(p: np.ndarray) -> tuple[float, np.ndarray]:
        return float(0.5 * (p - centre) @ hessian @ (p - centre)), hessian @ (p - centre)

    expected = minimize_by_scipy(
        loss, np.zeros(3), jac=True, method="L-BFGS-B", bounds=[(-1, 1)] * 3, options={"gtol": 1e-12}
    )
    np.testing.assert_allclose(end.theta, expected.x, atol=1e-6)
    assert float(end.theta[0]) == 1.0
    assert float(newton_decrement(end, jnp.ones(3))) < 1e-9


def parabola(hessian: np.ndarray, centre: np.ndarray) -> Callable[[jax.Array], Expansion]:
    def expand(theta: jax.Array) -> Expansion:
        step = theta - centre
        return Expansion(0.5 * step @ hessian @ step, hessian @ step, jnp.asarray(hessian))

    return expand
