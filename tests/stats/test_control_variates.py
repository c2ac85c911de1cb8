"""Control variates: exact where t is a function of the controls, unbiased, with honest errors."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.stats.control_variates import Controls
from nplm.tuning.path import ClipPath

CLIPS = np.array([2.0, 4.0, 8.0])


def ensemble(rng: np.random.Generator, n: int, many: int, noise: float) -> tuple[Controls, np.ndarray]:
    """Two controls of n toys of many, and t at three clips: 10 + clip on average, it follows them but for noise."""
    values = rng.chisquare(5, size=(many, 2))
    rest = noise * rng.normal(size=(many, 1))
    t = 10 + CLIPS + (values - 5) @ np.array([[0.5, 0.7, 0.9], [0.3, 0.3, 0.3]]) + rest
    return Controls(values[:n], values.mean(axis=0), many), t[:n]


def test_weights_give_the_controls_their_means(rng: np.random.Generator) -> None:
    controls, _ = ensemble(rng, 50, 5000, 1.0)
    assert controls.weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(controls.weights @ controls.values, controls.expected)
    # They are the equal ones if nothing is off.
    exact = Controls(controls.values, controls.values.mean(axis=0), 5000)
    np.testing.assert_allclose(exact.weights, 1 / 50)


def test_without_noise_few_toys_know_what_many_do(rng: np.random.Generator) -> None:
    controls, t = ensemble(rng, 20, 100_000, 0.0)
    np.testing.assert_allclose(controls.weights @ t, 10 + CLIPS, atol=0.03)
    np.testing.assert_allclose(controls.error(t), t.std(axis=0, ddof=1) / np.sqrt(100_000), rtol=1e-6)
    assert np.abs(t.mean(axis=0) - 10 - CLIPS).max() > 0.03  # the plain mean does not


def test_the_mean_is_unbiased_and_its_error_is_right(rng: np.random.Generator) -> None:
    """1000 ensembles of 60 toys: pulls have mean 0 and width 1 within four standard errors."""
    pulls, plain = [], []
    for _ in range(1000):
        controls, t = ensemble(rng, 60, 600, 1.0)
        path = ClipPath(CLIPS, t, t, controls=controls)
        pulls.append((path.mean - 10 - CLIPS) / path.mean_error)
        plain.append(t.std(axis=0, ddof=1)[0] / np.sqrt(60) / path.mean_error[0])
    pull = np.array(pulls)[:, 0]
    assert abs(pull.mean()) < 4 / np.sqrt(1000)
    assert abs(pull.std() - 1) < 4 / np.sqrt(2000) + 0.03  # fitting two slopes to 60 toys costs 2%
    assert np.mean(plain) > 1.4  # what the controls are good for


@pytest.mark.slow
def test_the_interval_of_a_clip_covers(rng: np.random.Generator) -> None:
    """300 ensembles: a 68% interval covers the true clip in 68% of them, within four standard errors."""
    covered = []
    for _ in range(300):
        controls, t = ensemble(rng, 60, 600, 1.0)
        low, high = ClipPath(CLIPS, t, t, controls=controls).interval_of(14.0) or (np.inf, 0.0)
        covered.append(low <= 4.0 <= high)
    assert abs(np.mean(covered) - 0.68) < 4 * np.sqrt(0.68 * 0.32 / 300)


def test_some_toys_keep_their_controls(rng: np.random.Generator) -> None:
    controls, t = ensemble(rng, 30, 300, 1.0)
    path = ClipPath(CLIPS, t, t, controls=controls).select(np.arange(30) % 2 == 0)
    assert path.controls is not None
    np.testing.assert_array_equal(path.controls.values, controls.values[::2])
    np.testing.assert_allclose(path.controls.weights @ path.controls.values, controls.expected)
