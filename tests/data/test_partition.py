"""Cells cover feature space, and do not depend on how the events are written down."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from nplm.data.partition import Cells, compact_cells, equal_weight_cells
from nplm.data.sample import Sample
from nplm.data.scaler import Scaler

Build = Callable[[np.ndarray, np.ndarray, int], Cells]
both = pytest.mark.parametrize("build", [equal_weight_cells, compact_cells])


@both
@pytest.mark.parametrize("dimension", [1, 3])
def test_every_point_of_space_lies_in_a_cell(build: Build, dimension: int, rng: np.random.Generator) -> None:
    cells = build(rng.normal(size=(500, dimension)), np.ones(500), 17)
    assert cells.count == 17
    far = cells.assign(1e6 * rng.normal(size=(5000, dimension)))
    assert far.min() >= 0
    assert far.max() < 17
    assert len(cells.assign(np.zeros((0, dimension)))) == 0


@both
def test_no_cell_is_empty(build: Build, rng: np.random.Generator) -> None:
    events = rng.exponential(size=(400, 2))
    assert set(build(events, np.ones(400), 50).assign(events)) == set(range(50))


@both
def test_cells_are_rectangles(build: Build, rng: np.random.Generator) -> None:
    events = rng.normal(size=(600, 2))
    cells = build(events, np.ones(600), 12)
    number = cells.assign(events)
    inside = [events[number == c] for c in range(12)]
    low, high = (np.array([getattr(x, end)(axis=0) for x in inside]) for end in ("min", "max"))
    for c in range(12):
        within = np.all((events >= low[c]) & (events <= high[c]), axis=1)
        np.testing.assert_array_equal(within, number == c)


def test_weights_of_the_cells_are_equal_to_within_an_event(rng: np.random.Generator) -> None:
    events, weights = rng.normal(size=(5000, 2)), rng.uniform(0.5, 1.5, 5000)
    sums = np.bincount(equal_weight_cells(events, weights, 10).assign(events), weights)
    # Each cell lies at the end of four splits or fewer, and each split is off by one event at most.
    np.testing.assert_allclose(sums, weights.sum() / 10, atol=4 * weights.max())


def test_compact_cells_resolve_the_tail_better_than_equal_ones(rng: np.random.Generator) -> None:
    events = rng.exponential(size=(20_000, 1))
    inertia = {}
    for build in (equal_weight_cells, compact_cells):
        number = build(events, np.ones(20_000), 100).assign(events)
        mean = np.bincount(number, events[:, 0]) / np.bincount(number)
        inertia[build] = np.sum((events[:, 0] - mean[number]) ** 2)
    assert inertia[compact_cells] < 0.5 * inertia[equal_weight_cells]


@both
def test_repeated_values_leave_fewer_cells(build: Build) -> None:
    events = np.repeat([[1.0], [2.0], [3.0]], 100, axis=0)
    cells = build(events, np.ones(300), 10)
    number = cells.assign(events)
    assert cells.count <= 3
    assert set(number) == set(range(cells.count))
    assert np.all(number[:100] == number[0])


def test_compact_cells_separate_all_distinct_values() -> None:
    assert compact_cells(np.repeat([[1.0], [2.0], [3.0]], 100, axis=0), np.ones(300), 10).count == 3


@both
def test_cells_do_not_depend_on_how_events_are_written(build: Build, rng: np.random.Generator) -> None:
    """Permuted, split into halves, joined by events of zero weight: the same cells for other points too."""
    events, weights = rng.normal(size=(700, 2)), rng.uniform(0.1, 2.0, 700)
    points = rng.normal(size=(3000, 2))
    expected = build(events, weights, 20).assign(points)
    order = rng.permutation(700)
    halves = np.where(np.arange(700) < 350, weights / 2, weights)
    variants = {
        "permuted": (events[order], weights[order]),
        "split": (np.concatenate([events, events[:350]]), np.concatenate([halves, weights[:350] / 2])),
        "zeros": (np.concatenate([events, 9 * points]), np.concatenate([weights, np.zeros(3000)])),
        "signs": (events, weights * np.where(rng.random(700) < 0.2, -1, 1)),
    }
    for name, variant in variants.items():
        np.testing.assert_array_equal(build(*variant, 20).assign(points), expected, err_msg=name)
    assert np.any(build(events, rng.permutation(weights), 20).assign(points) != expected)


@both
def test_standardised_features_do_not_tie(build: Build, rng: np.random.Generator) -> None:
    """Their spreads are equal but for rounding, which follows the order of the events."""
    reference = Sample(rng.exponential(size=(3000, 2)), rng.uniform(0.05, 0.15, 3000))
    events = Scaler.fit(reference)(reference.events)
    points = rng.normal(size=(500, 2))
    numbers = {
        build(events[order], reference.weights[order], 8).assign(points).tobytes()
        for order in (rng.permutation(3000) for _ in range(20))
    }
    assert len(numbers) == 1
