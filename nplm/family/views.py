"""How a part of a family looks at events that it was not made of: cells, products and kernels of their scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float64, Int
from scipy.spatial.distance import cdist

from nplm.family.circular import points_of
from nplm.family.ranks import Cells, smallest

# Products are of scores within this, so that a single event far out makes none of them; and of features as they are, in
# which it is to count, within that.
_CLIP, FAR = 3.0, 10.0
# Directions of the scores with less than this share of the largest variance say nothing of residuals.
_COLLINEAR = 1e-3
# Events whose kernels are evaluated at a time.
_ROWS, _SMALL = 2048, 256
# Events whose products are held in memory at a time.
BLOCK = 65_536


class Look(Protocol):
    """Functions psi of events, before a part makes its modes of them."""

    def summed(self, z: Float64[np.ndarray, "n d"], masses: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " q"]:
        """sum_e m psi over events with these normal scores."""

    def times(self, z: Float64[np.ndarray, "n d"], linear: Float64[np.ndarray, "q r"]) -> Float64[np.ndarray, "n r"]:
        """psi of each event, times a matrix."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Cells of one or more features: psi is one in the cell of the event, and zero in all others.

    Arguments:
        features: numbers of the features.
        cells: of each of them.
    """

    features: tuple[int, ...]
    cells: tuple[Cells, ...]

    @property
    def rows(self) -> int:
        """Number of cells, with those that are empty."""
        return int(np.prod([each.count for each in self.cells]))

    @property
    def of_event(self) -> Int[np.ndarray, " n"]:
        """The cell of each event that the cells were made of."""
        return smallest(self._joined([each.of_event for each in self.cells]))

    def summed(self, z: Float64[np.ndarray, "n d"], masses: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " q"]:
        """Mass in each cell."""
        return np.bincount(self._of(z), masses, self.rows)

    def times(self, z: Float64[np.ndarray, "n d"], linear: Float64[np.ndarray, "q r"]) -> Float64[np.ndarray, "n r"]:
        """The row of each event's cell."""
        return linear[self._of(z)]

    def _of(self, z: np.ndarray) -> np.ndarray:
        return self._joined([each.nearest(z[:, j]) for j, each in zip(self.features, self.cells, strict=True)])

    def _joined(self, places: Sequence[np.ndarray]) -> np.ndarray:
        joined = places[0]
        for place, cells in zip(places[1:], self.cells[1:], strict=True):
            joined = joined * np.int32(cells.count) + place
        return joined


@dataclass(frozen=True, eq=False)
class Products:
    """Products of one to three scores, each within three standard deviations, or of residuals of them.

    Arguments:
        subsets: numbers of the features of each product.
        mean, linear: residuals are (z - mean) linear, shapes (d,) and (d, d); None for the scores themselves.
        clip: standard deviations within which scores are taken.
    """

    subsets: tuple[tuple[int, ...], ...]
    mean: Float64[np.ndarray, " d"] | None = None
    linear: Float64[np.ndarray, "d d"] | None = None
    clip: float = _CLIP

    @classmethod
    def of_residuals(
        cls, subsets: Sequence[tuple[int, ...]], z: Float64[np.ndarray, "n d"], masses: Float64[np.ndarray, " n"]
    ) -> Products:
        """Residuals are C^-1 z with the correlation C of all scores, in units of their spread."""
        weights = np.abs(masses) / np.abs(masses).sum()
        mean, square = np.zeros(z.shape[1]), np.zeros((z.shape[1], z.shape[1]))
        for rows in blocks(len(z)):
            within = np.clip(z[rows], -_CLIP, _CLIP)
            mean += weights[rows] @ within
            square += (within * weights[rows, None]).T @ within
        covariance = square - np.outer(mean, mean)
        inverse = np.linalg.pinv(covariance, rcond=_COLLINEAR, hermitian=True)
        spread = np.sqrt(np.diag(inverse @ covariance @ inverse).clip(min=0))
        return cls(tuple(subsets), mean, inverse / np.where(spread > 0, spread, 1.0))

    def times(self, z: Float64[np.ndarray, "n d"], linear: Float64[np.ndarray, "q r"]) -> Float64[np.ndarray, "n r"]:
        """The products of each event, times a matrix."""
        return self(z) @ linear

    def __call__(self, z: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """The products of each event."""
        scores = self._scores(z)
        return np.column_stack([scores[:, subset].prod(axis=1) for subset in map(list, self.subsets)])

    def summed(self, z: Float64[np.ndarray, "n d"], masses: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " q"]:
        """Sums of the products, from sums over matrices of scores."""
        scores = np.ascontiguousarray(self._scores(z).T)
        weighted = scores * masses
        sizes = {len(subset) for subset in self.subsets}
        sums: dict[int, np.ndarray] = {1: weighted.sum(axis=1)}
        if 2 in sizes:
            sums[2] = weighted @ scores.T
        if 3 in sizes:
            sums[3] = np.stack([(row * scores) @ scores.T for row in weighted])
        return np.array([sums[len(subset)][subset] for subset in self.subsets])

    def _scores(self, z: np.ndarray) -> np.ndarray:
        within = np.clip(z, -self.clip, self.clip)
        if self.linear is None:
            return within
        return np.clip((within - self.mean) @ self.linear, -_CLIP, _CLIP)


@dataclass(frozen=True, eq=False)
class Kernels:
    """Gaussian kernels of all features, times a root of the inverse of their matrix.

    Arguments:
        centers: shape (M, e), with two coordinates of each angle.
        width: of the kernels.
        root: shape (M, q).
        circular: which features are angles.
    """

    centers: Float64[np.ndarray, "M e"]
    width: float
    root: Float64[np.ndarray, "M q"]
    circular: tuple[bool, ...]

    def __call__(self, z: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n q"]:
        """psi of each event."""
        return self.times(z, np.eye(self.root.shape[1]))

    def times(self, z: Float64[np.ndarray, "n d"], linear: Float64[np.ndarray, "q r"]) -> Float64[np.ndarray, "n r"]:
        """psi of each event, times a matrix."""
        return self.of_points(points_of(z, self.circular), linear)

    def of_points(
        self, z: Float64[np.ndarray, "n e"], linear: Float64[np.ndarray, "q r"]
    ) -> Float64[np.ndarray, "n r"]:
        """The same of points, which have two coordinates of each angle."""
        matrix = self.root @ linear
        parts = [gaussian(z[i : i + _ROWS], self.centers, self.width) @ matrix for i in range(0, len(z), _ROWS)]
        return np.concatenate(parts)

    def summed(self, z: Float64[np.ndarray, "n d"], masses: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " q"]:
        """Sums of psi, in blocks of events that stay in the cache."""
        unit = np.sqrt(0.5) / self.width
        centers, points = self.centers * unit, points_of(z, self.circular) * unit
        squares, own = (centers**2).sum(axis=1), (points**2).sum(axis=1)
        total = np.zeros(len(centers))
        for i in range(0, len(points), _SMALL):
            rows = slice(i, i + _SMALL)
            # -|x - c|^2 in units of 2 width^2.
            exponent = points[rows] @ (2 * centers).T
            exponent -= squares
            exponent -= own[rows, None]
            total += masses[rows] @ np.exp(exponent, out=exponent)
        return total @ self.root


def blocks(n: int) -> list[slice]:
    """Rows in blocks of a size at which functions of them fit into memory."""
    return [slice(i, min(i + BLOCK, n)) for i in range(0, n, BLOCK)]


def gaussian(x: np.ndarray, y: np.ndarray, width: float) -> Float64[np.ndarray, "n m"]:
    """exp(-|x - y|^2 / (2 width^2)) of all pairs."""
    return np.exp(cdist(x, y, "sqeuclidean") / (-2 * width**2))
