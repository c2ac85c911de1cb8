"""Backgrounds without a signal, each drawn anew: dependences on m, spectra, weights, discrete features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nplm import Sample
from toys.resonance import FLAT, STEEP, draw_data, features

WEIGHTS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "unit": lambda rng, n: np.ones(n),
    "log-normal": lambda rng, n: rng.lognormal(0, 1, n) / np.exp(0.5),
    "20% negative": lambda rng, n: np.where(rng.random(n) < 0.2, -1.0, 1.0) / 0.6,
}
SCALES = {"steep": STEEP, "flat": FLAT}


@dataclass(frozen=True)
class Background:
    """What one cell of the table is drawn from.

    Arguments:
        dependence: of the features on m, one of `toys.resonance.DEPENDENCES`.
        events: expected number.
        dimension: number of features beside m.
        spectrum: "steep" or "flat".
        weights: one of `WEIGHTS`.
        discrete: whether features are rounded, the second to two values.
    """

    dependence: str
    events: int = 20_000
    dimension: int = 4
    spectrum: str = "steep"
    weights: str = "unit"
    discrete: bool = False

    def draw(self, rng: np.random.Generator) -> Sample:
        """A sample of it."""
        drawn = draw_data(
            rng,
            self.events,
            dimension=self.dimension,
            dependence=self.dependence,
            scale=SCALES[self.spectrum],
        )
        y = drawn.events[:, 1:]
        events = np.column_stack([drawn.events[:, 0], _rounded(y) if self.discrete else y])
        return Sample(events, WEIGHTS[self.weights](rng, len(events)), features(self.dimension), "data")

    @property
    def words(self) -> tuple[str, ...]:
        """One for each column of the table."""
        kind = "rounded" if self.discrete else "continuous"
        return (self.dependence, f"{self.events:,}", f"{self.dimension} {kind}", self.spectrum, self.weights)


def _rounded(y: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n d"]:
    found = np.round(y)
    found[:, 1] = y[:, 1] > 0
    return found
