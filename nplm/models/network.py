"""The network model: a sigmoid network whose weights are clipped to a box."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from nplm.cells import Cells, compact_cells
from nplm.likelihood import statistic
from nplm.models import network_starts
from nplm.models.base import Fits
from nplm.models.mlp import Layout, forward, with_ones
from nplm.models.network_loss import climb, climb_population, fit_adam
from nplm.models.points import CHUNK, Points, centroids, chunked, one_chunk
from nplm.optimize.adam import Adam
from nplm.optimize.search import FIRST_DAMPING, SearchSettings, search
from nplm.sample import Sample, Scaler

# Starts within this much of the largest t agree on the maximum.
AGREEMENT = 0.05
# Steps on all events between two looks at whether the climb has converged.
STEPS_BETWEEN_CHECKS = 5
# Bytes of Jacobians that networks climbing side by side may fill.
CACHE = 1 << 19
# The fit has converged when the local expansion promises less than this for t.
CONVERGED = 0.01


@dataclass(frozen=True)
class BoxSearch:
    """Our optimiser: a search with Gauss-Newton climbs in the box, coarse to fine in the samples.

    The search runs on cells of the reference (centroid and summed weight of the events in each), then the best of
    each start climbs on finer cells, then on all events. None of it is random: the same data give the same t.

    Arguments:
        search: amount of search.
        cells: number of cells the search runs on.
        fine_cells: number of cells the starts are compared on; None to compare them on all events.
        fine_iterations: steps on these.
        full_iterations: most steps on all events.
    """

    search: SearchSettings
    cells: int
    fine_cells: int | None
    fine_iterations: int
    full_iterations: int

    @classmethod
    def default(cls, layout: Layout) -> BoxSearch:
        """The budget that the benchmarks in experiments/benchmarks stand for."""
        inputs, *hidden, _ = layout.sizes
        if inputs == 1 and len(hidden) == 1:
            return cls(
                SearchSettings(4, 28, 4, 16, 60), cells=300, fine_cells=4000, fine_iterations=100, full_iterations=20
            )
        if len(hidden) == 1:
            return cls(
                SearchSettings(4, 8, 2, 6, 40), cells=4096, fine_cells=None, fine_iterations=0, full_iterations=60
            )
        return cls(SearchSettings(4, 4, 2, 2, 60), cells=8192, fine_cells=None, fine_iterations=0, full_iterations=60)


@dataclass(frozen=True)
class NetworkModel:
    """f(x; w): a fully connected network, sigmoid hidden layers, one linear output, |w| <= clip.

    Clipping is the regulariser: a clip that is chosen well makes t on null toys chi2 with as many degrees of freedom
    as the network has parameters (arXiv:1912.12155, section 3.2).

    Arguments:
        hidden: neurons of each hidden layer.
        clip: bound on every weight and bias.
        clip_biases: whether biases are clipped too; some published results leave them free.
        optimizer: a `BoxSearch`, or the published recipe `Adam`; None for the default search.

    Raises:
        ValueError: if a layer has no neuron, there is no hidden layer, or the clip is not positive.
    """

    hidden: tuple[int, ...] = (4,)
    clip: float = 9.0
    clip_biases: bool = True
    optimizer: BoxSearch | Adam | None = None

    def __post_init__(self) -> None:
        if not self.hidden or any(h < 1 for h in self.hidden):
            raise ValueError(f"a network needs hidden layers of one neuron or more, not {self.hidden}")
        if not (np.isfinite(self.clip) and self.clip > 0):
            raise ValueError(f"the clip must be a positive number, not {self.clip:g}")

    @property
    def name(self) -> str:
        return "network"

    def configuration(self) -> Mapping[str, Any]:
        optimizer = {"optimizer": "default search"}
        if self.optimizer is not None:
            optimizer = {"optimizer": type(self.optimizer).__name__, **asdict(self.optimizer)}
        return {"hidden": list(self.hidden), "clip": self.clip, "clip_biases": self.clip_biases, **optimizer}

    def prepare(self, reference: Sample, scaler: Scaler) -> PreparedNetwork:
        """Sums the reference in cells and lays its events out for the compiled loss."""
        layout = Layout((reference.dimension, *self.hidden, 1))
        bound = np.where(layout.is_bias & (not self.clip_biases), np.inf, self.clip)
        events = scaler(reference.events)
        optimizer = self.optimizer or BoxSearch.default(layout)
        levels: tuple[_Level, ...] = ()
        if isinstance(optimizer, BoxSearch):
            counts = [optimizer.cells] + ([] if optimizer.fine_cells is None else [optimizer.fine_cells])
            precisions: tuple[type[np.floating], ...] = (np.float32, np.float64)
            with jax.enable_x64(True):
                levels = tuple(
                    _Level.build(events, reference.weights, count, precision)
                    for count, precision in zip(counts, precisions, strict=False)
                )
        with jax.enable_x64(True):
            full = chunked(events, reference.weights, 0)
        room = int(reference.total_weight + 6 * np.sqrt(reference.total_weight)) + 1
        return PreparedNetwork(layout, bound, scaler, optimizer, levels, full, room)


@dataclass(frozen=True, eq=False)
class _Level:
    """The reference in cells, and what it takes to bring data into the same cells."""

    cells: Cells
    points: Float[np.ndarray, "cells d"]
    reference: Points
    precision: type[np.floating]

    @classmethod
    def build(
        cls,
        events: Float[np.ndarray, "n d"],
        weights: Float[np.ndarray, " n"],
        count: int,
        precision: type[np.floating],
    ) -> _Level:
        cells = compact_cells(events, weights, count)
        points, sums = centroids(cells, events, weights)
        return cls(cells, points, one_chunk(points, sums, precision), precision)

    def data(self, events: Float[np.ndarray, "n d"], weights: Float[np.ndarray, " n"]) -> Points:
        return one_chunk(*centroids(self.cells, events, weights, self.points), self.precision)


@dataclass(frozen=True, eq=False)
class PreparedNetwork:
    """The network model with its reference: `levels` in cells, coarse first, and `full` with all events.

    `room` is the number of data events for which arrays are laid out, so that toys share one compilation.
    """

    layout: Layout
    bound: Float[np.ndarray, " p"]
    scaler: Scaler
    optimizer: BoxSearch | Adam
    levels: tuple[_Level, ...]
    full: Points
    room: int

    @property
    def degrees_of_freedom(self) -> int:
        return self.layout.parameters

    @property
    def batch_size(self) -> int:
        """Toys fitted together: one for each core."""
        return os.cpu_count() or 1

    def fit(self, data: Sequence[Sample]) -> Fits:
        """Fits each sample; the cores share them."""
        with ThreadPoolExecutor(self.batch_size) as pool:
            return Fits.concatenate(list(pool.map(self._fit_one, data)))

    def log_ratio(self, parameters: Float[np.ndarray, " p"], events: Float[np.ndarray, "n d"]) -> np.ndarray:
        """f(x) as float64, in slices that bound the memory."""
        slices = [events[start : start + 64 * CHUNK] for start in range(0, len(events), 64 * CHUNK)]
        with jax.enable_x64(True):
            theta = jnp.asarray(parameters)
            parts = [np.asarray(forward(self.layout, theta, jnp.asarray(with_ones(self.scaler(e))))) for e in slices]
        return np.concatenate([np.zeros(0), *parts])

    def named_parameters(self, parameters: Float[np.ndarray, " p"]) -> dict[str, np.ndarray]:
        names = [f"hidden_{i + 1}" for i in range(len(self.layout.sizes) - 2)] + ["output"]
        named = {}
        with jax.enable_x64(True):
            matrices = [np.asarray(m) for m in self.layout.layers(jnp.asarray(parameters))]
        for name, matrix in zip(names, matrices, strict=True):
            named[f"{name}.weights"], named[f"{name}.biases"] = matrix[:, :-1], matrix[:, -1]
        return named

    def projected_seconds(self, data: Sample, fits: int) -> float:
        """Times small fits of these data and scales them up to the budget: an upper bound, compilation included."""
        if isinstance(self.optimizer, Adam):
            probe = replace(self, optimizer=replace(self.optimizer, epochs=20))
            one_fit = self.optimizer.epochs / 20 * _seconds_when_compiled(probe, data)
        else:
            budget = self.optimizer
            least = replace(budget, search=replace(budget.search, generations=0, iterations=1), fine_iterations=1)
            small = replace(self, optimizer=replace(least, full_iterations=1))
            larger = replace(self, optimizer=replace(least, full_iterations=2))
            search_step = _seconds_when_compiled(small, data)
            full_steps = _seconds_when_compiled(larger, data) - search_step
            climbs = budget.search.climbing_steps / least.search.climbing_steps
            one_fit = climbs * search_step + budget.full_iterations * full_steps
        return one_fit * -(-fits // self.batch_size)

    def _fit_one(self, data: Sample) -> Fits:
        """Fits one sample with the optimiser that was asked for."""
        events = self.scaler(data.events)
        with jax.enable_x64(True):
            full_data = chunked(events, data.weights, self.room)
            if isinstance(self.optimizer, Adam):
                return self._adam(self.optimizer, full_data)
            return self._search(self.optimizer, events, data.weights, full_data)

    def _search(
        self,
        budget: BoxSearch,
        events: Float[np.ndarray, "n d"],
        weights: Float[np.ndarray, " n"],
        full_data: Points,
    ) -> Fits:
        """The search on cells, the comparison of its starts on finer ones, and the last climb on all events."""
        coarse, *finer = self.levels
        theta = search(
            budget.search,
            partial(self._climb_cells, coarse, coarse.data(events, weights)),
            partial(network_starts.draw, layout=self.layout, bound=self.bound, points=coarse.points),
            partial(network_starts.vary, layout=self.layout, bound=self.bound, points=coarse.points),
        )
        behind = np.zeros(len(theta))
        for level in finer:
            damping = np.full(len(theta), FIRST_DAMPING)
            data = level.data(events, weights)
            theta, losses, _ = self._climb_cells(level, data, theta, damping, budget.fine_iterations)
            behind = 2 * (losses - losses.min())
        ends = [self._climb_full(point, full_data, budget.full_iterations) for point in theta[behind < AGREEMENT]]
        best = max(ends, key=lambda end: end.t)
        # A start that was left behind on the fine cells lies as far behind on all events.
        reached = np.concatenate([[end.t for end in ends], best.t - behind[behind >= AGREEMENT]])
        return _fits(best, reached)

    def _adam(self, settings: Adam, full_data: Points) -> Fits:
        start = network_starts.glorot(np.random.default_rng(settings.seed), self.layout)
        theta = fit_adam(self.layout, settings, start, self.bound, self.full, full_data)
        end = self._climb_full(np.asarray(theta), full_data, 0)
        return _fits(end, np.array([end.t]))

    def _climb_cells(
        self, level: _Level, data: Points, theta: np.ndarray, damping: np.ndarray, iterations: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        cast = partial(np.asarray, dtype=level.precision)
        lanes = max(1, min(8, CACHE // cast(theta[0]).nbytes // level.cells.count))
        ends = climb_population(
            self.layout,
            lanes,
            cast(theta),
            cast(damping),
            cast(self.bound),
            iterations,
            level.reference,
            data,
        )
        theta, losses, damping = (np.asarray(end, np.float64) for end in ends)
        return theta, np.where(np.isfinite(losses), losses, np.inf), damping

    def _climb_full(self, theta: np.ndarray, data: Points, most: int) -> _End:
        """Climbs on all events, a few steps at a time, until t would hardly rise or the budget is spent."""
        damping: np.ndarray | float = FIRST_DAMPING
        spent = 0
        while True:
            steps = min(STEPS_BETWEEN_CHECKS, most - spent)
            state, remaining = climb(self.layout, theta, damping, self.bound, steps, self.full, data)
            theta, damping, spent = np.asarray(state.theta), state.damping, spent + steps
            if spent >= most or remaining < CONVERGED / 10:
                return _End(theta, float(statistic(state.expansion.loss)), float(remaining))


class _End(NamedTuple):
    """Where a climb on all events ended."""

    theta: np.ndarray
    t: float
    remaining: float


def _fits(best: _End, reached: Float[np.ndarray, " starts"]) -> Fits:
    """The fit of one sample: its best end, and the t that each start reached."""
    ok = bool(np.isfinite(best.t))
    return Fits(
        t=np.array([best.t if ok else np.nan]),
        parameters=best.theta[None],
        converged=np.array([ok and best.remaining < CONVERGED]),
        starts=len(reached),
        starts_agreeing=np.array([np.sum(reached > best.t - AGREEMENT)]),
        start_spread=np.array([best.t - reached.min()]),
        remaining=np.array([best.remaining]),
    )


def _seconds_when_compiled(prepared: PreparedNetwork, data: Sample) -> float:
    """Wall time of a fit once everything is compiled."""
    prepared.fit([data])
    began = time.perf_counter()
    prepared.fit([data])
    return time.perf_counter() - began
