"""Log-ratios that are known in the separable form, and their sum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from nplm.data.fingerprint import rounded
from nplm.data.sample import Sample
from nplm.nuisance.ratios.base import LogRatio, LogRatioDefaults
from nplm.nuisance.ratios.histfactory import Interpolated, Kind
from nplm.nuisance.values import distinct_names

# c(nu) at this nu, one nuisance after the other, says in a document which function c is.
_PROBE = 0.125


@dataclass(frozen=True, eq=False)
class _OfYield(LogRatioDefaults):
    """What log-ratios that are the same for all events have in common."""

    name: str

    def __post_init__(self) -> None:
        distinct_names(self.name)

    @property
    def nuisances(self) -> tuple[str, ...]:
        """The name."""
        return (self.name,)

    @property
    def size(self) -> int:
        """0: no function of an event."""
        return 0

    def basis(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n 0"]:
        """No columns."""
        return np.empty((len(events), 0))


@dataclass(frozen=True)
class Normalization(_OfYield):
    """A yield that is not well known: log r = unit nu, whatever the event.

    With unit 1, nu is the logarithm of the yield relative to the reference's. A relative uncertainty s that is
    log-normal is a Gaussian constraint with sigma = log(1 + s); or sigma = 1 if unit is log(1 + s).

    Arguments:
        name: of the nuisance.
        unit: what nu = 1 adds to the logarithm of the yield.

    Raises:
        ValueError: if the unit is zero or not finite.
    """

    unit: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not np.isfinite(self.unit) or self.unit == 0:
            raise ValueError(
                f"the unit of the normalization {self.name} must be a number other than 0, not {self.unit}"
            )

    def coefficients(self, nu: Float[Array, " 1"]) -> Float[Array, " 1"]:
        """unit nu."""
        return self.unit * nu

    def document(self) -> dict[str, Any]:
        """Kind, name and unit."""
        return {"kind": "normalization", "nuisances": [self.name], "unit": self.unit}


@dataclass(frozen=True, eq=False)
class AsymmetricNormalization(_OfYield):
    """A yield that is `up` times the reference's at nu = 1 and `down` times at nu = -1, whatever the event.

    Arguments:
        name: of the nuisance; its constraint has sigma = 1.
        up, down: factors of the yield.
        interpolation: "polynomial" or "exponential", see `nplm.nuisance.ratios.histfactory.Interpolated`.

    Raises:
        ValueError: if a factor is no positive number, or there is no such interpolation.
    """

    up: float
    down: float
    interpolation: Kind = "polynomial"
    _log_r: Interpolated = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for factor in (self.up, self.down):
            if not (np.isfinite(factor) and factor > 0):
                raise ValueError(f"the yield of {self.name} is multiplied by positive numbers, not by {factor:g}")
        ends = (np.log([self.up]), np.log([self.down]))
        object.__setattr__(self, "_log_r", Interpolated(self.interpolation, *ends))

    def coefficients(self, nu: Float[Array, " 1"]) -> Float[Array, " 1"]:
        """log of the factor at nu."""
        return self._log_r(nu[0])

    def document(self) -> dict[str, Any]:
        """Kind, name, factors and interpolation."""
        return {
            "kind": "asymmetric normalization",
            "nuisances": [self.name],
            "up": self.up,
            "down": self.down,
            "interpolation": self.interpolation,
        }


@dataclass(frozen=True, eq=False)
class SeparableLogRatio(LogRatioDefaults):
    """log r(x; nu) = c_0(nu) + sum_k c_k(nu) g_k(x) with c and g that are given.

    An exponential whose scale moves by e^nu has log r = -nu - x (e^-nu - 1):

        SeparableLogRatio("scale", lambda nu: jnp.array([-nu[0], -jnp.expm1(-nu[0])]), lambda events: events[:, :1])

    Arguments:
        nuisances: one name or several, in the order of nu.
        c: (c_0, ..., c_q) of nu, of shape (k,); written with jax.numpy, and 0 at nu = 0.
        g: events of shape (n, d) -> g of shape (n, q), or (n,) if q = 1. Not needed if q = 0.
        description: what it is, in words.

    Raises:
        ValueError: if c(0) is not 0, or c has more than c_0 and there is no g.
    """

    nuisances: tuple[str, ...]
    c: Callable[[Float[Array, " k"]], Float[Array, " q_plus_1"]]
    g: Callable[[Float64[np.ndarray, "n d"]], Float64[np.ndarray, "n q"]] | None
    description: str
    size: int = field(repr=False)

    def __init__(
        self,
        nuisances: str | Sequence[str],
        c: Callable[[Float[Array, " k"]], Float[Array, " q_plus_1"]],
        g: Callable[[Float64[np.ndarray, "n d"]], Float64[np.ndarray, "n q"]] | None = None,
        description: str = "",
    ) -> None:
        names = distinct_names(nuisances)
        with jax.enable_x64(True):
            at_zero = np.asarray(c(jnp.zeros(len(names))), dtype=np.float64)
        if at_zero.ndim != 1 or len(at_zero) == 0:
            raise ValueError(f"c of {', '.join(names)} must have shape (q + 1,), not {at_zero.shape}")
        if np.any(at_zero != 0):
            raise ValueError(
                f"c of {', '.join(names)} must be 0 at nu = 0, where the reference is as given, not {at_zero.tolist()}"
            )
        if g is None and len(at_zero) > 1:
            raise ValueError(f"c of {', '.join(names)} has {len(at_zero)} values: give g, the functions of the events")
        values = {"nuisances": names, "c": c, "g": g, "description": description, "size": len(at_zero) - 1}
        for attribute, value in values.items():
            object.__setattr__(self, attribute, value)

    def basis(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """g at events.

        Raises:
            ValueError: if g has another shape, or is not finite somewhere.
        """
        if self.g is None:
            return np.empty((len(events), 0))
        values = np.asarray(self.g(events), dtype=np.float64)
        values = values[:, None] if values.ndim == 1 else values
        if values.shape != (len(events), self.size):
            raise ValueError(
                f"g of {', '.join(self.nuisances)} has shape {values.shape} for {len(events)} events, but c has"
                f" {self.size} coefficients beside c_0: they must match"
            )
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values).all(axis=1)))
            raise ValueError(f"g of {', '.join(self.nuisances)} is not finite at the event {events[row].tolist()}")
        return values

    def coefficients(self, nu: Float[Array, " k"]) -> Float[Array, " q_plus_1"]:
        """c(nu)."""
        return self.c(nu)

    def document(self) -> dict[str, Any]:
        """Kind, names, description, and values of c."""
        probes = _PROBE * np.eye(len(self.nuisances))
        with jax.enable_x64(True):
            values = np.array([np.asarray(self.c(jnp.asarray(nu))) for nu in probes])
        return {
            "kind": "separable",
            "nuisances": list(self.nuisances),
            "description": self.description,
            "coefficients": [[rounded(value) for value in row] for row in values],
        }


@dataclass(frozen=True, eq=False)
class SumOfLogRatios(LogRatioDefaults):
    """The effects of several nuisances together: log r is the sum of the parts' log-ratios.

    A nuisance that several parts depend on moves them all. So effects of different nuisances multiply; where they do
    not, one part must depend on all nuisances concerned.

    Arguments:
        parts: the log-ratios.

    Raises:
        ValueError: if there is none.
    """

    parts: tuple[LogRatio, ...]
    nuisances: tuple[str, ...]

    def __init__(self, parts: Iterable[LogRatio]) -> None:
        given = tuple(parts)
        if not given:
            raise ValueError("a sum of log-ratios needs one log-ratio or more")
        object.__setattr__(self, "parts", given)
        object.__setattr__(self, "nuisances", tuple(dict.fromkeys(name for part in given for name in part.nuisances)))

    @property
    def summands(self) -> tuple[LogRatio, ...]:
        """The parts, and of parts that are sums these parts."""
        return tuple(each for part in self.parts for each in part.summands)

    def require_reference(self, reference: Sample) -> None:
        """Makes sure that all parts hold for this reference."""
        for part in self.parts:
            part.require_reference(reference)

    def require_valid(self) -> None:
        """Makes sure that all parts have passed their checks."""
        for part in self.parts:
            part.require_valid()

    @property
    def size(self) -> int:
        """The parts' functions one after the other."""
        return sum(part.size for part in self.parts)

    def basis(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """g of all parts, one after the other."""
        return np.concatenate([part.basis(events) for part in self.parts], axis=1)

    def coefficients(self, nu: Float[Array, " k"]) -> Float[Array, " q_plus_1"]:
        """The sum of the parts' c_0, and their other coefficients one after the other."""
        of_parts = [
            part.coefficients(jnp.stack([nu[self.nuisances.index(name)] for name in part.nuisances]))
            for part in self.parts
        ]
        constant = jnp.sum(jnp.stack([c[0] for c in of_parts]))
        return jnp.concatenate([constant[None], *(c[1:] for c in of_parts)])

    def document(self) -> dict[str, Any]:
        """Kind, names, and the parts' documents."""
        parts = [part.document() for part in self.parts]
        return {"kind": "sum", "nuisances": list(self.nuisances), "parts": parts}
