"""Search for the global maximum: populations of climbs, and variations of the best of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Parameters = Float[np.ndarray, "n p"]
Losses = Float[np.ndarray, " n"]
Climb = Callable[[Parameters, Losses, int], tuple[Parameters, Losses, Losses]]

FIRST_DAMPING = 0.1
# Two losses closer than this belong to the same maximum.
RESOLUTION = 0.01


@dataclass(frozen=True)
class SearchSettings:
    """A fixed amount of search, the same for data and toys; nothing in it is random from call to call.

    Arguments:
        starts: independent populations; how many of them end in the same maximum is the quality of the search.
        population: points of each population that climb together.
        parents: distinct best ones that go on, and are varied to fill the next generation.
        generations: how many times that happens.
        iterations: steps of a climb in each generation.
    """

    starts: int
    population: int
    parents: int
    generations: int
    iterations: int

    def __post_init__(self) -> None:
        if self.starts < 1 or not 1 <= self.parents <= self.population or min(self.generations, self.iterations) < 0:
            raise ValueError(
                f"a search needs starts >= 1, 1 <= parents <= population, and no negative count, not {self}"
            )


def search(
    settings: SearchSettings,
    climb: Climb,
    draw: Callable[[np.random.Generator, int], Parameters],
    vary: Callable[[np.random.Generator, Parameters, int], Parameters],
) -> Parameters:
    """The best point of each population after all generations, shape (starts, P).

    Arguments:
        settings: how much to search.
        climb: improves points, each with a damping, by a number of steps; returns points, losses, dampings.
        draw: draws points to start from.
        vary: varies parents.
    """
    rngs = [np.random.default_rng(start) for start in range(settings.starts)]
    size = settings.population
    theta = np.concatenate([draw(rng, size) for rng in rngs])
    theta, losses, damping = climb(theta, np.full(len(theta), FIRST_DAMPING), settings.iterations)
    for _ in range(settings.generations):
        next_theta, next_damping = [], []
        for rng, here in zip(rngs, _populations(settings), strict=True):
            best = here.start + _distinct(losses[here], settings.parents)
            children = vary(rng, theta[best], size - len(best))
            next_theta += [theta[best], children]
            next_damping += [damping[best], np.full(len(children), FIRST_DAMPING)]
        theta, losses, damping = climb(np.concatenate(next_theta), np.concatenate(next_damping), settings.iterations)
    return np.stack([theta[here][np.argmin(losses[here])] for here in _populations(settings)])


def _populations(settings: SearchSettings) -> list[slice]:
    size = settings.population
    return [slice(start * size, (start + 1) * size) for start in range(settings.starts)]


def _distinct(losses: Losses, number: int) -> np.ndarray:
    """Indices of the lowest losses, of which no two are the same maximum."""
    chosen: list[int] = []
    for i in np.argsort(losses, kind="stable"):
        if not chosen or losses[i] - losses[chosen[-1]] > RESOLUTION:
            chosen.append(int(i))
        if len(chosen) == number:
            break
    return np.array(chosen)
