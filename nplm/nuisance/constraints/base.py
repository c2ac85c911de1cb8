"""What auxiliary measurements say about nuisances: the contract of the auxiliary likelihood, and several as one."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64
from numpy.typing import ArrayLike

from nplm.nuisance.ratios.base import distinct_names


class Constraint(Protocol):
    """log L(nu | A), the likelihood of nuisances nu given auxiliary measurements A."""

    @property
    def nuisances(self) -> tuple[str, ...]:
        """Names of the nuisances, in the order of nu."""
        ...

    @property
    def sigma(self) -> Float64[np.ndarray, " k"]:
        """How well the measurements know each nuisance, near nu = 0: for starts and for plots."""
        ...

    @property
    def auxiliary(self) -> Float64[np.ndarray, " a"]:
        """A, the measured values."""
        ...

    def logpdf(self, nu: Float[Array, " k"]) -> Float[Array, ""]:
        """log L(nu | A) = log p(A; nu), normalised in A. Traced by JAX (jit, grad, hessian, vmap)."""
        ...

    def with_auxiliary(self, auxiliary: Float[Array, " a"] | Float64[np.ndarray, " a"]) -> Constraint:
        """The same likelihood with other measured values, which JAX may trace."""
        ...

    def sample(self, nu_true: Float64[np.ndarray, " k"], rng: np.random.Generator) -> Constraint:
        """The same likelihood with values that were measured anew, at the true nu."""
        ...

    def document(self) -> dict[str, Any]:
        """What the constraint is, as JSON values, for results and fingerprints."""
        ...


C = TypeVar("C")


def with_measured(constraint: C, auxiliary: Float[Array, " a"] | Float64[np.ndarray, " a"], size: int) -> C:
    """A copy of a constraint with other measured values.

    Only their number is checked: while JAX traces, there are no values yet.

    Raises:
        ValueError: if the number is another.
    """
    if auxiliary.shape != (size,):
        raise ValueError(f"auxiliary measurements must have shape ({size},), not {auxiliary.shape}")
    other = copy.copy(constraint)
    object.__setattr__(other, "auxiliary", auxiliary)
    return other


def values_of(names: tuple[str, ...], given: ArrayLike, what: str) -> Float64[np.ndarray, " k"]:
    """One finite value for each nuisance; a single number is for all.

    Raises:
        ValueError: naming the nuisance.
    """
    values = np.asarray(given, dtype=np.float64)
    values = np.full(len(names), float(values)) if values.ndim == 0 else values
    if values.shape != (len(names),):
        raise ValueError(f"{what}: give one value for each of {', '.join(names)}, not an array of shape {values.shape}")
    for name, value in zip(names, values, strict=True):
        if not np.isfinite(value):
            raise ValueError(f"{what} of {name} must be a finite number, not {value}")
    return values


@dataclass(frozen=True, eq=False)
class Constraints:
    """Independent auxiliary measurements of different nuisances, as one: log L is the sum.

    Arguments:
        parts: the constraints.

    Raises:
        ValueError: if there is none, or two of them constrain the same nuisance.
    """

    parts: tuple[Constraint, ...]
    nuisances: tuple[str, ...]

    def __init__(self, parts: Iterable[Constraint]) -> None:
        given = tuple(parts)
        if not given:
            raise ValueError("give one constraint or more")
        owner: dict[str, Constraint] = {}
        for part in given:
            for name in part.nuisances:
                if name in owner:
                    raise ValueError(
                        f"{name} is constrained twice, by a {_kind(owner[name])} and by a {_kind(part)} constraint:"
                        " combine the two measurements into one, or drop one of them"
                    )
                owner[name] = part
        object.__setattr__(self, "parts", given)
        object.__setattr__(self, "nuisances", distinct_names(owner))

    @property
    def sigma(self) -> Float64[np.ndarray, " k"]:
        """Of the parts, one after the other."""
        return np.concatenate([part.sigma for part in self.parts])

    @property
    def auxiliary(self) -> Float64[np.ndarray, " a"]:
        """The parts' measured values, one after the other."""
        return np.concatenate([np.asarray(part.auxiliary, dtype=np.float64) for part in self.parts])

    def logpdf(self, nu: Float[Array, " k"]) -> Float[Array, ""]:
        """The sum of the parts'."""
        at = np.cumsum([len(part.nuisances) for part in self.parts])[:-1]
        of_parts = [part.logpdf(here) for part, here in zip(self.parts, jnp.split(nu, at), strict=True)]
        return jnp.sum(jnp.stack(of_parts))

    def with_auxiliary(self, auxiliary: Float[Array, " a"] | Float64[np.ndarray, " a"]) -> Constraints:
        """Gives each part its own values.

        Raises:
            ValueError: if their number is another.
        """
        sizes = [len(part.auxiliary) for part in self.parts]
        if auxiliary.shape != (sum(sizes),):
            raise ValueError(f"auxiliary measurements must have shape ({sum(sizes)},), not {auxiliary.shape}")
        ends = np.cumsum(sizes)
        pieces = zip(self.parts, ends - sizes, ends, strict=True)
        return Constraints(part.with_auxiliary(auxiliary[first:end]) for part, first, end in pieces)

    def sample(self, nu_true: Float64[np.ndarray, " k"], rng: np.random.Generator) -> Constraints:
        """Measures each part anew."""
        at = np.cumsum([len(part.nuisances) for part in self.parts])[:-1]
        pieces = zip(self.parts, np.split(np.asarray(nu_true, dtype=np.float64), at), strict=True)
        return Constraints(part.sample(here, rng) for part, here in pieces)

    def document(self) -> dict[str, Any]:
        """Kind, names, and the parts' documents."""
        parts = [part.document() for part in self.parts]
        return {"kind": "independent", "nuisances": list(self.nuisances), "parts": parts}


def _kind(constraint: Constraint) -> str:
    return str(constraint.document()["kind"])
