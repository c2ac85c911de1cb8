"""Log-ratios of densities that are polynomials in the parameters, as those of effective theories."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64, Int64
from numpy.typing import ArrayLike

from nplm.data.fingerprint import rounded
from nplm.nuisance.ratios.base import LogRatioDefaults
from nplm.nuisance.ratios.expansion import Expansion
from nplm.nuisance.ratios.monomials import names_of_monomials, powers_of, traced_powers
from nplm.nuisance.values import distinct_names, nu_of, positive, values_of

ORDERS = (4, 6, 8, 10, 12, 16, 20, 24)
# Functions of the event that an expansion may have: the sums of their products cost with the square.
MOST_FUNCTIONS = 500
TOLERANCE = 1e-3
# Points of theta at which the expansion is compared with the polynomial, beside the corners.
_POINTS = 24
_MOST_CORNERS = 16
# Events times nodes that are held at once.
_AT_ONCE = 1 << 22
_SMALLEST = 1e-300


@dataclass(frozen=True, eq=False)
class PolynomialLogRatio(LogRatioDefaults):
    """log r(x; theta) = log [1 + sum_a R_a(x) theta^a], where theta^a are products of powers of the parameters.

    It is what amplitudes that are linear in the couplings theta give: r is quadratic then. As its logarithm is no
    finite sum of products, it is expanded in theta at each event, log r = sum_n a_n(x) [T_n(theta / reach) - T_n(0)],
    with products of Chebyshev polynomials up to a total degree; beyond the reach it goes on as a straight line.
    Whenever events are evaluated the expansion is compared with the polynomial, and one that is off by more than the
    tolerance is refused, as is an r that is not positive.

    Arguments:
        nuisances: names of the parameters, in the order of theta.
        powers: of each parameter in the terms, shape (T, k), without the constant; see
            `nplm.nuisance.ratios.monomials.monomials`.
        function: R at events of shape (n, d); returns shape (n, T).
        reach: largest |theta| of the expansion; one number for all, or one for each parameter.
        order: largest total degree of the expansion.
        tolerance: largest error of log r.
        description: what it is, in words.

    Raises:
        ValueError: if a reach or the tolerance is not positive, powers have another shape, or the expansion has too
            many terms.

    Example:
        >>> ratio = PolynomialLogRatio("c", [[1], [2]], lambda x: np.column_stack([0.2 * x, 0.1 * x**2]), 1.0)
        >>> round(float(ratio.log_ratio(np.array([[2.0]]), {"c": 0.5})[0]), 6)  # log [1 + 0.4 / 2 + 0.4 / 4]
        0.262364
    """

    nuisances: tuple[str, ...]
    powers: Int64[np.ndarray, "T k"]
    function: Callable[[Float64[np.ndarray, "n d"]], Float64[np.ndarray, "n T"]]
    reach: Float64[np.ndarray, " k"]
    order: int
    tolerance: float
    description: str

    def __init__(
        self,
        nuisances: str | Sequence[str],
        powers: ArrayLike,
        function: Callable[[Float64[np.ndarray, "n d"]], Float64[np.ndarray, "n T"]],
        reach: ArrayLike,
        order: int = 12,
        tolerance: float = TOLERANCE,
        description: str = "",
    ) -> None:
        names = distinct_names(nuisances)
        terms = np.asarray(powers)
        if (
            terms.ndim != 2
            or terms.shape[1] != len(names)
            or not len(terms)
            or (terms < 0).any()
            or (terms != np.round(terms)).any()
        ):
            raise ValueError(
                f"powers must be whole numbers of shape (T, {len(names)}), for {', '.join(names)}, not {terms.shape}"
            )
        if not terms.any(axis=1).all():
            raise ValueError(
                "the constant term of r is 1, as theta = 0 is the reference as given: leave it out of powers"
            )
        if not tolerance > 0:
            raise ValueError(f"the tolerance of log r must be positive, not {tolerance:g}")
        if order < 1:
            raise ValueError(f"the order of the expansion in {', '.join(names)} must be 1 or more, not {order}")
        values = {
            "nuisances": names,
            "powers": terms.astype(np.int64),
            "function": function,
            "reach": positive(names, values_of(names, reach, "the reach"), "the reach"),
            "order": order,
            "tolerance": float(tolerance),
            "description": description,
        }
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)
        if self.size > MOST_FUNCTIONS:
            raise ValueError(
                f"an expansion of order {order} in {len(names)} parameters has {self.size} terms, more than"
                f" {MOST_FUNCTIONS}: lower the order"
            )

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the terms, in the order of R."""
        return tuple(names_of_monomials(self.nuisances, self.powers))

    @property
    def size(self) -> int:
        """One function of the event for each term of the expansion."""
        return self.expansion.size

    @cached_property
    def expansion(self) -> Expansion:
        """Of log r in theta."""
        return Expansion(self.reach, self.order)

    @property
    def learned_range(self) -> Mapping[str, tuple[float, float]]:
        """Between which values of each parameter log r is what it says."""
        return {name: (-float(reach), float(reach)) for name, reach in zip(self.nuisances, self.reach, strict=True)}

    def polynomial(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n T"]:
        """R at events.

        Raises:
            ValueError: if the function returns another shape, or is not finite.
        """
        values = np.asarray(self.function(events), dtype=np.float64)
        if values.shape != (len(events), len(self.powers)):
            raise ValueError(
                f"the function for {', '.join(self.nuisances)} must return shape ({len(events)}, {len(self.powers)}),"
                f" the coefficients of {', '.join(self.terms)}, not {values.shape}"
            )
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values).all(axis=1)))
            raise ValueError(
                f"the polynomial in {', '.join(self.nuisances)} is not finite at the event {events[row].tolist()}"
            )
        return values

    def log_ratio(
        self, events: Float64[np.ndarray, "n d"], theta: Mapping[str, float] | ArrayLike
    ) -> Float64[np.ndarray, " n"]:
        """log r(x; theta) of events without the expansion.

        Raises:
            ValueError: if r is not positive at an event, or theta is beyond the reach.
        """
        point = self.require_within(theta)
        return self._logs(events, self.polynomial(events), point[None])[:, 0]

    def require_within(self, theta: Mapping[str, float] | ArrayLike) -> Float64[np.ndarray, " k"]:
        """theta as a vector.

        Raises:
            ValueError: if it is beyond the reach, or no theta.
        """
        point = nu_of(self.nuisances, theta)
        beyond = ~(np.abs(point) <= self.reach * (1 + 1e-9))
        if beyond.any():
            i = int(beyond.argmax())
            raise ValueError(
                f"{self.nuisances[i]} = {point[i]:g} is outside of [{-self.reach[i]:g}, {self.reach[i]:g}], where the"
                " log-ratio holds: make it with a larger reach"
            )
        return point

    def basis(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """a_n at events.

        Raises:
            ValueError: if r is not positive somewhere within the reach, or the expansion not accurate there.
        """
        r = self.polynomial(events)
        rows = self.rows(events, r)
        error, worst, where = self.error_of_expansion(events, r, rows)
        if error > self.tolerance:
            raise ValueError(
                f"log r in {', '.join(self.nuisances)} is expanded with an error of {error:.2g} at"
                f" {self._point(where)} for the event {events[worst].tolist()}, more than {self.tolerance:g}: raise the"
                f" order ({self.order}), reduce the reach, or raise the tolerance"
            )
        return rows

    def rows(self, events: Float64[np.ndarray, "n d"], r: Float64[np.ndarray, "n T"]) -> Float64[np.ndarray, "n q"]:
        """a_n at events whose R is known, whatever their error.

        Raises:
            ValueError: if r is not positive somewhere within the reach.
        """
        found = np.empty((len(events), self.size))
        for some in _blocks(len(events), len(self.expansion.nodes)):
            found[some] = self._logs(events[some], r[some], self.expansion.nodes) @ self.expansion.transform
        return found

    def coefficients(self, nu: Float[Array, " k"]) -> Float[Array, " q_plus_1"]:
        """(0, T_n(theta / reach) - T_n(0))."""
        return jnp.concatenate([jnp.zeros_like(nu[:1]), self.expansion.coefficients(nu)])

    def columns(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n T"]:
        """R: what `log_r` needs to know of events, where these are taken one by one."""
        return self.polynomial(events)

    def log_r(self, columns: Float[Array, "n T"], nu: Float[Array, " k"]) -> Float[Array, " n"]:
        """log r of each event from its R, without the expansion; traced by JAX.

        Where r is not positive it is the logarithm of the smallest number, so that no fit goes there.
        """
        return jnp.log(jnp.maximum(1 + columns @ traced_powers(nu, self.powers), _SMALLEST))

    def document(self) -> dict[str, Any]:
        """Kind, names, terms, description, and settings of the expansion."""
        return {
            "kind": "polynomial",
            "nuisances": list(self.nuisances),
            "terms": list(self.terms),
            "description": self.description,
            "reach": [rounded(value) for value in self.reach],
            "order": self.order,
        }

    def error_of_expansion(
        self,
        events: Float64[np.ndarray, "n d"],
        r: Float64[np.ndarray, "n T"],
        rows: Float64[np.ndarray, "n q"],
    ) -> tuple[float, int, Float64[np.ndarray, " k"]]:
        """The largest difference of expansion and log r within the reach: how large, at which event and theta.

        Arguments:
            events: where.
            r: `polynomial` there.
            rows: a_n there.
        """
        k = len(self.nuisances)
        rng = np.random.default_rng(0)
        corners = rng.permutation(np.stack(np.meshgrid(*[[-1.0, 1.0]] * min(k, 10)), axis=-1).reshape(-1, min(k, 10)))
        corners = corners[:_MOST_CORNERS] if k <= 10 else rng.choice([-1.0, 1.0], (_MOST_CORNERS, k))
        points = np.concatenate([rng.uniform(-1, 1, (_POINTS, k)), corners]) * self.reach
        c = np.stack([_numbers(self.expansion, point) for point in points], axis=1)
        found = (0.0, 0, np.zeros(k))
        for some in _blocks(len(events), len(points)):
            error = np.abs(rows[some] @ c - self._logs(events[some], r[some], points))
            row, column = np.unravel_index(int(error.argmax()), error.shape)
            if error[row, column] > found[0]:
                found = (float(error[row, column]), int(some.start + row), points[column])
        return found

    def _logs(
        self, events: Float64[np.ndarray, "n d"], r: Float64[np.ndarray, "n T"], points: Float64[np.ndarray, "N k"]
    ) -> Float64[np.ndarray, "n N"]:
        """log r of events at several theta."""
        values = 1 + r @ powers_of(points, self.powers).T
        if not (values > 0).all():
            row, column = np.unravel_index(int(values.argmin()), values.shape)
            count = int((values <= 0).any(axis=1).sum())
            raise ValueError(
                f"r(x; theta) = {values[row, column]:.3g} at {self._point(points[column])} for the event"
                f" {events[row].tolist()}, and not positive for {count} of {len(events)} events: reduce the reach"
                f" ({', '.join(f'{value:g}' for value in self.reach)}), or learn the positive form"
            )
        return np.log(values)

    def _point(self, theta: Float64[np.ndarray, " k"]) -> str:
        return ", ".join(f"{name} = {value:.3g}" for name, value in zip(self.nuisances, theta, strict=True))


def _numbers(expansion: Expansion, theta: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, " q"]:
    """The functions of theta within the reach, by NumPy."""
    of_each = np.cos(np.arange(expansion.order + 1) * np.arccos(np.clip(theta / expansion.reach, -1, 1))[:, None])
    at_zero = np.cos(np.arange(expansion.order + 1) * np.pi / 2)
    value, origin = np.ones(expansion.size), np.ones(expansion.size)
    for i, row in enumerate(of_each):
        value *= row[expansion.degrees[:, i]]
        origin *= at_zero[expansion.degrees[:, i]]
    return value - origin


def _blocks(n: int, columns: int) -> Iterator[slice]:
    size = max(1, _AT_ONCE // columns)
    for first in range(0, n, size):
        yield slice(first, min(first + size, n))
