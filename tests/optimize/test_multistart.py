"""The search over populations, on a function whose maxima are known."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.optimize.multistart import SearchSettings, search

SETTINGS = SearchSettings(starts=3, population=6, parents=2, generations=4, iterations=5)


class Landscape:
    """L(x) = -cos(4 x) + x^2 / 10 of one parameter: a local minimum near every multiple of pi / 2, the best at 0."""

    def __init__(self) -> None:
        self.generations: list[np.ndarray] = []
        self.losses: list[np.ndarray] = []
        self.dampings: list[np.ndarray] = []

    @staticmethod
    def loss(theta: np.ndarray) -> np.ndarray:
        return -np.cos(4 * theta[:, 0]) + theta[:, 0] ** 2 / 10

    def climb(self, theta: np.ndarray, damping: np.ndarray, iterations: int) -> tuple[np.ndarray, ...]:
        self.generations.append(theta.copy())
        self.dampings.append(damping.copy())
        for _ in range(4 * iterations):
            theta = theta - 0.05 * (4 * np.sin(4 * theta) + theta / 5)
        self.losses.append(self.loss(theta))
        return theta, self.losses[-1], damping / 2

    @staticmethod
    def draw(rng: np.random.Generator, number: int) -> np.ndarray:
        return rng.uniform(8, 12, (number, 1))

    @staticmethod
    def vary(rng: np.random.Generator, parents: np.ndarray, number: int) -> np.ndarray:
        return parents[rng.integers(len(parents), size=number)] + rng.normal(0, 2, (number, 1))


def run(settings: SearchSettings) -> tuple[Landscape, np.ndarray]:
    landscape = Landscape()
    return landscape, search(settings, landscape.climb, landscape.draw, landscape.vary)


def test_search_is_deterministic() -> None:
    (one, a), (other, b) = run(SETTINGS), run(SETTINGS)
    np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(np.concatenate(one.generations), np.concatenate(other.generations))


def test_each_start_ends_no_worse_than_its_first_generation() -> None:
    landscape, best = run(SETTINGS)
    assert best.shape == (3, 1)
    # Every parent climbs on, so the best of a population never gets worse from one generation to the next.
    history = np.array([losses.reshape(3, 6).min(axis=1) for losses in landscape.losses])
    assert len(history) == 1 + SETTINGS.generations
    assert np.all(np.diff(history, axis=0) <= 1e-12)
    np.testing.assert_array_equal(Landscape.loss(best), history[-1])
    assert np.any(history[-1] < history[0] - 1)


def test_variations_find_what_the_first_generation_cannot() -> None:
    """All starts are drawn at 8 to 12; generations walk to the global minimum at 0."""
    _, best = run(SearchSettings(starts=3, population=8, parents=3, generations=25, iterations=5))
    np.testing.assert_allclose(best, 0, atol=1e-3)
    _, none = run(SearchSettings(starts=3, population=8, parents=3, generations=0, iterations=5))
    assert np.all(np.abs(none) > 5)


def test_starts_are_independent_of_their_number() -> None:
    _, three = run(SETTINGS)
    _, one = run(SearchSettings(starts=1, population=6, parents=2, generations=4, iterations=5))
    np.testing.assert_array_equal(three[:1], one)


def test_parents_are_different_maxima() -> None:
    landscape, _ = run(SETTINGS)
    for theta in landscape.generations[1:]:
        for population in theta.reshape(3, 6, 1):
            parents = population[:2]
            assert abs(np.diff(Landscape.loss(parents))[0]) > 0.005


def test_parents_keep_their_damping_and_children_start_afresh() -> None:
    landscape, _ = run(SETTINGS)
    first = landscape.dampings[0][0]
    assert np.all(landscape.dampings[0] == first)
    for earlier, dampings in zip(landscape.dampings[:-1], landscape.dampings[1:], strict=True):
        assert np.all(np.isin(dampings, [first, *(earlier / 2)]))
        assert first in dampings
        assert np.any(dampings < first)


def test_lost_climbs_are_never_chosen() -> None:
    landscape = Landscape()

    def climb(theta: np.ndarray, damping: np.ndarray, iterations: int) -> tuple[np.ndarray, ...]:
        theta, losses, damping = landscape.climb(theta, damping, iterations)
        return theta, np.where(np.arange(len(losses)) % 6 == 0, np.inf, losses), damping

    best = search(SearchSettings(2, 6, 2, 0, 5), climb, landscape.draw, landscape.vary)
    expected = landscape.losses[-1].reshape(2, 6)[:, 1:].min(axis=1)
    np.testing.assert_array_equal(Landscape.loss(best), expected)


@pytest.mark.parametrize(
    "change", [{"starts": 0}, {"parents": 0}, {"parents": 7}, {"generations": -1}, {"iterations": -1}]
)
def test_bad_settings_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="starts >= 1, 1 <= parents <= population"):
        SearchSettings(**{**vars(SETTINGS), **change})
