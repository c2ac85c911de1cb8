"""A resonance on a falling spectrum, with features that may move with it, for bump hunts without a simulation.

m falls exponentially between 2 and 6.8, and is measured with a resolution of 0.1. Background features are normal
variables whose mean, width and correlation change with m as `Dependence` says; a signal has m around its mass, and
features of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from jaxtyping import Float64

from nplm.data.sample import Sample

RANGE = (2.0, 6.8)
RESOLUTION = 0.1
MASS = 4.4
# Mean of m - 2 of a spectrum that does not end, of the usual one and of a flatter one.
STEEP, FLAT = 1.0, 4.0

Dependence = Callable[[Float64[np.ndarray, " n"], Float64[np.ndarray, "n d"]], Float64[np.ndarray, "n d"]]


def _independent(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    return z


def _moving(strength: float) -> Dependence:
    def moved(x: np.ndarray, z: np.ndarray) -> np.ndarray:
        y = z.copy()
        # The mean of the first, the width of the second, and the correlation of the first two with m.
        y[:, 0] += strength * (x + 0.3 * x**2)
        y[:, 1] *= np.exp(0.5 * strength * x)
        y[:, 1] += 0.4 * strength * x * z[:, 0]
        return y

    return moved


def _turning_on(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    y = z.copy()
    y[:, 0] += np.tanh(4 * (x + 0.5))
    return y


# x is m from -1 to 1 over the range.
DEPENDENCES: Mapping[str, Dependence] = MappingProxyType(
    {"none": _independent, "weak": _moving(0.3), "strong": _moving(1.5), "turn-on": _turning_on}
)


@dataclass(frozen=True)
class Signal:
    """A resonance at `MASS`.

    Arguments:
        expected: number of events it adds.
        centre, width: of its features, which are normal; features beyond those named are as in the background.
    """

    expected: float
    centre: tuple[float, ...]
    width: tuple[float, ...]


# Narrow in all of four features; in a tail; shifted in two of them; and one that looks like background.
SIGNALS: Mapping[str, Signal] = MappingProxyType(
    {
        "narrow": Signal(60, (0.5, -0.5, 0.5, 0.0), (0.2, 0.2, 0.2, 0.2)),
        "tail": Signal(30, (2.5, 2.5), (0.5, 0.5)),
        "shifted": Signal(150, (1.0, 1.0), (1.0, 1.0)),
        "like background": Signal(150, (), ()),
    }
)


def features(dimension: int) -> tuple[str, ...]:
    """m, y1, y2, ..."""
    return ("m", *(f"y{k + 1}" for k in range(dimension)))


def draw_data(
    rng: np.random.Generator,
    events: float = 20_000,
    *,
    dimension: int = 4,
    dependence: str = "none",
    scale: float = STEEP,
    signal: Signal | None = None,
) -> Sample:
    """Poisson(events) background events, followed by those of the signal.

    Arguments:
        rng: where the randomness comes from.
        events: expected number of background events.
        dimension: number of features beside m, at least 2.
        dependence: how they change with m, one of `DEPENDENCES`.
        scale: of the spectrum's fall.
        signal: what to add.
    """
    low, high = RANGE
    n = rng.poisson(events)
    m = low - scale * np.log1p(-rng.random(n) * -np.expm1(-(high - low) / scale))
    y = DEPENDENCES[dependence](2 * (m - low) / (high - low) - 1, rng.standard_normal((n, dimension)))
    found = np.column_stack([m, y])
    if signal is not None:
        count = rng.poisson(signal.expected)
        added = rng.standard_normal((count, dimension))
        for k, (centre, width) in enumerate(zip(signal.centre, signal.width, strict=True)):
            added[:, k] = centre + width * added[:, k]
        found = np.concatenate([found, np.column_stack([rng.normal(MASS, RESOLUTION, count), added])])
    return Sample(found, features=features(dimension), name="data")
