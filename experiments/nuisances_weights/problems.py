"""Events with weights for other scales, and for a set of parton densities, whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

FEATURES = ("pt", "eta")


@dataclass(frozen=True)
class Events:
    """Events, with what their weights depend on beside the features.

    Arguments:
        x: pt and eta, shape (n, 2).
        z: a latent variable, shape (n,).
    """

    x: Float64[np.ndarray, "n 2"]
    z: Float64[np.ndarray, " n"]

    @classmethod
    def draw(cls, rng: np.random.Generator, n: int) -> Events:
        """So many events at nu = 0."""
        x = np.column_stack([rng.exponential(size=n), rng.normal(size=n)])
        return cls(x, x[:, 0] * rng.uniform(0.5, 1.5, n))


def scales(events: Events, nu: Float64[np.ndarray, " 2"]) -> Float64[np.ndarray, " n"]:
    """Ratios of weights at (muR, muF) = 2^nu: a coupling that runs, squared, and a density that depends on its scale.

    Neither is quadratic in nu, and the two do not multiply.
    """
    running = (1 + 0.075 * nu[0] * np.log(4) / (1 + 0.1 * events.z)) ** -2
    return running * (1 + nu[1] * 0.06 * (1 - 0.4 * events.z / (1 + events.z)) - 0.02 * nu[1] ** 2 + 0.01 * nu.prod())


@dataclass(frozen=True)
class Densities:
    """A symmetric Hessian set: ratios 1 + sum_k nu_k delta_k with delta_k = m_k . f(x, z).

    Arguments:
        mixing: m, shape (K, 4).
    """

    mixing: Float64[np.ndarray, "K 4"]

    @classmethod
    def draw(cls, rng: np.random.Generator, members: int) -> Densities:
        """A set with so many members: four directions, each weaker than the one before."""
        return cls(np.linalg.qr(rng.normal(size=(members, 4)))[0] * [0.05, 0.03, 0.015, 0.005])

    def deltas(self, events: Events) -> Float64[np.ndarray, "n K"]:
        """delta of each event and member."""
        pt, eta = events.x.T
        functions = np.column_stack([pt - 1, eta, eta**2 - 1, events.z - 1])
        return functions @ self.mixing.T
