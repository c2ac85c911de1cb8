"""Log-ratios event by event: what has no separable form, evaluated as it is by JAX."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from nplm.data.sample import Sample
from nplm.nuisance.ratios.base import LogRatio
from nplm.nuisance.values import distinct_names

# Largest |log r(x; 0)| that is rounding.
_ROUNDING = 1e-9


class PointwiseLogRatio(Protocol):
    """log r(x; nu), the density of events at nu over that at nu = 0, yields included, in any form that JAX can trace.

    Columns are what is computed of events once; log r of each event is a function of its columns and of nu. Where it
    is a sum of products, as that of a `LogRatio`, `of_columns` makes it one of these; a ratio such as log sum_c W_c(nu)
    r_c(x) has r_c as columns.
    """

    @property
    def nuisances(self) -> tuple[str, ...]:
        """Names of the parameters, in the order of nu."""
        ...

    def columns(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n m"]:
        """What log r needs to know of events, whose columns are the features of the reference as given."""
        ...

    def log_r(self, columns: Float[Array, "n m"], nu: Float[Array, " k"]) -> Float[Array, " n"]:
        """log r of each event, 0 at nu = 0. Traced by JAX (jit, grad, hessian)."""
        ...

    def document(self) -> dict[str, Any]:
        """What the ratio is, as JSON values."""
        ...

    def require_reference(self, reference: Sample) -> None:
        """Makes sure that it holds for this reference.

        Raises:
            ValueError: saying what is wrong.
        """
        ...

    def require_valid(self) -> None:
        """Makes sure that it has passed its checks, if there are any.

        Raises:
            ValueError: saying which failed.
        """
        ...


AnyLogRatio = LogRatio | PointwiseLogRatio


@dataclass(frozen=True, eq=False)
class JaxLogRatio:
    """log r(x; nu) that is known as a function written with jax.numpy, evaluated as it is at each event.

    Arguments:
        nuisances: one name or several, in the order of nu.
        function: log r of events of shape (n, d) at nu of shape (k,), shape (n,); 0 at nu = 0, and smooth in nu.
        description: what it is, in words.

    Example:
        The scale of an exponential moves by a factor:

        >>> ratio = JaxLogRatio("factor", lambda x, nu: -jnp.log1p(nu[0]) + x[:, 0] * nu[0] / (1 + nu[0]))
        >>> ratio.nuisances
        ('factor',)
    """

    nuisances: tuple[str, ...]
    function: Callable[[Float[Array, "n d"], Float[Array, " k"]], Float[Array, " n"]]
    description: str

    def __init__(
        self,
        nuisances: str | Sequence[str],
        function: Callable[[Float[Array, "n d"], Float[Array, " k"]], Float[Array, " n"]],
        description: str = "",
    ) -> None:
        object.__setattr__(self, "nuisances", distinct_names(nuisances))
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "description", description)

    def columns(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n d"]:
        """The events, once the function is known to be finite and 0 there at nu = 0.

        Raises:
            ValueError: if it has another shape, is not finite, or is not 0.
        """
        names = ", ".join(self.nuisances)
        with jax.enable_x64(True):
            at_zero = np.asarray(self.function(jnp.asarray(events), jnp.zeros(len(self.nuisances))))
        if at_zero.shape != (len(events),):
            raise ValueError(
                f"the log-ratio of {names} must return shape ({len(events)},), one value for each event, not"
                f" {at_zero.shape}"
            )
        if len(events) and not np.abs(at_zero).max() <= _ROUNDING:
            row = int(np.argmax(~(np.abs(at_zero) <= _ROUNDING)))
            raise ValueError(
                f"the log-ratio of {names} must be 0 at 0, where the reference is as given, but is {at_zero[row]:.3g}"
                f" for the event {events[row].tolist()}"
            )
        return events

    def log_r(self, columns: Float[Array, "n d"], nu: Float[Array, " k"]) -> Float[Array, " n"]:
        """The function."""
        return self.function(columns, nu)

    def document(self) -> dict[str, Any]:
        """Kind, names and description."""
        return {"kind": "jax", "nuisances": list(self.nuisances), "description": self.description}

    def require_reference(self, reference: Sample) -> None:
        """It holds for any; `columns` looks at the values."""

    def require_valid(self) -> None:
        """There are no checks."""


@dataclass(frozen=True, eq=False)
class Separable:
    """A log-ratio of the separable form, event by event: log r = c_0(nu) + g(x) . c(nu).

    Arguments:
        ratio: of that form.
    """

    ratio: LogRatio

    @property
    def nuisances(self) -> tuple[str, ...]:
        """Its names."""
        return self.ratio.nuisances

    def columns(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """g."""
        return self.ratio.basis(events)

    def log_r(self, columns: Float[Array, "n q"], nu: Float[Array, " k"]) -> Float[Array, " n"]:
        """c_0 + g . c."""
        c = self.ratio.coefficients(nu)
        return c[0] + columns @ c[1:]

    def document(self) -> dict[str, Any]:
        """Its own."""
        return self.ratio.document()

    def require_reference(self, reference: Sample) -> None:
        """Makes sure that it holds for this reference."""
        self.ratio.require_reference(reference)

    def require_valid(self) -> None:
        """Makes sure that it has passed its checks."""
        self.ratio.require_valid()


def of_columns(ratio: AnyLogRatio) -> PointwiseLogRatio:
    """A log-ratio of either kind, event by event."""
    if hasattr(ratio, "log_r"):
        return cast("PointwiseLogRatio", ratio)
    return Separable(ratio)


@dataclass(frozen=True)
class Together:
    """Several log-ratios as one, their sum; equal if the parts are the same objects, so that compilations are shared.

    Arguments:
        parts: the log-ratios.
        sizes: number of columns of each.
    """

    parts: tuple[PointwiseLogRatio, ...]
    sizes: tuple[int, ...]

    @property
    def nuisances(self) -> tuple[str, ...]:
        """All names, each once."""
        return names_of(self.parts)

    def log_r(self, columns: Float[Array, "n m"], nu: Float[Array, " k"]) -> Float[Array, " n"]:
        """The sum."""
        names, total, start = self.nuisances, jnp.zeros(len(columns)), 0
        for part, size in zip(self.parts, self.sizes, strict=True):
            own = jnp.stack([nu[names.index(name)] for name in part.nuisances])
            total = total + part.log_r(columns[:, start : start + size], own)
            start += size
        return total


def names_of(parts: Iterable[PointwiseLogRatio]) -> tuple[str, ...]:
    """The names that log-ratios depend on, each once."""
    return tuple(dict.fromkeys(name for part in parts for name in part.nuisances))
