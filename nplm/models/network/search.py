"""The maximum of the likelihood ratio over a network, alone or with nuisances, for samples shared by the cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from threading import Event
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nplm._util.cores import available_cores
from nplm.data.partition import Cells, compact_cells
from nplm.likelihood.extended import statistic
from nplm.likelihood.fits import Fits
from nplm.models.network import initial as network_starts
from nplm.models.network.events import Points, centroids, chunked, one_chunk, rounded_up
from nplm.models.network.joint import JointNetwork
from nplm.models.network.loss import Family, climb, climb_population, climb_with_secants, fit_adam
from nplm.models.network.mlp import Layout
from nplm.models.network.search_settings import BoxSearch
from nplm.optimize.adam import Adam
from nplm.optimize.multistart import FIRST_DAMPING, Climb, search

# Starts within this much of the largest t agree on the maximum.
AGREEMENT = 0.05
# Steps on all events between two looks at whether the climb has converged.
STEPS_BETWEEN_CHECKS = 5
# Bytes of Jacobians that networks climbing side by side may fill.
CACHE = 1 << 19
# The fit has converged when the local expansion promises less than this for t.
CONVERGED = 0.01


class Data(NamedTuple):
    """A sample as the search needs it.

    Arguments:
        events: in the coordinates of the model, followed by the columns g of nuisances.
        weights: of the events.
        auxiliary: with nuisances, the auxiliary measurements.
        nu: where all starts have the nuisances; none without.
        least: t at this nu without f, which the search is held to.
        log_rho: with a finite reference, the logarithm of rho.
    """

    events: Float[np.ndarray, "n d"]
    weights: Float[np.ndarray, " n"]
    auxiliary: Float[Array, " a"] | None = None
    nu: Float[np.ndarray, " k"] = np.zeros(0)
    least: float = -np.inf
    log_rho: float | None = None

    def points(self, of_events: Points) -> Points:
        """Its events, laid out as points, together with what belongs to the whole sample."""
        log_rho = None if self.log_rho is None else jnp.asarray(self.log_rho, dtype=of_events.x.dtype)
        return of_events._replace(auxiliary=self.auxiliary, log_rho=log_rho)


@dataclass(frozen=True, eq=False)
class Level:
    """The reference in cells, and what it takes to bring data into the same cells.

    Arrays have space for a few more cells: references of one size, such as those of toys, may have different numbers of
    cells, and share one compilation.
    """

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
    ) -> Level:
        return cls.of(compact_cells(events, weights, count), events, weights, precision)

    @classmethod
    def of(
        cls,
        cells: Cells,
        events: Float[np.ndarray, "n d"],
        weights: Float[np.ndarray, " n"],
        precision: type[np.floating],
    ) -> Level:
        """With given cells; events may have more columns than these divide, which are averaged as well."""
        points, sums = centroids(cells, events, weights)
        return cls(cells, points, one_chunk(points, sums, precision, rounded_up(cells.count)), precision)

    @property
    def room(self) -> int:
        """Cells that there is space for."""
        return self.reference.weights.shape[1]

    def data(self, data: Data) -> Points:
        sums = centroids(self.cells, data.events, data.weights, self.points)
        return data.points(one_chunk(*sums, self.precision, self.room))


@dataclass(frozen=True, eq=False)
class NetworkSearch:
    """A family of log-ratios in a box, with its reference: `levels` in cells, coarse first, and `full` with all events.

    `room` is the number of data events for which arrays are laid out, so that toys share one compilation.
    """

    family: Family
    bound: Float[np.ndarray, " p"]
    optimizer: BoxSearch | Adam
    levels: tuple[Level, ...]
    full: Points
    room: int

    @cached_property
    def full_single(self) -> Points:
        """All events of the reference in single precision."""
        return _single(self.full)

    @property
    def layout(self) -> Layout:
        """Of the network in the family."""
        return self.family.network if isinstance(self.family, JointNetwork) else self.family

    @cached_property
    def replicas(self) -> tuple[NetworkSearch, ...]:
        """The same on each of JAX's local devices, the default one first."""
        devices = jax.local_devices()
        return (self,) if len(devices) == 1 else tuple(self._on(device) for device in devices)

    @property
    def batch_size(self) -> int:
        """Toys fitted together: one for each core that this process may use, or each device if these are more."""
        return max(len(available_cores()), len(jax.local_devices()))

    def fit(self, data: Sequence[Data]) -> Fits:
        """Fits each sample; the cores and the devices share them."""
        return self._share([partial(NetworkSearch._fit_one, data=sample) for sample in data])

    def fit_from(self, data: Sequence[Data], starts: Sequence[Float[np.ndarray, "_ p"]]) -> Fits:
        """Fits each sample from given starts only, see `PreparedNetwork.fit_from`."""
        pairs = zip(data, starts, strict=True)
        return self._share([partial(NetworkSearch._fit_from, data=d, starts=s) for d, s in pairs])

    def _share(self, fits: Sequence[Callable[..., Fits]]) -> Fits:
        """Runs fits of single samples on threads, each on the next device in turn."""
        if len(fits) == 1:
            return fits[0](self, stop=None)
        stop = Event()
        with ThreadPoolExecutor(self.batch_size) as pool:
            try:
                running = [
                    pool.submit(fit, self.replicas[i % len(self.replicas)], stop=stop) for i, fit in enumerate(fits)
                ]
                return Fits.concatenate([fit.result() for fit in running])
            except BaseException:
                # Leaving the pool waits for its threads, which look for this between their climbs.
                stop.set()
                raise

    def _on(self, device: jax.Device) -> NetworkSearch:
        """The same with the arrays of the reference on a device."""
        with jax.enable_x64(True):
            put = partial(jax.device_put, device=device)
            levels = tuple(replace(level, reference=put(level.reference)) for level in self.levels)
            return replace(self, levels=levels, full=put(self.full))

    def _full(self, data: Data) -> Points:
        """All events of a sample."""
        return data.points(chunked(data.events, data.weights, self.room))

    def _fit_one(self, *, data: Data, stop: Event | None) -> Fits:
        """Fits one sample with the optimizer that was asked for, unless told to stop."""
        with jax.enable_x64(True):
            if isinstance(self.optimizer, Adam):
                return self._adam(self.optimizer, self._full(data))
            return self._search(self.optimizer, data, stop)

    def _search(self, budget: BoxSearch, data: Data, stop: Event | None) -> Fits:
        """The search on cells, the comparison of its starts on finer ones, and the last climb on all events."""
        coarse, full_data = self.levels[0], self._full(data)
        layout = self.layout
        of_network = layout, self.bound[: layout.parameters], coarse.points[:, : layout.sizes[0]]

        def draw(rng: np.random.Generator, number: int) -> np.ndarray:
            return np.column_stack([network_starts.draw(rng, number, *of_network), np.tile(data.nu, (number, 1))])

        theta = search(
            budget.search,
            _unless(stop, partial(self._climb_cells, coarse, coarse.data(data))),
            draw,
            lambda rng, parents, number: network_starts.vary(rng, parents, number, *of_network),
        )
        theta, losses = self._refine(budget, theta, data, full_data)
        behind = 2 * (losses - losses.min())
        best = self._climb_full(theta[np.argmin(losses)], full_data, budget.last_iterations)
        if best.t < data.least:
            silent = np.append(network_starts.silent(*of_network), data.nu)
            best = self._climb_full(silent, full_data, budget.last_iterations)
        # What a start was behind by before the last climb, it stays behind by.
        reached = best.t - behind
        return _fits(best, reached)

    def _fit_from(self, *, data: Data, starts: Float[np.ndarray, "k p"], stop: Event | None) -> Fits:
        """Climbs from each start, coarse to fine; from the start itself on all events if that loses t."""
        if isinstance(self.optimizer, Adam):
            raise ValueError("the published recipe has a start of its own: it cannot fit from others")
        most = self.optimizer.last_iterations
        ends = []
        with jax.enable_x64(True):
            full_data = self._full(data)
            for start in np.clip(starts, -self.bound, self.bound):
                if stop is not None and stop.is_set():
                    raise CancelledError
                before = self._climb_full(start, full_data, 0)
                refined, _ = self._refine(self.optimizer, start[None], data, full_data)
                end = self._climb_full(refined[0], full_data, most)
                ends.append(end if end.t >= before.t else self._climb_full(start, full_data, most))
        best = max(ends, key=lambda end: -np.inf if np.isnan(end.t) else end.t)
        return _fits(best, np.array([end.t for end in ends]))

    def _refine(
        self, budget: BoxSearch, theta: Float[np.ndarray, "n p"], data: Data, full_data: Points
    ) -> tuple[np.ndarray, np.ndarray]:
        """Climbs on finer cells, or with secants on all events: the points and their losses there."""
        if budget.fine_cells is None:
            return self._climb_with_secants(full_data, theta, budget.fine_iterations)
        fine = self.levels[1]
        damping = np.full(len(theta), FIRST_DAMPING)
        theta, losses, _ = self._climb_cells(fine, fine.data(data), theta, damping, budget.fine_iterations)
        return theta, losses

    def _adam(self, settings: Adam, full_data: Points) -> Fits:
        """The recipe in single precision, as it was published; t itself is summed in double precision."""
        start = network_starts.glorot(np.random.default_rng(settings.seed), self.layout)
        theta = fit_adam(
            self.layout, settings, _single(start), _single(self.bound), self.full_single, _single(full_data)
        )
        end = self._climb_full(np.asarray(theta, np.float64), full_data, 0)
        return _fits(end, np.array([end.t]))

    def _climb_cells(
        self, level: Level, data: Points, theta: np.ndarray, damping: np.ndarray, iterations: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        cast = partial(np.asarray, dtype=level.precision)
        lanes = max(1, min(8, CACHE // cast(theta[0]).nbytes // level.room))
        ends = climb_population(
            self.family,
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
            climb_with_secants(self.family, _single(point), damping, bound, iterations, self.full_single, data)
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
            state, remaining = climb(self.family, theta, damping, self.bound, steps, self.full, data)
            theta, damping, spent = np.asarray(state.theta), state.damping, spent + steps
            if spent >= most or remaining < CONVERGED / 10:
                # df/d(output bias) = 1, so this is sum_R w e^f: the yield that the fitted model expects. With a finite
                # reference it is the expected part of both samples that belongs to the data.
                of_bias = state.expansion.gradient[self.family.output_bias]
                expected = float(of_bias + jnp.sum(data.weights))
                return _end(theta, float(statistic(state.expansion.loss)), float(remaining), expected)


def _unless(stop: Event | None, climb: Climb) -> Climb:
    """The climb, refusing to begin once a stop was asked for."""

    def checked(theta: np.ndarray, damping: np.ndarray, iterations: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if stop is not None and stop.is_set():
            raise CancelledError
        return climb(theta, damping, iterations)

    return checked


class _End(NamedTuple):
    """Where a climb on all events ended; t is NaN, with the reason, if there is no maximum."""

    theta: np.ndarray
    t: float
    remaining: float
    failure: str


def _end(theta: np.ndarray, t: float, remaining: float, expected: float) -> _End:
    if not np.isfinite(t):
        return _End(theta, np.nan, remaining, "the likelihood overflowed")
    if expected > 0:
        return _End(theta, t, remaining, "")
    # With negative reference weights L can fall without limit.
    return _End(theta, np.nan, remaining, f"the fitted model expects a yield of {expected:.3g}, which is not positive")


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
        failure=np.array([best.failure], dtype=object),
    )


def _single(arrays: Any) -> Any:
    """The same arrays (a tree of them) in single precision."""
    return jax.tree.map(partial(jnp.asarray, dtype=jnp.float32), arrays)


def _or_infinity(losses: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Losses by which to choose: what overflowed is the worst."""
    return np.where(np.isfinite(losses), losses, np.inf)
