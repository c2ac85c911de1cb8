"""Circular features, such as an azimuth: a point on a circle instead of a number with a cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from nplm.data.sample import Sample

if TYPE_CHECKING:
    from nplm.data.coordinates import Coordinates

# Points of a feature that are no further from their mean are all at one angle.
_ONE_ANGLE = 1e-6


@dataclass(frozen=True, eq=False)
class Circle:
    """x goes to ((cos a, sin a) - center) / scale with a = 2 pi x / period.

    Both coordinates have mean 0, and one scale, so that their variance is 1 on average over the two: then the distance
    of two events does not depend on where the angle is counted from.

    Arguments:
        period: of the feature.
        center: mean of (cos a, sin a), shape (2,).
        scale: positive; infinite to take every event to zero.
    """

    period: float
    center: Float64[np.ndarray, " 2"]
    scale: float

    @classmethod
    def fit(cls, x: Float64[np.ndarray, " n"], weights: Float64[np.ndarray, " n"], period: float) -> Circle:
        """The circle of a feature, with center and scale weighted with |w|."""
        share = np.abs(weights) / np.abs(weights).sum()
        points = cls(period, np.zeros(2), 1.0)(x)
        center = share @ points
        return cls(period, center, float(np.sqrt((share @ (points - center) ** 2).mean())))

    def __call__(self, x: Float64[np.ndarray, "*n"]) -> Float64[np.ndarray, "*n 2"]:
        angle = (2 * np.pi / self.period) * x
        return (np.stack([np.cos(angle), np.sin(angle)], axis=-1) - self.center) / self.scale


@dataclass(frozen=True, eq=False)
class WithCircles:
    """Coordinates of features of which some are circular: each of these has two, in its place.

    Arguments:
        straight: coordinates of the other features, in their order.
        circles: by the number of the feature.
    """

    straight: Coordinates
    circles: Mapping[int, Circle]

    def __call__(self, events: Float64[np.ndarray, "*n d"]) -> Float64[np.ndarray, "*n e"]:
        others = iter(np.moveaxis(self.straight(events[..., self._others]), -1, 0)[..., None])
        parts = [self.circles[j](events[..., j]) if j in self.circles else next(others) for j in range(self._features)]
        return np.concatenate(parts, axis=-1)

    @property
    def _features(self) -> int:
        return self.straight.dimension + len(self.circles)

    @property
    def _others(self) -> list[int]:
        return [j for j in range(self._features) if j not in self.circles]

    @property
    def dimension(self) -> int:
        """Number of coordinates: more than there are features."""
        return self.straight.dimension + 2 * len(self.circles)

    def columns(self, feature: int) -> list[int]:
        """The coordinates that a feature has: two if it is circular."""
        first = feature + sum(j < feature for j in self.circles)
        return [first, first + 1] if feature in self.circles else [first]

    def inverse(self, points: Float64[np.ndarray, "*n e"]) -> Float64[np.ndarray, "*n d"]:
        """Not defined: most points are those of no event."""
        raise ValueError("most points beside a circle are those of no event: circular coordinates have no inverse")

    def without(self, feature: int) -> WithCircles:
        """The same map, but for one feature that is taken to zero, whatever its value."""
        if feature in self.circles:
            return replace(self, circles={**self.circles, feature: replace(self.circles[feature], scale=np.inf)})
        return replace(self, straight=self.straight.without(self._others.index(feature)))

    def to_dict(self) -> dict[str, Any]:
        """The circles by the number of the feature, and the map of the others, as a result shows them."""
        return {
            "kind": "circular",
            "circles": [
                {"feature": j, "period": circle.period, "center": circle.center, "scale": circle.scale}
                for j, circle in sorted(self.circles.items())
            ],
            "others": self.straight.to_dict() if self.straight.dimension else None,
        }

    def arrays(self) -> dict[str, np.ndarray]:
        """All that the map is made of, for `nplm.data.coordinates.coordinates_in`."""
        return {
            **self.straight.arrays(),
            "circles": np.array([[j, c.period, *c.center, c.scale] for j, c in sorted(self.circles.items())]),
        }


def circles_in(table: Float64[np.ndarray, "k 5"]) -> dict[int, Circle]:
    """The circles that `WithCircles.arrays` wrote."""
    return {int(row[0]): Circle(float(row[1]), row[2:4].copy(), float(row[4])) for row in table}


def circles_of(sample: Sample, periods: Mapping[str, float]) -> dict[int, Circle]:
    """The circles of the features with these periods, by number of the feature.

    Raises:
        ValueError: naming the feature, if all its events are at one angle.
    """
    circles = {}
    for name, period in periods.items():
        j = sample.features.index(name)
        circle = Circle.fit(sample.events[:, j], sample.weights, period)
        if not circle.scale > _ONE_ANGLE:
            raise ValueError(
                f"feature '{name}' of {sample.name} is at one angle of the period {period:g}: it cannot tell two"
                " samples apart. Check the period, or leave the feature out"
            )
        circles[j] = circle
    return circles
