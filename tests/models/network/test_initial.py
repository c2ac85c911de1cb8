"""Where the search starts, and how it varies a network."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.models.network.initial import draw, glorot, silent, vary
from nplm.models.network.mlp import Layout

LAYOUTS = [Layout((1, 4, 1)), Layout((3, 5, 1)), Layout((2, 5, 4, 1))]
every_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: "-".join(map(str, layout.sizes)))


def matrices(layout: Layout, theta: np.ndarray) -> list[np.ndarray]:
    """One matrix a layer, biases last."""
    ends = np.cumsum([h * n for h, n in layout.shapes])[:-1]
    return [part.reshape(shape) for part, shape in zip(np.split(theta, ends), layout.shapes, strict=True)]


@every_layout
@pytest.mark.parametrize("clip_biases", [True, False])
def test_starts_stay_within_the_bound(layout: Layout, clip_biases: bool, rng: np.random.Generator) -> None:
    bound = np.where(layout.is_bias & (not clip_biases), np.inf, 0.7)
    starts = draw(rng, 200, layout, bound, rng.normal(size=(50, layout.sizes[0])))
    assert starts.shape == (200, layout.parameters)
    assert np.all(np.isfinite(starts))
    assert np.all(np.abs(starts) <= bound)
    assert np.abs(starts[:, ~layout.is_bias]).max() > 0.69


@every_layout
def test_neurons_switch_at_points_of_the_reference(layout: Layout, rng: np.random.Generator) -> None:
    """With biases free, w x + b = 0 at some point x of the reference for each neuron of the first layer."""
    points = rng.normal(size=(30, layout.sizes[0]))
    bound = np.where(layout.is_bias, np.inf, 2.0)
    for theta in draw(rng, 20, layout, bound, points):
        first = matrices(layout, theta)[0]
        assert np.abs(first[:, :-1] @ points.T + first[:, -1:]).min(axis=1).max() < 1e-12


def test_starts_differ_and_follow_the_generator() -> None:
    layout, points = LAYOUTS[1], np.random.default_rng(1).normal(size=(30, 3))
    a, b, c = (draw(np.random.default_rng(s), 10, layout, np.full(layout.parameters, 2.0), points) for s in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert len(np.unique(np.concatenate([a, c]), axis=0)) == 20


@every_layout
def test_a_variation_replaces_exactly_one_neuron(layout: Layout, rng: np.random.Generator) -> None:
    """All else comes from one parent; the new neuron is fresh and silent, or another parent's of the same layer."""
    bound = np.full(layout.parameters, 2.0)
    points = rng.normal(size=(30, layout.sizes[0]))
    # Every number of the parents is unique, so it tells where it came from.
    parents = rng.uniform(-2, 2, (3, layout.parameters))
    children = vary(rng, parents, 300, layout, bound, points)
    assert children.shape == (300, layout.parameters)
    assert np.all(np.abs(children) <= bound)
    silent = borrowed = unchanged = 0
    for child in children:
        parent = parents[np.argmax((child == parents).sum(axis=1))]
        mine, theirs = matrices(layout, child), matrices(layout, parent)
        changed = [(i, j) for i, m in enumerate(mine[:-1]) for j in range(len(m)) if np.any(m[j] != theirs[i][j])]
        if not changed:
            # The neuron was borrowed from the parent itself.
            np.testing.assert_array_equal(child, parent)
            unchanged += 1
            continue
        layer, neuron = changed[0]
        # Rows of the next layer change in the replaced neuron's column, which is looked at below.
        assert all(i == layer + 1 for i, _ in changed[1:])
        others = np.arange(mine[layer + 1].shape[1]) != neuron
        np.testing.assert_array_equal(mine[layer + 1][:, others], theirs[layer + 1][:, others])
        for i in range(layer + 2, len(mine)):
            np.testing.assert_array_equal(mine[i], theirs[i])
        donors = [d for d in parents if np.all(matrices(layout, d)[layer][neuron] == mine[layer][neuron])]
        if donors:
            outgoing = matrices(layout, donors[0])[layer + 1][:, neuron]
            np.testing.assert_array_equal(mine[layer + 1][:, neuron], outgoing)
            borrowed += 1
        else:
            np.testing.assert_array_equal(mine[layer + 1][:, neuron], 0)
            silent += 1
    assert min(silent, borrowed) > 10
    assert unchanged < 150


@every_layout
def test_variations_do_not_touch_the_parents(layout: Layout, rng: np.random.Generator) -> None:
    parents = rng.uniform(-1, 1, (2, layout.parameters))
    copy = parents.copy()
    vary(rng, parents, 50, layout, np.ones(layout.parameters), rng.normal(size=(30, layout.sizes[0])))
    np.testing.assert_array_equal(parents, copy)


@every_layout
def test_columns_after_the_network_follow_their_parent(layout: Layout, rng: np.random.Generator) -> None:
    bound, points = np.full(layout.parameters, 2.0), rng.normal(size=(30, layout.sizes[0]))
    parents = rng.uniform(-2, 2, (3, layout.parameters + 2))
    children, plain = (
        vary(np.random.default_rng(4), p, 50, layout, bound, points) for p in (parents, parents[:, : layout.parameters])
    )
    np.testing.assert_array_equal(children[:, : layout.parameters], plain)
    for child in children:
        parent = parents[np.argmax((child == parents).sum(axis=1))]
        np.testing.assert_array_equal(child[layout.parameters :], parent[layout.parameters :])


@every_layout
def test_a_silent_network_has_output_weights_of_zero_only(layout: Layout, rng: np.random.Generator) -> None:
    theta = silent(layout, np.full(layout.parameters, 2.0), rng.normal(size=(30, layout.sizes[0])))
    np.testing.assert_array_equal(matrices(layout, theta)[-1], 0)
    assert all(np.all(np.any(m != 0, axis=1)) for m in matrices(layout, theta)[:-1])


@every_layout
def test_glorot_starts_have_biases_of_zero(layout: Layout, rng: np.random.Generator) -> None:
    theta = np.array([glorot(rng, layout) for _ in range(500)])
    np.testing.assert_array_equal(theta[:, layout.is_bias], 0)
    start = 0
    for h, n in layout.shapes:
        block = np.abs(theta[:, start : start + h * n])
        limit = np.sqrt(6 / (n - 1 + h))
        assert 0.98 * limit < block.max() <= limit
        start += h * n
