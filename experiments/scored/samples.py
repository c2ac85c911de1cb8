"""A reference on a curved surface, a signal off it, and a score: how far an event is from training events."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float64
from scipy.spatial import cKDTree

Events = Float64[np.ndarray, "n five"]


def background(rng: np.random.Generator, n: int) -> Events:
    """(a, b, sin 2a + .1 e, cos 2b + .1 e', a b) with a, b, e, e' standard normal."""
    a, b, first, second = rng.normal(size=(4, n))
    return np.column_stack([a, b, np.sin(2 * a) + 0.1 * first, np.cos(2 * b) + 0.1 * second, a * b])


def rare(rng: np.random.Generator, n: int) -> Events:
    """The same values of each feature, but the third and fourth of other events: most are off the surface."""
    events = background(rng, n)
    events[:, 2], events[:, 3] = background(rng, n)[:, 2], background(rng, n)[:, 3]
    return events


def distance(training: Events, neighbours: int) -> Callable[[Events], Float64[np.ndarray, " n"]]:
    """The score: distance to the k-th nearest training event, in standard deviations of the features."""
    scale = training.std(axis=0)
    tree = cKDTree(training / scale)
    return lambda events: np.asarray(tree.query(events / scale, k=[neighbours])[0])[:, 0]
