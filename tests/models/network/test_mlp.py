"""The network's layout, values and Jacobian."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import expit

from nplm.models.network.mlp import Layout, with_ones

ONE, DEEP = Layout((1, 4, 1)), Layout((5, 5, 5, 5, 1))
both = pytest.mark.parametrize("layout", [ONE, DEEP], ids=["1-4-1", "5-5-5-5-1"])


def random_network(layout: Layout, rng: np.random.Generator, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    return rng.normal(size=layout.parameters), rng.normal(size=(n, layout.sizes[0]))


def test_parameters_are_counted_as_in_the_papers() -> None:
    assert ONE.parameters == 13
    assert DEEP.parameters == 96
    assert ONE.shapes == ((4, 2), (1, 5))


@both
def test_layers_hold_every_parameter_once(layout: Layout) -> None:
    theta = np.arange(float(layout.parameters))
    layers = layout.layers(jnp.asarray(theta))
    assert tuple(m.shape for m in layers) == layout.shapes
    np.testing.assert_array_equal(np.concatenate([np.ravel(m) for m in layers]), theta)
    biases = np.concatenate([np.asarray(m)[:, -1] for m in layers])
    np.testing.assert_array_equal(theta[layout.is_bias], biases)


@both
def test_forward_is_the_network_written_out(layout: Layout, rng: np.random.Generator) -> None:
    theta, events = random_network(layout, rng)
    with jax.enable_x64(True):
        f = np.asarray(layout.forward(jnp.asarray(theta), jnp.asarray(with_ones(events))))
    start, a = 0, events
    for (h, n), is_last in zip(layout.shapes, [False] * (len(layout.shapes) - 1) + [True], strict=True):
        matrix = theta[start : start + h * n].reshape(h, n)
        z = a @ matrix[:, :-1].T + matrix[:, -1]
        a = z if is_last else expit(z)
        start += h * n
    np.testing.assert_allclose(f, a[:, 0], rtol=1e-12, atol=1e-13)


@both
def test_jacobian_is_that_of_forward(layout: Layout, rng: np.random.Generator) -> None:
    theta, events = random_network(layout, rng)
    with jax.enable_x64(True):
        x, p = jnp.asarray(with_ones(events)), jnp.asarray(theta)
        f, jacobian = layout.value_and_jacobian(p, x)
        expected = jax.jacfwd(lambda q: layout.forward(q, x))(p)
        assert jacobian.dtype == jnp.float64
        np.testing.assert_allclose(f, layout.forward(p, x), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(jacobian.T, expected, rtol=1e-12, atol=1e-13)
