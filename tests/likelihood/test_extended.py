"""The extended likelihood ratio, and the exponential that cannot overflow."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nplm.likelihood.extended import LARGEST_LOG_RATIO, guarded_exp, loss, statistic

both_precisions = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def test_loss_is_the_sum_over_events(rng: np.random.Generator) -> None:
    f_reference, f_data = rng.normal(size=50), rng.normal(size=30)
    w, v = rng.normal(size=50), rng.uniform(size=30)
    direct = 0.0
    for f, weight in zip(f_reference, w, strict=True):
        direct += weight * (np.exp(f) - 1)
    for f, weight in zip(f_data, v, strict=True):
        direct -= weight * f
    with jax.enable_x64(True):
        w, v = jnp.asarray(w), jnp.asarray(v)
        found = loss(jnp.asarray(f_reference), w, jnp.asarray(f_data), v)
        assert float(found) == pytest.approx(direct, rel=1e-12)
        assert float(loss(jnp.zeros(50), w, jnp.zeros(30), v)) == 0.0


def test_t_at_the_saturated_ratio_is_baker_and_cousins(rng: np.random.Generator) -> None:
    expected, observed = rng.uniform(5, 20, 8), rng.poisson(12, 8) + 1.0
    f = np.log(observed / expected)
    with jax.enable_x64(True):
        best, w, v = jnp.asarray(f), jnp.asarray(expected), jnp.asarray(observed)
        t = float(statistic(loss(best, w, best, v)))
        nearby = [float(statistic(loss(best + e, w, best + e, v))) for e in rng.normal(0, 0.1, (20, 8))]
    assert t == pytest.approx(2 * np.sum(observed * f - observed + expected), rel=1e-12)
    assert max(nearby) < t


@both_precisions
def test_guarded_exp_is_exp_where_maxima_lie(dtype: type[np.floating]) -> None:
    f = np.linspace(-90, LARGEST_LOG_RATIO, 500).astype(dtype)
    with jax.enable_x64(True):
        np.testing.assert_array_equal(guarded_exp(jnp.asarray(f)), jnp.exp(jnp.asarray(f)))


@both_precisions
def test_guarded_exp_stays_finite_where_exp_overflows(dtype: type[np.floating]) -> None:
    with jax.enable_x64(True):
        f = jnp.asarray([1e3, 1e4], dtype)
        assert np.all(np.isfinite(guarded_exp(f)))
        assert guarded_exp(f).dtype == dtype
        assert np.all(np.isfinite(jax.vmap(jax.grad(guarded_exp))(f)))
        assert not np.any(np.isfinite(jnp.exp(f)))


def test_guarded_exp_is_convex_with_a_continuous_slope() -> None:
    with jax.enable_x64(True):
        f = jnp.linspace(LARGEST_LOG_RATIO - 3, LARGEST_LOG_RATIO + 3, 601)
        slope = np.asarray(jax.vmap(jax.grad(guarded_exp))(f))
        below, above = (float(jax.grad(guarded_exp)(LARGEST_LOG_RATIO + e)) for e in (-1e-9, 1e-9))
        values = [float(guarded_exp(jnp.asarray(LARGEST_LOG_RATIO + e))) for e in (-1e-9, 1e-9)]
    assert np.all(np.diff(slope) >= 0)
    assert np.all(slope > 0)
    assert above == pytest.approx(below, rel=1e-8)
    assert values[1] == pytest.approx(values[0], rel=1e-8)
