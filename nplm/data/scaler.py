"""The scaler that standardizes features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm._util.numbers import ROWS
from nplm.data.sample import Sample, require_varying


@dataclass(frozen=True, eq=False)
class Scaler:
    """An affine map of each feature, x -> (x - location) / scale; fitted on the reference only.

    Arguments:
        location: shape (d,).
        scale: shape (d,), positive.
    """

    location: Float64[np.ndarray, " d"]
    scale: Float64[np.ndarray, " d"]

    @classmethod
    def fit(cls, reference: Sample) -> Scaler:
        """Location and scale are the mean and the standard deviation of each feature, weighted with |w|.

        Raises:
            ValueError: naming the feature, if one is constant.
        """
        require_varying(reference)
        share = np.abs(reference.weights) / np.abs(reference.weights).sum()
        mean = share @ reference.events
        # Some rows at a time: of a large sample no copy fits into memory.
        starts = range(0, len(reference), ROWS)
        squares = [share[i : i + ROWS] @ (reference.events[i : i + ROWS] - mean) ** 2 for i in starts]
        return cls(mean, np.sqrt(np.sum(squares, axis=0)))

    @classmethod
    def identity(cls, dimension: int) -> Scaler:
        """The scaler that leaves the features as they are."""
        return cls(np.zeros(dimension), np.ones(dimension))

    def __call__(self, events: Float64[np.ndarray, "*n d"]) -> Float64[np.ndarray, "*n d"]:
        scaled = events - self.location
        scaled /= self.scale
        return scaled

    @property
    def dimension(self) -> int:
        """Number of coordinates, which is that of the features."""
        return len(self.location)

    def columns(self, feature: int) -> list[int]:
        """The coordinates that a feature has: one, of its own number."""
        return [feature]

    def inverse(self, points: Float64[np.ndarray, "*n d"]) -> Float64[np.ndarray, "*n d"]:
        """The events with these coordinates."""
        return self.location + self.scale * points

    def without(self, feature: int) -> Scaler:
        """The same map, but for one feature that is taken to zero, whatever its value."""
        scale = self.scale.copy()
        scale[feature] = np.inf
        return Scaler(self.location, scale)

    def to_dict(self) -> dict[str, Any]:
        """Location and scale, as a result shows them."""
        return {"location": self.location, "scale": self.scale}

    def arrays(self) -> dict[str, np.ndarray]:
        """All that the map is made of, for `nplm.data.coordinates.coordinates_in`."""
        return {"location": self.location, "scale": self.scale}
