"""The published recipe, against a loop of our own."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nplm.optimize.adam import Adam, adam


def plain_adam(problem, theta: np.ndarray, epochs: int, rate: float, bound: np.ndarray) -> np.ndarray:
    """Kingma and Ba, arXiv:1412.6980, algorithm 1, with a clip after every step."""
    theta = np.clip(theta, -bound, bound)
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for epoch in range(1, epochs + 1):
        gradient = np.asarray(problem.value_and_gradient(jnp.asarray(theta))[1])
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        step = (m / (1 - 0.9**epoch)) / (np.sqrt(v / (1 - 0.999**epoch)) + 1e-8)
        theta = np.clip(theta - rate * step, -bound, bound)
    return theta


@pytest.mark.parametrize("limit", [4.0, 0.5])
def test_recipe_is_adam_with_a_clip_after_every_step(problem, limit: float) -> None:
    start, bound = problem.starts(1)[0] / 4, np.full(problem.bound.size, limit)
    settings = Adam(epochs=50, learning_rate=0.05)
    found = np.asarray(jax.jit(lambda p: adam(settings, problem.loss, p, jnp.asarray(bound)))(start))
    np.testing.assert_allclose(found, plain_adam(problem, start, 50, 0.05, bound), rtol=1e-9, atol=1e-10)
    clipped_at_the_end = np.clip(plain_adam(problem, start, 50, 0.05, np.full_like(bound, np.inf)), -bound, bound)
    if limit < 1:
        # The clip is at work, and clipping only in the end would give another answer.
        assert np.any(np.abs(found) == limit)
        assert np.abs(found - clipped_at_the_end).max() > 1e-2
    assert np.all(np.abs(found) <= limit)


@pytest.mark.parametrize("bad", [{"epochs": 0}, {"learning_rate": 0.0}, {"learning_rate": np.nan}])
def test_bad_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="epochs >= 1 and a positive learning rate"):
        Adam(**bad)
