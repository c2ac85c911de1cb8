"""The network's loss on chunked points, its gradient and its Gauss-Newton matrix."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nplm.data.partition import compact_cells
from nplm.models.network.events import CHUNK, Points, centroids, chunked, one_chunk
from nplm.models.network.loss import expand, network_loss
from nplm.models.network.mlp import Layout, with_ones

LAYOUT = Layout((2, 3, 1))


@pytest.fixture(autouse=True)
def double_precision() -> None:
    with jax.enable_x64(True):
        yield


@pytest.fixture
def problem(rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Parameters, reference events and signed weights, data events and weights; the reference fills two chunks."""
    n, m = CHUNK + 500, 300
    theta = rng.normal(size=LAYOUT.parameters)
    return theta, rng.normal(size=(n, 2)), rng.normal(0.5, 1, n), rng.normal(size=(m, 2)), rng.uniform(size=m)


def single(events: np.ndarray, weights: np.ndarray) -> Points:
    return one_chunk(events, weights, np.float64)


def several(events: np.ndarray, weights: np.ndarray) -> Points:
    return chunked(events, weights, 0)


@pytest.mark.parametrize("lay_out", [single, several])
def test_loss_is_the_formula(problem: tuple[np.ndarray, ...], lay_out: Callable[..., Points]) -> None:
    theta, x, w, y, v = problem
    f, g = (np.asarray(LAYOUT.forward(jnp.asarray(theta), jnp.asarray(with_ones(e)))) for e in (x, y))
    expected = np.sum(w * (np.exp(f) - 1)) - np.sum(v * g)
    loss = float(network_loss(LAYOUT, jnp.asarray(theta), lay_out(x, w), lay_out(y, v)))
    assert loss == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("lay_out", [single, several])
def test_expansion_is_loss_gradient_and_gauss_newton_matrix(
    problem: tuple[np.ndarray, ...], lay_out: Callable[..., Points]
) -> None:
    theta, x, w, y, v = problem
    p, reference, data = jnp.asarray(theta), lay_out(x, w), lay_out(y, v)
    value, gradient = jax.value_and_grad(lambda q: network_loss(LAYOUT, q, reference, data))(p)
    f = np.asarray(LAYOUT.forward(p, jnp.asarray(with_ones(x))))
    jacobian = np.asarray(jax.jacfwd(lambda q: LAYOUT.forward(q, jnp.asarray(with_ones(x))))(p))
    matrix = np.einsum("e,ei,ej->ij", w * np.exp(f), jacobian, jacobian)
    found = expand(LAYOUT, p, reference, data)
    assert float(found.loss) == pytest.approx(float(value), rel=1e-12)
    np.testing.assert_allclose(found.gradient, gradient, rtol=1e-10, atol=1e-10 * np.abs(gradient).max())
    np.testing.assert_allclose(found.curvature, matrix, rtol=1e-10, atol=1e-11 * np.abs(matrix).max())


def test_room_does_not_change_the_sums(problem: tuple[np.ndarray, ...]) -> None:
    theta, x, w, y, v = problem
    p, data = jnp.asarray(theta), single(y, v)
    roomy = chunked(x, w, 5 * CHUNK)
    assert roomy.x.shape[0] > several(x, w).x.shape[0] > 1
    a, b = (expand(LAYOUT, p, points, data) for points in (several(x, w), roomy))
    for one, other in zip(a, b, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_samples_of_about_one_size_share_a_shape(rng: np.random.Generator) -> None:
    shapes = {chunked(rng.normal(size=(n, 2)), np.ones(n), 2 * CHUNK).x.shape for n in (10, CHUNK, 2 * CHUNK)}
    assert len(shapes) == 1


def test_centroids_keep_the_sums_of_the_cells(rng: np.random.Generator) -> None:
    events, weights = rng.normal(size=(500, 2)), np.where(rng.random(500) < 0.3, -1.0, 2.0)
    cells = compact_cells(events, weights, 20)
    points, sums = centroids(cells, events, weights)
    number = cells.assign(events)
    for c in range(20):
        inside = number == c
        assert sums[c] == pytest.approx(weights[inside].sum())
        np.testing.assert_allclose(points[c], np.average(events[inside], axis=0, weights=np.abs(weights[inside])))
    elsewhere, nothing = centroids(cells, events[:0], weights[:0], points)
    np.testing.assert_array_equal(elsewhere, points)
    np.testing.assert_array_equal(nothing, 0)
