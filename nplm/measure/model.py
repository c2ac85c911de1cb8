"""A parametric model with its reference: fits of theta and nu, and how well they are known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float64, Int64

from nplm.data.sample import Sample
from nplm.measure.likelihood import (
    Events,
    auxiliary_terms,
    data_terms,
    data_values,
    reference_terms,
    reference_value,
    scores,
    second_moments,
    slopes,
)
from nplm.measure.observed import Minimum, Observed
from nplm.measure.parameters import Parameters
from nplm.measure.scale import deviating
from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.ratios.pointwise import Together, of_columns
from nplm.optimize.bounded_newton import BoundedMinimum, bounded_newton

# Points along the axis of each parameter, in units of its scale, from whose lowest ones fits begin as well.
_STEPS = np.linspace(-5.0, 5.0, 21)
# Minima closer than this share of an error are one.
_ONE_POINT = 0.02
# Correlations of all scores with less than this share of the largest eigenvalue are one combination.
_SINGULAR = 1e-10


@dataclass(frozen=True, eq=False)
class ParametricModel:
    """The reference with all parameters: those of interest first, then the nuisances.

    Arguments:
        parameters: of interest.
        nuisances: or None.
        ratio: log r of all.
        events: columns of the reference.
        low, high: bounds of all parameters.
        count: number of reference events whose weight is not zero.
        normalized: whether the yield of the reference is known from elsewhere, and not from its events.
    """

    parameters: Parameters
    nuisances: Nuisances | None
    ratio: Together
    events: Events
    low: Float64[np.ndarray, " k"]
    high: Float64[np.ndarray, " k"]
    count: int
    normalized: bool

    @classmethod
    def of(
        cls, reference: Sample, parameters: Parameters, nuisances: Nuisances | None = None, normalized: bool = False
    ) -> ParametricModel:
        """Computes all columns of the reference.

        Raises:
            ValueError: if a name is both a parameter and a nuisance, or a log-ratio is not for this reference.
        """
        parts = parameters.parts
        if nuisances is not None:
            if both := [name for name in parameters.names if name in nuisances.names]:
                raise ValueError(
                    f"'{both[0]}' is both a parameter of interest and a nuisance: constrain it or measure it"
                )
            nuisances.require_reference(reference)
            parts = (*parts, of_columns(nuisances.ratio))
        parameters.require_reference(reference)
        columns = [part.columns(reference.events) for part in parts]
        ratio = Together(parts, tuple(each.shape[1] for each in columns))
        k = len(ratio.nuisances)
        low, high = np.full(k, -np.inf), np.full(k, np.inf)
        low[: len(parameters.names)], high[: len(parameters.names)] = parameters.limits.T
        events = Events.of(np.concatenate(columns, axis=1), reference.weights)
        count = int(np.count_nonzero(reference.weights))
        return cls(parameters, nuisances, ratio, events, low, high, count, normalized)

    def with_weights(self, weights: Float64[np.ndarray, " n"]) -> ParametricModel:
        """The same events with other weights, as those of a reference that is drawn anew."""
        room = np.zeros(self.events.weights.size)
        room[: len(weights)] = weights
        with jax.enable_x64(True):
            events = Events(self.events.columns, jnp.asarray(room.reshape(self.events.weights.shape)))
        model = replace(self, events=events)
        model.__dict__["scale"] = self.scale
        return model

    @property
    def names(self) -> tuple[str, ...]:
        """All parameters in their order."""
        return self.ratio.nuisances

    @property
    def of_interest(self) -> int:
        """How many of them are of interest."""
        return len(self.parameters.names)

    @property
    def begin(self) -> Float64[np.ndarray, " k"]:
        """Where fits begin."""
        return np.concatenate([self.parameters.begin, np.zeros(len(self.names) - self.of_interest)])

    @property
    def auxiliary(self) -> Float64[np.ndarray, " a"]:
        """The auxiliary measurements that were given."""
        return np.zeros(0) if self.nuisances is None else self.nuisances.auxiliary

    def observed(self, data: Sample) -> Observed:
        """A data sample's columns.

        Raises:
            ValueError: if its auxiliary measurements are of another number.
        """
        auxiliary = self.auxiliary if data.auxiliary is None else data.auxiliary
        if auxiliary.shape != self.auxiliary.shape:
            raise ValueError(
                f"{data.name} has auxiliary measurements of shape {auxiliary.shape}, but the constraint is about"
                f" {len(self.auxiliary)}: give one for each"
            )
        columns = [part.columns(data.events) for part in self.ratio.parts]
        events = Events.of(np.concatenate(columns, axis=1), data.weights)
        return Observed(events, auxiliary, len(data), data.is_weighted, data.stands_for is not None)

    def expectation(self, point: Float64[np.ndarray, " k"]) -> Observed:
        """What is expected at a point, without fluctuations (Asimov data), with auxiliary measurements of that nu."""
        log_r, _ = self.scores(self.events, point)
        with jax.enable_x64(True):
            weights = self.events.weights * jnp.exp(jnp.asarray(log_r))
            events = Events(self.events.columns, weights)
        nu = point[self.of_interest :]
        auxiliary = self.auxiliary if self.nuisances is None else self.nuisances.expected_auxiliary(nu)
        return Observed(events, auxiliary, self.count, weighted=False, expectation=True)

    def loss(
        self, data: Observed, point: Float64[np.ndarray, " k"]
    ) -> tuple[float, Float64[np.ndarray, " k"], Float64[np.ndarray, "k k"]]:
        """L, its gradient and its second derivatives."""
        with jax.enable_x64(True):
            at = jnp.asarray(point)
            found = [reference_terms(self.ratio, self.events, at)]
            if data.size:
                found.append(data_terms(self.ratio, data.events, at))
            value = sum(float(each.value) for each in found)
            gradient = np.sum([np.asarray(each.gradient) for each in found], axis=0)
            hessian = np.sum([np.asarray(each.hessian) for each in found], axis=0)
            if self.nuisances is not None:
                k = self.of_interest
                known = auxiliary_terms(self.nuisances, at[k:], jnp.asarray(data.auxiliary))
                value += float(known.value)
                gradient[k:] += np.asarray(known.gradient)
                hessian[k:, k:] += np.asarray(known.hessian)
        return value, gradient, hessian

    def slope(self, data: Observed, point: Float64[np.ndarray, " k"]) -> tuple[float, Float64[np.ndarray, " k"]]:
        """L and its gradient alone."""
        with jax.enable_x64(True):
            at = jnp.asarray(point)
            found = slopes(self.ratio, self.events, data.events if data.size else None, at)
            value, gradient = float(found[0]), np.array(found[1])
            if self.nuisances is not None:
                k = self.of_interest
                known = auxiliary_terms(self.nuisances, at[k:], jnp.asarray(data.auxiliary))
                value += float(known.value)
                gradient[k:] += np.asarray(known.gradient)
        return value, gradient

    def stiffness(self, data: Observed, point: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, "k k"]:
        """S, the second derivatives of -log L(nu | A), zero for parameters of interest."""
        found = np.zeros((len(point), len(point)))
        if self.nuisances is not None:
            k = self.of_interest
            with jax.enable_x64(True):
                terms = auxiliary_terms(self.nuisances, jnp.asarray(point[k:]), jnp.asarray(data.auxiliary))
                found[k:, k:] = np.asarray(terms.hessian)
        return found

    def scores(
        self, events: Events, point: Float64[np.ndarray, " k"]
    ) -> tuple[Float64[np.ndarray, "blocks m"], Float64[np.ndarray, "blocks m k"]]:
        """log r and its derivatives at events in blocks."""
        with jax.enable_x64(True):
            log_r, s = scores(self.ratio, events, jnp.asarray(point))
            return np.asarray(log_r), np.asarray(s)

    def moments(
        self, point: Float64[np.ndarray, " k"], events: Events | None = None
    ) -> tuple[float, Float64[np.ndarray, " k"], Float64[np.ndarray, "k k"], Float64[np.ndarray, "k1 k1"]]:
        """sum w r, sum w r s, sum w r s s^T and sum (w r)^2 (s, 1)(s, 1)^T of the reference, or of other events."""
        with jax.enable_x64(True):
            found = second_moments(self.ratio, self.events if events is None else events, jnp.asarray(point))
            total, first, information, noise = (np.asarray(each) for each in found)
        return float(total), first, information, noise

    @cached_property
    def scale(self) -> Float64[np.ndarray, " k"]:
        """How far each parameter may be expected to move: sigma of nuisances, and one standard deviation of the others.

        That is where 2 sum_R w (r log r - r + 1) = 1, the expectation of t between that value and 0.

        Raises:
            ValueError: if nothing depends on a parameter.
        """
        found = np.ones(len(self.names))
        if self.nuisances is not None:
            found[self.of_interest :] = self.nuisances.sigma
        for i, name in enumerate(self.parameters.names):
            given = self.parameters.scale.get(name)
            found[i] = given or deviating(name, lambda v, i=i: self._apart(i, v), self.low[i], self.high[i])  # type: ignore[misc]
        return found

    def _apart(self, i: int, value: float) -> float:
        """2 sum_R w (r log r - r + 1) between 0 and a value of one parameter."""
        point = np.zeros(len(self.names))
        point[i] = value
        log_r = self.scores(self.events, point)[0]
        with np.errstate(over="ignore", invalid="ignore"):
            return float(2 * np.sum(np.asarray(self.events.weights) * (np.exp(log_r) * log_r - np.expm1(log_r))))

    @cached_property
    def axes(self) -> tuple[Float64[np.ndarray, "p k"], Float64[np.ndarray, " p"], Int64[np.ndarray, " p"]]:
        """Points along the axes of parameters of interest, sum_R w (r - 1) there, and the number of each one's axis."""
        points, axis = [], []
        for i in range(self.of_interest):
            values = np.clip(self.begin[i] + _STEPS * self.scale[i], self.low[i], self.high[i])
            for value in np.unique(values):
                point = self.begin.copy()
                point[i] = value
                points.append(point)
                axis.append(i)
        with jax.enable_x64(True):
            values = [float(reference_value(self.ratio, self.events, jnp.asarray(point))) for point in points]
        return np.array(points), np.array(values), np.array(axis)

    def _starts(self, data: Observed) -> list[Float64[np.ndarray, " k"]]:
        """The usual start, and the lowest points along each axis away from it."""
        if not self.of_interest:
            return [self.begin]
        points, values, axis = self.axes
        if data.size:
            with jax.enable_x64(True):
                values = values + np.asarray(data_values(self.ratio, data.events, jnp.asarray(points)))
        values = np.where(np.isfinite(values), values, np.inf)
        found = [self.begin]
        for i in range(self.of_interest):
            own = np.flatnonzero(axis == i)
            v = values[own]
            padded = np.concatenate([[np.inf], v, [np.inf]])
            lowest = np.isfinite(v) & (v <= padded[:-2]) & (v <= padded[2:])
            near = np.abs(points[own, i] - self.begin[i]) < 0.75 * self.scale[i] * (_STEPS[1] - _STEPS[0])
            found += [points[own[j]] for j in np.flatnonzero(lowest & ~near)]
        return found

    def descend(
        self,
        data: Observed,
        start: Float64[np.ndarray, " k"],
        free: Bool[np.ndarray, " k"] | None = None,
    ) -> BoundedMinimum:
        """The minimum that a descent from one start ends in, some parameters held."""
        moves = np.ones(len(start), dtype=bool) if free is None else free
        return bounded_newton(lambda at: self.loss(data, at), start, self.low, self.high, moves)

    def fit(self, data: Observed, start: Float64[np.ndarray, " k"] | None = None) -> Minimum:
        """The lowest of the minima that descents from several starts end in, or from one that is given."""
        starts = self._starts(data) if start is None else [start]
        ends = sorted((self.descend(data, each) for each in starts), key=lambda end: _order(end))
        best = ends[0]
        size = np.sqrt(1 / np.maximum(np.diag(best.hessian), 1e-300))
        others: list[tuple[np.ndarray, float]] = []
        for end in ends[1:]:
            known = [best.point, *(point for point, _ in others)]
            if end.converged and all((np.abs(end.point - at) > _ONE_POINT * size).any() for at in known):
                others.append((end.point, end.value))
        return Minimum(best.point, best.value, best.gradient, best.hessian, best.converged, tuple(others))

    def require_informed(self) -> None:
        """Makes sure that the expectation depends on each parameter in a way of its own.

        Raises:
            ValueError: naming the parameters of which only a combination matters.
        """
        point = np.clip(self.scale * 0.5, self.low, self.high)
        point[self.of_interest :] = 0
        information = self.moments(point)[2] + self.stiffness(self._nothing, point)
        size = np.sqrt(np.maximum(np.diag(information), 1e-300))
        values, vectors = np.linalg.eigh(information / np.outer(size, size))
        if not values[0] > _SINGULAR * values[-1]:
            mixed = [name for name, v in zip(self.names, vectors[:, 0], strict=True) if abs(v) > 0.1]
            raise ValueError(
                f"the expectation depends only on a combination of {', '.join(mixed)}, so the data cannot tell them"
                " apart: hold one of them, leave it out, or give what is known of it as a nuisance"
            )

    def require_finite(self, events: Events, sample: Sample) -> None:
        """Makes sure that log r is finite where fits begin, at the events of a sample.

        Raises:
            ValueError: naming the parameters and the event.
        """
        n = len(sample)
        if not n:
            return
        columns = events.rows()[:n]
        start = 0
        for part, size in zip(self.ratio.parts, self.ratio.sizes, strict=True):
            own = self.begin[[self.names.index(name) for name in part.nuisances]]
            with jax.enable_x64(True):
                log_r = np.asarray(part.log_r(jnp.asarray(columns[:, start : start + size]), jnp.asarray(own)))
            start += size
            if log_r.shape != (n,):
                raise ValueError(
                    f"the log-ratio of {', '.join(part.nuisances)} must give one value for each event, shape ({n},),"
                    f" not {log_r.shape}"
                )
            if not np.isfinite(log_r).all():
                row = int(np.argmin(np.isfinite(log_r)))
                raise ValueError(
                    f"the log-ratio of {', '.join(part.nuisances)} is {log_r[row]} for event {row} of {sample.name},"
                    f" {sample.events[row].tolist()}: cut away events that only one of the two densities has"
                )

    def auxiliary_maximum(self, data: Observed) -> Float64[np.ndarray, " n"] | None:
        """nu that auxiliary measurements alone like best; None if it is not found."""
        assert self.nuisances is not None
        k, nuisances = self.of_interest, self.nuisances

        def expand(nu: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
            with jax.enable_x64(True):
                found = auxiliary_terms(nuisances, jnp.asarray(nu), jnp.asarray(data.auxiliary))
                return float(found.value), np.asarray(found.gradient), np.asarray(found.hessian)

        count = len(self.names) - k
        ends = np.full(count, np.inf)
        end = bounded_newton(expand, np.zeros(count), -ends, ends, np.ones(count, dtype=bool))
        return end.point if end.converged else None

    def error_of_information(self, point: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, "k k"]:
        """Standard deviation of each element of sum_R w r s s^T by the finite size of the reference."""
        log_r, s = self.scores(self.events, point)
        squares = s.reshape(-1, len(point)) ** 2
        density = (np.asarray(self.events.weights) * np.exp(log_r)).ravel()
        return np.sqrt((squares * density[:, None] ** 2).T @ squares)

    @property
    def _nothing(self) -> Observed:
        return Observed(self.events, self.auxiliary, 0, weighted=False)

    def noise_of_reference(self, point: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, "k k"]:
        """Covariance of sum_R w r s, by which the reference's own fluctuation moves the gradient.

        sum (w r)^2 s s^T, less what is fixed: the number of its events, or its yield where that is known.
        """
        _, first, _, noise = self.moments(point)
        if self.normalized:
            given = float(np.asarray(self.events.weights).sum())
            # Scaled to its yield at 0: sums move by w (r s - mean of r s) with each event.
            return self._about_mean(point, first / given)
        return noise[:-1, :-1] - np.outer(first, first) / self.count

    def _about_mean(
        self, point: Float64[np.ndarray, " k"], mean: Float64[np.ndarray, " k"]
    ) -> Float64[np.ndarray, "k k"]:
        log_r, s = self.scores(self.events, point)
        w = np.asarray(self.events.weights).ravel()[:, None]
        apart = w * (np.exp(log_r).ravel()[:, None] * s.reshape(-1, len(point)) - mean)
        return apart.T @ apart

    def noise_of_data(self, data: Observed, found: Minimum) -> Float64[np.ndarray, "k k"]:
        """Covariance of the gradient by the data and the auxiliary measurements: the Hessian for unit weights."""
        if not data.weighted:
            return found.hessian
        _, s = self.scores(data.events, found.point)
        v = np.asarray(data.events.weights).ravel()[:, None]
        apart = v * s.reshape(-1, len(found.point))
        return apart.T @ apart + self.stiffness(data, found.point)


def _order(end: BoundedMinimum) -> tuple[bool, float]:
    """The lowest first, those that were found before others."""
    return (not (end.converged and np.isfinite(end.value)), end.value if np.isfinite(end.value) else np.inf)
