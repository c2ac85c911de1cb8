"""Distributions without a difference: one dimension to twenty, correlated, heavy-tailed, discrete, in two parts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nplm import Sample

Draw = Callable[[np.random.Generator, int], np.ndarray]


def exponential(rng: np.random.Generator, n: int) -> np.ndarray:
    """Exp(1)."""
    return rng.exponential(size=(n, 1))


def correlated(rng: np.random.Generator, n: int, d: int, rho: float) -> np.ndarray:
    """Normal features, each pair of which has the correlation rho."""
    return np.asarray(np.sqrt(rho) * rng.normal(size=(n, 1)) + np.sqrt(1 - rho) * rng.normal(size=(n, d)))


def mixed(rng: np.random.Generator, n: int) -> np.ndarray:
    """t with one degree of freedom, log-normal of sigma 2, 60% zeros and else Exp(1), Poisson of mean 3, an angle."""
    return np.column_stack(
        [
            rng.standard_cauchy(n),
            rng.lognormal(0, 2, n),
            np.where(rng.random(n) < 0.6, 0.0, rng.exponential(size=n)),
            rng.poisson(3, n),
            rng.uniform(-np.pi, np.pi, n),
        ]
    )


def two_parts(rng: np.random.Generator, n: int) -> np.ndarray:
    """70% standard normal, and 30% normal about 1.5 with deviation .5, in ten dimensions."""
    second = (rng.random(n) < 0.3)[:, None]
    return np.asarray(np.where(second, 1.5, 0.0) + np.where(second, 0.5, 1.0) * rng.normal(size=(n, 10)))


SETS: dict[str, Draw] = {
    "1-D exponential": exponential,
    "2-D correlated": lambda rng, n: correlated(rng, n, 2, 0.7),
    "5-D mixed": mixed,
    "10-D two normal": two_parts,
    "20-D correlated": lambda rng, n: correlated(rng, n, 20, 0.5),
}
WEIGHTS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "unit": lambda rng, n: np.ones(n),
    "log-normal": lambda rng, n: rng.lognormal(0, 1, n) / np.exp(0.5),
    "20% negative": lambda rng, n: np.where(rng.random(n) < 0.2, -1.0, 1.0) / 0.6,
}


def null_pair(rng: np.random.Generator, name: str, weights: str, ratio: float, events: int) -> tuple[Sample, Sample]:
    """A fresh reference of about ratio x events, whose weights have the mean 1 / ratio, and data of about `events`."""
    draw = SETS[name]
    n = rng.poisson(ratio * events)
    return Sample(draw(rng, n), WEIGHTS[weights](rng, n) / ratio), Sample(draw(rng, rng.poisson(events)))
