"""Coordinates: what kernels, networks and cells see in place of the features of an event.

All that a user reads stays in the features' own units; coordinates are fitted on the reference only.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, get_args

import numpy as np
from jaxtyping import Float64

from nplm.data.circular import WithCircles, circles_in, circles_of
from nplm.data.normal_scores import NormalScores
from nplm.data.periods import Circular, periods_of
from nplm.data.sample import Sample
from nplm.data.scaler import Scaler

CoordinateKind = Literal["normal-scores", "standardized", "raw"]
COORDINATES: tuple[CoordinateKind, ...] = get_args(CoordinateKind)


class Coordinates(Protocol):
    """A map from the d features of an event to the e coordinates that a model sees."""

    def __call__(self, events: Float64[np.ndarray, "*n d"]) -> Float64[np.ndarray, "*n e"]:
        """The coordinates of events in the units of the reference."""
        ...

    @property
    def dimension(self) -> int:
        """Number of coordinates e."""
        ...

    def columns(self, feature: int) -> list[int]:
        """The coordinates that a feature has."""
        ...

    def inverse(self, points: Float64[np.ndarray, "*n e"]) -> Float64[np.ndarray, "*n d"]:
        """The events with these coordinates, in the range of the reference.

        Raises:
            ValueError: if a feature is circular.
        """
        ...

    def without(self, feature: int) -> Coordinates:
        """The same map, but for one feature that is taken to zero, whatever its value."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """The map as a result shows it."""
        ...

    def arrays(self) -> dict[str, np.ndarray]:
        """All that the map is made of, for `coordinates_in`."""
        ...


def coordinates_of(kind: CoordinateKind, sample: Sample, circular: Circular = ()) -> Coordinates:
    """The coordinates of a reference.

    Arguments:
        kind: "normal-scores", see `NormalScores`; "standardized" shifts and scales each feature by its mean and
            deviation, see `Scaler`; "raw" leaves features as they are.
        sample: the reference.
        circular: features that are angles, which become points on a circle whatever the kind, see `Circle`: their
            names, for a period of 2 pi or 360 as their range says, or names with periods.

    Raises:
        ValueError: if there is no such kind or feature, a feature is constant, or a period cannot be guessed.
    """
    if kind not in COORDINATES:
        raise ValueError(f"there are no coordinates '{kind}': choose {', '.join(COORDINATES)}")
    periods = periods_of([sample], circular)
    if not periods:
        return _straight(kind, sample)
    circles = circles_of(sample, periods)
    others = [j for j in range(sample.dimension) if j not in circles]
    if not others:
        return WithCircles(Scaler.identity(0), circles)
    names = [sample.features[j] for j in others]
    return WithCircles(_straight(kind, Sample(sample.events[:, others], sample.weights, names, sample.name)), circles)


def _straight(kind: CoordinateKind, sample: Sample) -> Coordinates:
    if kind == "normal-scores":
        return NormalScores.fit(sample)
    return Scaler.fit(sample) if kind == "standardized" else Scaler.identity(sample.dimension)


def coordinates_in(arrays: dict[str, np.ndarray]) -> Coordinates:
    """The coordinates whose `arrays` these are; a KeyError if they are those of none."""
    straight: Coordinates
    if "score_knots" in arrays:
        straight = NormalScores.of_arrays(arrays)
    else:
        straight = Scaler(arrays["location"], arrays["scale"])
    return WithCircles(straight, circles_in(arrays["circles"])) if "circles" in arrays else straight


def same_coordinates(one: Coordinates, other: Coordinates) -> bool:
    """Whether two maps are the same."""
    ours, theirs = one.arrays(), other.arrays()
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)
