"""Log-ratios of any form, interpolated in nu at each event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64
from numpy.polynomial.chebyshev import chebvander
from numpy.typing import ArrayLike

from nplm.nuisance.ratios.base import LogRatioDefaults
from nplm.nuisance.values import distinct_names, positive, values_of

# Events at which the interpolation is compared with the function, and the points of nu, drawn with a fixed seed.
_CHECKED_EVENTS, _CHECKED_POINTS = 2000, 16
# Largest |log r(x; 0)| that is rounding.
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class CallableLogRatio(LogRatioDefaults):
    """log r(x; nu) that is known as a function of any form, such as the logarithm of a ratio of two densities.

    At each event it is interpolated in nu by Chebyshev polynomials T_n through their nodes in [-reach, reach]; with
    one nuisance, a_n(x) being the coefficients of the interpolation,

        log r(x; nu) = sum_{n=1}^order a_n(x) [T_n(nu / reach) - T_n(0)],

    which is 0 at nu = 0; with several, products of polynomials of each. Beyond the reach log r goes on as a straight
    line. The error of the interpolation is measured at events whenever they are evaluated, and a larger one than
    `tolerance` is refused. Take a reach of five sigma or so: fits may stray as far.

    Arguments:
        nuisances: one name or several, in the order of nu. The function is evaluated (order + 1)^k times for k of them.
        function: log r at events of shape (n, d) and at nu, a number if there is one nuisance, else of shape (k,);
            returns shape (n,). It must be 0 at nu = 0, and smooth in nu.
        reach: largest |nu| of the interpolation; one number for all, or one for each nuisance.
        order: degree of the polynomials; 2 is enough for effects that are linear and quadratic.
        tolerance: largest error of log r that is accepted.
        description: what it is, in words.

    Raises:
        ValueError: if a reach is not positive, the order below 1, or the tolerance not positive.
    """

    nuisances: tuple[str, ...]
    function: Callable[[Float64[np.ndarray, "n d"], Any], Float64[np.ndarray, " n"]]
    reach: Float64[np.ndarray, " k"]
    order: int
    tolerance: float
    description: str

    def __init__(
        self,
        nuisances: str | Sequence[str],
        function: Callable[[Float64[np.ndarray, "n d"], Any], Float64[np.ndarray, " n"]],
        reach: ArrayLike,
        order: int = 8,
        tolerance: float = 1e-5,
        description: str = "",
    ) -> None:
        names = distinct_names(nuisances)
        if order < 1:
            raise ValueError(f"the order of the interpolation of {', '.join(names)} must be 1 or more, not {order}")
        limit = float(positive(("log r",), tolerance, "the tolerance")[0])
        values = {
            "nuisances": names,
            "function": function,
            "reach": positive(names, values_of(names, reach, "the reach"), "the reach"),
            "order": order,
            "tolerance": limit,
            "description": description,
        }
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)

    @property
    def size(self) -> int:
        """One function of the event for each product of polynomials but the constant."""
        return (self.order + 1) ** len(self.nuisances) - 1

    def basis(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """Coefficients a_n of the interpolation at each event.

        Raises:
            ValueError: if the function has another shape, is not finite, is not 0 at nu = 0, or is not interpolated
                within the tolerance at the events.
        """
        k, m = len(self.nuisances), self.order + 1
        self._require_zero(events)
        nodes = np.cos(np.pi * (np.arange(m) + 0.5) / m)
        at_nodes = np.stack([self._at(events, np.array(u)) for u in product(nodes, repeat=k)], axis=1)
        # The polynomials are orthogonal in sums over their nodes.
        transform = np.cos(np.outer(np.arange(m), np.arccos(nodes))) * 2 / m
        transform[0] /= 2
        coefficients = at_nodes.reshape(len(events), *[m] * k)
        for axis in range(1, k + 1):
            coefficients = np.moveaxis(np.tensordot(coefficients, transform, axes=([axis], [1])), -1, axis)
        rows = coefficients.reshape(len(events), -1)[:, 1:]
        self._require_accurate(events, rows)
        return rows

    def coefficients(self, nu: Float[Array, " k"]) -> Float[Array, " q_plus_1"]:
        """(0, T_n(nu / reach) - T_n(0)), or products of T_n with several nuisances."""
        u = nu / self.reach
        inside = jnp.clip(u, -1.0, 1.0)
        value, beyond = jax.jvp(partial(_products, order=self.order), (inside,), (u - inside,))
        return jnp.concatenate([jnp.zeros_like(nu[:1]), value + beyond])

    def document(self) -> dict[str, Any]:
        """Kind, names, description, and settings of the interpolation."""
        return {
            "kind": "callable",
            "nuisances": list(self.nuisances),
            "description": self.description,
            "reach": self.reach.tolist(),
            "order": self.order,
        }

    @property
    def _names(self) -> str:
        return ", ".join(self.nuisances)

    def _at(self, events: Float64[np.ndarray, "n d"], u: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, " n"]:
        """The function at nu = u reach."""
        nu = u * self.reach
        values = np.asarray(self.function(events, float(nu[0]) if len(nu) == 1 else nu), dtype=np.float64)
        if values.shape != (len(events),):
            raise ValueError(
                f"the function for {self._names} must return shape ({len(events)},), one value for each event, not"
                f" {values.shape}"
            )
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            raise ValueError(
                f"the log-ratio of {self._names} is {values[row]} at nu = {nu.tolist()} for the event"
                f" {events[row].tolist()}: reduce the reach, or cut away events that only one of the two densities has"
            )
        return values

    def _require_zero(self, events: Float64[np.ndarray, "n d"]) -> None:
        at_zero = np.abs(self._at(events, np.zeros(len(self.nuisances))))
        if len(events) and at_zero.max() > _ROUNDING:
            row = int(at_zero.argmax())
            raise ValueError(
                f"the log-ratio of {self._names} must be 0 at nu = 0, where the reference is as given, but its size is"
                f" {at_zero[row]:.3g} for the event {events[row].tolist()}"
            )

    def _require_accurate(self, events: Float64[np.ndarray, "n d"], rows: Float64[np.ndarray, "n q"]) -> None:
        if not len(events):
            return
        # Extreme events of each feature first, then some from all over the sample.
        extremes = np.concatenate([events.argmin(axis=0), events.argmax(axis=0)])
        spread = np.linspace(0, len(events) - 1, min(len(events), _CHECKED_EVENTS)).astype(np.int64)
        chosen = np.union1d(extremes, spread)
        k = len(self.nuisances)
        points = np.random.default_rng(0).uniform(-1, 1, (_CHECKED_POINTS, k))
        points = np.concatenate([points, [np.ones(k), -np.ones(k)]])
        # The last one, at nu = 0, is what is subtracted.
        c = np.ones((len(points) + 1, 1))
        for u in np.concatenate([points, np.zeros((1, k))]).T:
            c = np.einsum("pi,pj->pij", c, chebvander(u, self.order)).reshape(len(c), -1)
        for u, interpolated in zip(points, (c[:-1] - c[-1])[:, 1:] @ rows[chosen].T, strict=True):
            error = np.abs(interpolated - self._at(events[chosen], u))
            if error.max() > self.tolerance:
                worst = events[chosen[int(error.argmax())]]
                raise ValueError(
                    f"the log-ratio of {self._names} is interpolated with an error of {error.max():.2g} at nu ="
                    f" {(u * self.reach).tolist()} for the event {worst.tolist()}, more than {self.tolerance:g}: raise"
                    f" the order ({self.order}), reduce the reach ({self.reach.tolist()}), or raise the tolerance; a"
                    " log-ratio with a kink in nu cannot be interpolated"
                )


def _products(u: Float[Array, " k"], order: int) -> Float[Array, " q"]:
    """Products of T_n of each u, less their values at u = 0; without the first, which is 1."""
    products, at_zero = jnp.ones(1), jnp.ones(1)
    for one in u:
        products = jnp.outer(products, _polynomials(one, order)).ravel()
        at_zero = jnp.outer(at_zero, _polynomials(jnp.zeros_like(one), order)).ravel()
    return products[1:] - at_zero[1:]


def _polynomials(u: Float[Array, ""], order: int) -> Float[Array, " m"]:
    """T_0, ..., T_order by recurrence, whose derivatives exist everywhere, unlike those of cos(n arccos u)."""
    values = [jnp.ones_like(u), u]
    while len(values) <= order:
        values.append(2 * u * values[-1] - values[-2])
    return jnp.stack(values)
