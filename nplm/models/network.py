"""The network model: a sigmoid network whose weights are clipped to a box."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from threading import Event
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
from nplm.models.network_loss import climb, climb_population, climb_with_secants, fit_adam
from nplm.models.points import CHUNK, Points, centroids, chunked, one_chunk
from nplm.optimize.adam import Adam
from nplm.optimize.search import FIRST_DAMPING, Climb, SearchSettings, search
from nplm.sample import Sample, Scaler

# Starts within this much of the largest t agree on the maximum.
AGREEMENT = 0.05
# Steps on all events between two looks at whether the climb has converged.
STEPS_BETWEEN_CHECKS = 5
# Bytes of Jacobians that networks climbing side by side may fill.
CACHE = 1 << 19
# A projection of the time times a fit with this fraction of the steps.
PROBE = 20
# The fit has converged when the local expansion promises less than this for t.
CONVERGED = 0.01


@dataclass(frozen=True)
class BoxSearch:
    """Our optimiser: a search with Gauss-Newton climbs in the box, coarse to fine in the samples.

    The search runs on cells of the reference (centroid and summed weight of the events in each). The best point of
    each of its starts then climbs on finer cells, or with secants on all events; the best of these climbs on all events
    in double precision. None of it is random: the same data give the same t.

    Arguments:
        search: amount of search.
        cells: number of cells the search runs on.
        fine_cells: number of cells the starts are compared on; None for all events.
        fine_iterations: steps on these.
        last_iterations: most steps of the last climb.
    """

    search: SearchSettings
    cells: int
    fine_cells: int | None
    fine_iterations: int
    last_iterations: int

    @classmethod
    def default(cls, layout: Layout) -> BoxSearch:
        """Budgets that experiments/benchmarks time; in one dimension cells lose little, so that search is wide."""
        inputs, *hidden, _ = layout.sizes
        if inputs == 1 and len(hidden) == 1:
            wide = SearchSettings(starts=3, population=48, parents=8, generations=16, iterations=40)
            return cls(wide, cells=300, fine_cells=4000, fine_iterations=100, last_iterations=20)
        if len(hidden) == 1:
            brief = SearchSettings(starts=4, population=12, parents=4, generations=6, iterations=25)
            return cls(brief, cells=12_000, fine_cells=None, fine_iterations=150, last_iterations=20)
        deep = SearchSettings(starts=4, population=8, parents=3, generations=3, iterations=20)
        return cls(deep, cells=4000, fine_cells=None, fine_iterations=300, last_iterations=10)

    def shortened(self, divisor: int) -> BoxSearch:
        """The same search with every climb shortened, at least to one step."""
        return replace(
            self,
            search=replace(self.search, iterations=-(-self.search.iterations // divisor)),
            fine_iterations=-(-self.fine_iterations // divisor),
            last_iterations=-(-self.last_iterations // divisor),
        )


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
        if isinstance(self.hidden, int):
            raise ValueError(f"hidden must hold the neurons of each layer, such as ({self.hidden},), not {self.hidden}")
        if not self.hidden or any(h < 1 for h in self.hidden):
            raise ValueError(f"a network needs hidden layers of one neuron or more, not {self.hidden}")
        if not (np.isfinite(self.clip) and self.clip > 0):
            raise ValueError(f"the clip must be a positive number, not {self.clip:g}")

    @property
    def name(self) -> str:
        return "network"

    def configuration(self, dimension: int) -> Mapping[str, Any]:
        optimizer = self._optimizer(dimension)
        return {
            "hidden": list(self.hidden),
            "clip": self.clip,
            "clip_biases": self.clip_biases,
            "optimizer": {"name": type(optimizer).__name__, **asdict(optimizer)},
        }

    def prepare(self, reference: Sample, scaler: Scaler) -> PreparedNetwork:
        """Sums the reference in cells and lays its events out for the compiled loss."""
        layout = self._layout(reference.dimension)
        bound = np.where(layout.is_bias & (not self.clip_biases), np.inf, self.clip)
        events = scaler(reference.events)
        optimizer = self._optimizer(reference.dimension)
        levels: tuple[_Level, ...] = ()
        if isinstance(optimizer, BoxSearch):
            with jax.enable_x64(True):
                levels = (_Level.build(events, reference.weights, optimizer.cells, np.float32),)
                if optimizer.fine_cells is not None:
                    levels += (_Level.build(events, reference.weights, optimizer.fine_cells, np.float64),)
        with jax.enable_x64(True):
            full = chunked(events, reference.weights, 0)
        room = int(reference.total_weight + 6 * np.sqrt(reference.total_weight)) + 1
        return PreparedNetwork(layout, bound, scaler, optimizer, levels, full, room)

    def _layout(self, dimension: int) -> Layout:
        return Layout((dimension, *self.hidden, 1))

    def _optimizer(self, dimension: int) -> BoxSearch | Adam:
        return self.optimizer or BoxSearch.default(self._layout(dimension))


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

    @cached_property
    def full_single(self) -> Points:
        """All events of the reference in single precision."""
        return _single(self.full)

    @property
    def degrees_of_freedom(self) -> int:
        return self.layout.parameters

    @property
    def batch_size(self) -> int:
        """Toys fitted together: one for each core that this process may use."""
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

    def fit(self, data: Sequence[Sample]) -> Fits:
        """Fits each sample; the cores share them."""
        if len(data) == 1:
            return self._fit_one(data[0])
        stop = Event()
        with ThreadPoolExecutor(self.batch_size) as pool:
            try:
                return Fits.concatenate(list(pool.map(partial(self._fit_one, stop=stop), data)))
            except BaseException:
                # Leaving the pool waits for its threads, which look for this between their climbs.
                stop.set()
                raise

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
        """Times a fit of these data with a small part of the budget, compiled before, and scales it up."""
        brief = replace(self, optimizer=self.optimizer.shortened(PROBE))
        brief.fit([data])
        began = time.perf_counter()
        brief.fit([data])
        return PROBE * (time.perf_counter() - began) * -(-fits // self.batch_size)

    def _fit_one(self, data: Sample, stop: Event | None = None) -> Fits:
        """Fits one sample with the optimiser that was asked for, unless told to stop."""
        events = self.scaler(data.events)
        with jax.enable_x64(True):
            full_data = chunked(events, data.weights, self.room)
            if isinstance(self.optimizer, Adam):
                return self._adam(self.optimizer, full_data)
            return self._search(self.optimizer, events, data.weights, full_data, stop)

    def _search(
        self,
        budget: BoxSearch,
        events: Float[np.ndarray, "n d"],
        weights: Float[np.ndarray, " n"],
        full_data: Points,
        stop: Event | None,
    ) -> Fits:
        """The search on cells, the comparison of its starts on finer ones, and the last climb on all events."""
        coarse = self.levels[0]
        theta = search(
            budget.search,
            _unless(stop, partial(self._climb_cells, coarse, coarse.data(events, weights))),
            partial(network_starts.draw, layout=self.layout, bound=self.bound, points=coarse.points),
            partial(network_starts.vary, layout=self.layout, bound=self.bound, points=coarse.points),
        )
        if budget.fine_cells is None:
            theta, losses = self._climb_with_secants(full_data, theta, budget.fine_iterations)
        else:
            fine = self.levels[1]
            damping = np.full(len(theta), FIRST_DAMPING)
            theta, losses, _ = self._climb_cells(
                fine, fine.data(events, weights), theta, damping, budget.fine_iterations
            )
        behind = 2 * (losses - losses.min())
        best = self._climb_full(theta[np.argmin(losses)], full_data, budget.last_iterations)
        # What a start was behind by before the last climb, it stays behind by.
        reached = best.t - behind
        return _fits(best, reached)

    def _adam(self, settings: Adam, full_data: Points) -> Fits:
        """The recipe in single precision, as it was published; t itself is summed in double precision."""
        start = network_starts.glorot(np.random.default_rng(settings.seed), self.layout)
        theta = fit_adam(
            self.layout, settings, _single(start), _single(self.bound), self.full_single, _single(full_data)
        )
        end = self._climb_full(np.asarray(theta, np.float64), full_data, 0)
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
        return theta, _or_infinity(losses), damping

    def _climb_with_secants(self, data: Points, theta: np.ndarray, iterations: int) -> tuple[np.ndarray, np.ndarray]:
        """Climbs on all events in single precision, which is exact enough to rank the starts."""
        damping, bound, data = _single((FIRST_DAMPING, self.bound, data))
        ends = [
            climb_with_secants(self.layout, _single(point), damping, bound, iterations, self.full_single, data)
            for point in theta
        ]
        points, losses = (np.array(end, np.float64) for end in zip(*ends, strict=True))
        return points, _or_infinity(losses)

    def _climb_full(self, theta: np.ndarray, data: Points, most: int) -> _End:
        """Climbs on all events, a few steps at a time, until t would hardly rise or the budget is spent."""
        damping: np.ndarray | float = FIRST_DAMPING
        spent = 0
        while True:
            steps = min(STEPS_BETWEEN_CHECKS, most - spent)
            state, remaining = climb(self.layout, theta, damping, self.bound, steps, self.full, data)
            theta, damping, spent = np.asarray(state.theta), state.damping, spent + steps
            if spent >= most or remaining < CONVERGED / 10:
                # df/d(output bias) = 1, so this is sum_R w e^f: the yield that the fitted model expects.
                expected = state.expansion.gradient[-1] + jnp.sum(data.weights)
                t = statistic(state.expansion.loss) if expected > 0 else np.nan
                return _End(theta, float(t), float(remaining))


def _unless(stop: Event | None, climb: Climb) -> Climb:
    """The climb, refusing to begin once a stop was asked for."""

    def checked(theta: np.ndarray, damping: np.ndarray, iterations: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if stop is not None and stop.is_set():
            raise CancelledError
        return climb(theta, damping, iterations)

    return checked


class _End(NamedTuple):
    """Where a climb on all events ended.

    t is NaN if the model expects no or a negative yield: with negative reference weights L can fall without limit.
    """

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


def _single(arrays: Any) -> Any:
    """The same arrays (a tree of them) in single precision."""
    return jax.tree.map(partial(jnp.asarray, dtype=jnp.float32), arrays)


def _or_infinity(losses: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Losses by which to choose: what overflowed is the worst."""
    return np.where(np.isfinite(losses), losses, np.inf)
