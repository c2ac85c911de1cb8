"""Where the kernels stand: Nystrom centres."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float64, Int64

Selection = Literal["covering", "uniform"]
SELECTIONS: tuple[Selection, ...] = get_args(Selection)

# Covering centres are sought among so many events for each centre wanted.
_CANDIDATES = 20
_STREAM = 0x63656E74657273


def choose_centers(
    events: Float64[np.ndarray, "n d"], weights: Float64[np.ndarray, " n"], count: int, selection: Selection, seed: int
) -> Float64[np.ndarray, "m d"]:
    """Distinct events of the reference to put kernels on.

    "uniform" draws them in proportion to |w|, as published: nearly all lie where events are dense. "covering" takes the
    extremes of each feature, half of the others uniformly, and then again and again the event that is farthest from all
    centres so far, so that sparse tails are covered too.

    Arguments:
        events: features as the kernel sees them.
        weights: events of weight zero are never chosen.
        count: number of centres.
        selection: "uniform" or "covering".
        seed: of the draw.

    Raises:
        ValueError: if there are fewer distinct events than centres.
    """
    usable = np.flatnonzero(weights)
    _, first = np.unique(events[usable], axis=0, return_index=True)
    distinct = usable[np.sort(first)]
    if len(distinct) < count:
        raise ValueError(
            f"{count} centres were asked for, but the reference has {len(distinct)} distinct events of non-zero weight:"
            " take fewer centres"
        )
    rng = stream(seed)
    at, size = events[distinct], weights[distinct]
    if selection == "uniform":
        return at[draw(rng, size, count)]
    extremes = np.unique(np.concatenate([at.argmin(axis=0), at.argmax(axis=0)]))[:count]
    drawn = np.setdiff1d(draw(rng, size, (count - len(extremes)) // 2), extremes)
    candidates = rng.permutation(len(at))[: _CANDIDATES * count]
    chosen = _farthest(at, np.concatenate([extremes, drawn]), candidates, count)
    return at[chosen]


def stream(seed: int) -> np.random.Generator:
    """Random numbers that no one else draws: those of default_rng(1) may have made the events that are chosen from."""
    return np.random.default_rng([seed, _STREAM])


def draw(rng: np.random.Generator, weights: np.ndarray, count: int) -> Int64[np.ndarray, " k"]:
    """Rows without repetition, in proportion to |w|: those with the smallest arrival times."""
    usable = np.flatnonzero(weights)
    arrival = rng.exponential(size=len(usable)) / np.abs(weights[usable])
    return usable[np.argsort(arrival, kind="stable")[:count]]


def _farthest(at: np.ndarray, start: np.ndarray, candidates: np.ndarray, count: int) -> Int64[np.ndarray, " count"]:
    """The starting rows, and one after another the candidate farthest from all that were chosen before."""
    chosen = list(start)
    points = at[candidates]
    # Row by row of the start, so that no array of all pairs is made.
    nearest = np.full(len(points), np.inf)
    for row in start:
        nearest = np.minimum(nearest, _squared_distance(points, at[row]))
    while len(chosen) < count:
        best = int(nearest.argmax())
        chosen.append(candidates[best])
        nearest = np.minimum(nearest, _squared_distance(points, points[best]))
    return np.array(chosen)


def _squared_distance(points: np.ndarray, point: np.ndarray) -> np.ndarray:
    difference = points - point
    return np.einsum("nd,nd->n", difference, difference)
