"""Names of nuisances, and a value for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike


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


def positive(names: tuple[str, ...], given: ArrayLike, what: str) -> Float64[np.ndarray, " k"]:
    """One positive value for each nuisance.

    Raises:
        ValueError: naming the nuisance.
    """
    values = values_of(names, given, what)
    for name, value in zip(names, values, strict=True):
        if not value > 0:
            raise ValueError(f"{what} of {name} must be positive, not {value:g}")
    return values
