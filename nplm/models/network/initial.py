"""Where the search over networks starts, and how it varies a network it has found."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from nplm.models.network.mlp import Layout

# Slopes are the clip times a uniform number to this power. In one dimension sharp features are worth finding; in
# several a steep edge mostly follows the noise between sparse events, and gentle ones lead to higher maxima.
STEEP, GENTLE = 0.5, 2.0
# Standard deviation of the output weights at a start, and the share of variations that borrow another network's neuron.
OUTPUT_SPREAD = 3.0
BORROWED = 0.25


def draw(
    rng: np.random.Generator,
    number: int,
    layout: Layout,
    bound: Float[np.ndarray, " p"],
    points: Float[np.ndarray, "cells d"],
) -> Float[np.ndarray, "number p"]:
    """Random networks whose first-layer neurons switch at points of the reference, at any slope the clip allows."""
    (width, inputs), *deeper = layout.shapes
    slope_bound, *_ = _weight_bounds(layout, bound)
    direction = rng.normal(size=(number, width, inputs - 1))
    direction /= np.abs(direction).max(axis=-1, keepdims=True)
    slopes = direction * slope_bound * rng.random((number, width, 1)) ** (STEEP if inputs == 2 else GENTLE)
    switch = points[rng.integers(len(points), size=(number, width))]
    first = np.concatenate([slopes, -(slopes * switch).sum(axis=-1, keepdims=True)], axis=-1)
    layers = [first.reshape(number, -1)]
    for limit, (h, n) in zip(_weight_bounds(layout, bound)[1:-1], deeper[:-1], strict=True):
        layers.append(rng.uniform(-limit, limit, (number, h * n)))
    output = rng.normal(scale=OUTPUT_SPREAD, size=(number, deeper[-1][1]))
    output[:, -1] = 0.0
    return np.clip(np.concatenate([*layers, output], axis=1), -bound, bound)


def silent(
    layout: Layout, bound: Float[np.ndarray, " p"], points: Float[np.ndarray, "cells d"]
) -> Float[np.ndarray, " p"]:
    """A network with f = 0 that can be climbed from: its neurons are random, its output weights zero."""
    theta = draw(np.random.default_rng(0), 1, layout, bound, points)[0]
    theta[-layout.shapes[-1][1] :] = 0.0
    return theta


def glorot(rng: np.random.Generator, layout: Layout) -> Float[np.ndarray, " p"]:
    """The start of the published recipe: uniform weights within sqrt(6 / (inputs + outputs)), biases of zero."""
    layers = []
    for h, n in layout.shapes:
        limit = np.sqrt(6 / (n - 1 + h))
        layer = rng.uniform(-limit, limit, (h, n))
        layer[:, -1] = 0.0
        layers.append(layer.ravel())
    return np.concatenate(layers)


def vary(
    rng: np.random.Generator,
    parents: Float[np.ndarray, "k columns"],
    number: int,
    layout: Layout,
    bound: Float[np.ndarray, " p"],
    points: Float[np.ndarray, "cells d"],
) -> Float[np.ndarray, "number columns"]:
    """Copies of the parents in which one hidden neuron is replaced.

    The new neuron is drawn afresh, with outgoing weights of zero, or is the neuron of another parent in the same layer.
    Parents may have more columns than the network has parameters: these are copied.
    """
    child = parents[rng.integers(len(parents), size=number)]
    fresh = draw(rng, number, layout, bound, points)
    donor = parents[rng.integers(len(parents), size=number)]
    borrows = rng.random(number) < BORROWED
    source = np.where(borrows[:, None], donor[:, : layout.parameters], fresh)
    neurons = _neurons(layout)
    for row, neuron in enumerate(rng.integers(len(neurons), size=number)):
        incoming, outgoing = neurons[neuron]
        child[row, incoming] = source[row, incoming]
        child[row, outgoing] = donor[row, outgoing] if borrows[row] else 0.0
    return child


def _weight_bounds(layout: Layout, bound: Float[np.ndarray, " p"]) -> list[float]:
    """The bound on the weights of each layer."""
    starts = np.cumsum([0, *(h * n for h, n in layout.shapes)])[:-1]
    return [float(bound[start]) for start in starts]


def _neurons(layout: Layout) -> list[tuple[np.ndarray, np.ndarray]]:
    """Indices of the incoming parameters and of the outgoing weights of each hidden neuron."""
    found = []
    start = 0
    for (h, n), (h_next, n_next) in zip(layout.shapes[:-1], layout.shapes[1:], strict=True):
        following = start + h * n
        for j in range(h):
            found.append((start + j * n + np.arange(n), following + j + n_next * np.arange(h_next)))
        start = following
    return found
