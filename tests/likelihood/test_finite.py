"""The likelihood of two finite samples: its limits and derivatives, in NumPy and in JAX."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nplm.likelihood.finite import (
    curvature,
    data_share,
    data_slope,
    data_value,
    log_mixture,
    of_data,
    of_reference,
    reference_slope,
    reference_value,
)

Function = Callable[[Any, Any], Any]
F = np.linspace(-5, 5, 41)
RATIOS = (1e-6, 0.1, 1.0, 20.0)
ALL = (log_mixture, data_share, reference_value, reference_slope, data_value, data_slope, curvature)


@pytest.mark.parametrize("rho", RATIOS)
def test_it_is_the_logarithm_of_the_mixture(rho: float) -> None:
    assert log_mixture(F, rho) == pytest.approx(np.log((1 + rho * np.exp(F)) / (1 + rho)), rel=1e-9, abs=1e-15)
    assert data_share(F, rho) == pytest.approx(rho * np.exp(F) / (1 + rho * np.exp(F)), rel=1e-12)
    assert data_value(F, rho) == pytest.approx((1 + rho) * (log_mixture(F, rho) - F), rel=1e-12)


def test_little_is_lost_where_the_reference_is_large() -> None:
    # log1p(rho (e^f - 1) / (1 + rho)), which is exact there; the logarithm of the ratio has lost all but six digits.
    rho = 1e-10
    exact = np.log1p(rho * np.expm1(F) / (1 + rho))
    assert log_mixture(F, rho) == pytest.approx(exact, rel=1e-13, abs=1e-25)
    assert np.abs(np.log((1 + rho * np.exp(F)) / (1 + rho)) - exact).max() > 1e-17


@pytest.mark.parametrize("rho", RATIOS)
@pytest.mark.parametrize(
    ("value", "slope"),
    [
        (log_mixture, data_share),
        (reference_value, reference_slope),
        (data_value, data_slope),
        (reference_slope, curvature),
        (data_share, lambda f, rho: data_share(f, rho) * (1 - data_share(f, rho))),
    ],
)
def test_slopes_are_derivatives(value: Function, slope: Function, rho: float) -> None:
    with jax.enable_x64(True):
        derivative = np.asarray(jax.vmap(jax.grad(lambda f: value(f, rho)))(jnp.asarray(F)))
    assert slope(F, rho) == pytest.approx(derivative, rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("function", ALL)
def test_numpy_and_jax_agree(function: Function) -> None:
    with jax.enable_x64(True):
        other = function(jnp.asarray(F), jnp.asarray(0.3))
        assert isinstance(other, jax.Array)
    own = function(F, 0.3)
    assert isinstance(own, np.ndarray)
    assert own == pytest.approx(np.asarray(other), rel=1e-13)


def test_no_log_ratio_overflows_and_what_an_event_gains_is_limited() -> None:
    with np.errstate(all="raise", under="ignore"):
        values = log_mixture(np.array([-1e4, 1e4]), 0.25)
        shares = data_share(np.array([-1e4, 1e4]), 0.25)
    assert values == pytest.approx([-np.log(1.25), 1e4 + np.log(0.2)])
    assert shares == pytest.approx([0.0, 1.0])
    # log [(1 + rho) / rho]
    assert 1e4 - values[1] == pytest.approx(np.log(5.0))


def test_the_sums_of_networks_are_those_of_the_formula(rng: np.random.Generator) -> None:
    f, w, rho = rng.normal(size=30), rng.uniform(size=30), 0.2
    mixture = np.log((1 + rho * np.exp(f)) / (1 + rho))
    with jax.enable_x64(True):
        arrays = jnp.asarray(f), jnp.asarray(w), jnp.log(jnp.asarray(rho))
        assert float(of_reference(*arrays)) == pytest.approx(w @ mixture / rho, rel=1e-12)
        assert float(of_data(*arrays)) == pytest.approx(w @ (f - mixture), rel=1e-12)
        extended = float(of_reference(arrays[0], arrays[1], None))
    assert extended == pytest.approx(w @ np.expm1(f), rel=1e-12)
