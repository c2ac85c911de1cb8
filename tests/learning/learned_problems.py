"""Problems whose log-ratios are known: what learners must find."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from nplm import Sample

SIGMA = 0.15
EXPECTED = 2000.0


def exponential(rng: np.random.Generator, events: int, nu: float = 0.0, more: float = 1.0) -> Sample:
    """x of scale e^nu, with a yield that is larger by a factor."""
    x = np.exp(nu) * rng.exponential(size=events)
    return Sample(x, np.full(events, more * EXPECTED / events), ["x"], f"exponential at {nu:g}")


def of_exponential(x: Float64[np.ndarray, " n"], growth: float = 0.0) -> Float64[np.ndarray, "n 2"]:
    """d1 = x - 1 (+ growth of the log yield with nu), and d2 = -x."""
    return np.column_stack([x - 1 + growth, -x])


def latent(rng: np.random.Generator, events: int) -> tuple[Sample, Float64[np.ndarray, " n"]]:
    """z of mean nu and deviation 2, seen as x = z + noise of deviation 1; with the latent z of each event.

    The joint score is t = z / 4 with dt/dnu = -1/4; d1 = x / 5 and d2 = -1/5, because x has the variance 5.
    """
    z = 2 * rng.normal(size=events)
    return Sample(z + rng.normal(size=events), features=["x"], name="latent"), z


def of_latent(x: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, "n 2"]:
    return np.column_stack([x / 5, np.full_like(x, -0.2)])


def rms(errors: Float64[np.ndarray, "n q"]) -> Float64[np.ndarray, " q"]:
    return np.sqrt((errors**2).mean(axis=0))
