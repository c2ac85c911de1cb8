"""How the density of events moves with nuisances: the contract of log-ratios."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64
from numpy.typing import ArrayLike


class LogRatio(Protocol):
    """log r(x; nu) = c_0(nu) + sum_k c_k(nu) g_k(x): the density of events at nu over that at nu = 0, yields included.

    The form is separable so that everything that depends on events is computed once: a data sample is its sums of g.
    """

    @property
    def nuisances(self) -> tuple[str, ...]:
        """Names of the nuisances, in the order of nu."""
        ...

    @property
    def size(self) -> int:
        """q, the number of basis functions g."""
        ...

    def basis(self, events: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """g at events, whose columns are the features of the reference as given (not standardised)."""
        ...

    def coefficients(self, nu: Float[Array, " k"]) -> Float[Array, " q_plus_1"]:
        """(c_0, c_1, ..., c_q), with c(0) = 0. Traced by JAX (jit, grad, hessian, vmap)."""
        ...

    def document(self) -> dict[str, Any]:
        """What the ratio is, as JSON values, for results and fingerprints."""
        ...


def log_ratio(
    ratio: LogRatio, events: Float64[np.ndarray, "n d"], nu: Mapping[str, float] | ArrayLike
) -> Float64[np.ndarray, " n"]:
    """log r(x; nu) at events.

    Arguments:
        ratio: r.
        events: the features of the reference as given, shape (n, d).
        nu: values by name (those that are not named are 0), or in the order of `ratio.nuisances`.

    Raises:
        ValueError: if nu has another length, or names a nuisance that r does not depend on.
    """
    point = nu_of(ratio.nuisances, nu)
    with jax.enable_x64(True):
        c = np.asarray(ratio.coefficients(jnp.asarray(point)))
    return c[0] + ratio.basis(events) @ c[1:]


def nu_of(nuisances: tuple[str, ...], nu: Mapping[str, float] | ArrayLike) -> Float64[np.ndarray, " k"]:
    """nu as a vector in the order of `nuisances`, from values by name (0 where there is none) or such a vector.

    Raises:
        ValueError: for an unknown name, or a vector of another length.
    """
    if isinstance(nu, Mapping):
        if unknown := sorted(set(nu) - set(nuisances)):
            raise ValueError(f"unknown nuisance {', '.join(unknown)}: there are {', '.join(nuisances)}")
        return np.array([nu.get(name, 0.0) for name in nuisances], dtype=np.float64)
    values = np.atleast_1d(np.asarray(nu, dtype=np.float64))
    if values.shape != (len(nuisances),):
        raise ValueError(f"nu must have shape ({len(nuisances)},) for {', '.join(nuisances)}, not {values.shape}")
    return values


def distinct_names(nuisances: str | Iterable[str]) -> tuple[str, ...]:
    """Names of nuisances as a tuple.

    Raises:
        ValueError: if there is none, or one is repeated or empty.
    """
    names = (nuisances,) if isinstance(nuisances, str) else tuple(nuisances)
    if not names or not all(names):
        raise ValueError(f"every nuisance needs a name, not {list(names)}")
    if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
        raise ValueError(f"names of nuisances must be distinct, but {', '.join(repeated)} is given more than once")
    return names
