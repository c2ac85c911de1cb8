"""Where in the resonant feature a bump is looked for: windows as wide as the resolution, or one that is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

# Distance of the first and the last window from the ends, in resolutions, and that of neighbours.
EDGE, STEP = 3.0, 1.0
# So many windows are looked at, at most.
MOST_WINDOWS = 1000

Resolution = float | Callable[[Float64[np.ndarray, " n"]], Float64[np.ndarray, " n"]]


@dataclass(frozen=True, eq=False)
class Windows:
    """g_j(m) = exp(-(m - m_j)^2 / (2 sigma_j^2)), or one inside of [low, high).

    Arguments:
        centre: m_j, shape (J,).
        sigma: the resolution there, shape (J,); half of the region's width for one that is given.
        region: its ends, if one is given.
    """

    centre: Float64[np.ndarray, " J"]
    sigma: Float64[np.ndarray, " J"]
    region: tuple[float, float] | None = None

    @classmethod
    def scan(cls, low: float, high: float, resolution: Resolution) -> Windows:
        """Windows a resolution apart, from three resolutions above the lower end to three below the upper one.

        Raises:
            ValueError: if the resolution is not positive and finite, leaves no window, or more than 1000.
        """
        sigma = _resolution_at(resolution, low)
        at = low + EDGE * sigma
        centres, sigmas = [], []
        while True:
            sigma = _resolution_at(resolution, at)
            if at > high - EDGE * sigma:
                break
            centres.append(at)
            sigmas.append(sigma)
            if len(centres) > MOST_WINDOWS:
                raise ValueError(
                    f"a resolution of {sigma:.3g} makes more than {MOST_WINDOWS} windows between {low:.4g} and"
                    f" {high:.4g}: give the resolution in the units of the resonant feature, or a narrower range"
                )
            at += STEP * sigma
        if not centres:
            raise ValueError(
                f"no window of resolution {sigma:.3g} fits between {low:.4g} and {high:.4g}, as one needs"
                f" {EDGE:g} resolutions on either side: give a better resolution or a wider range"
            )
        return cls(np.array(centres), np.array(sigmas))

    @classmethod
    def of_region(cls, region: tuple[float, float], low: float, high: float) -> Windows:
        """The one window that is given, with sidebands on both sides.

        Raises:
            ValueError: if it is no interval inside of the range.
        """
        start, stop = region
        if not (np.isfinite(start) and np.isfinite(stop) and start < stop):
            raise ValueError(f"a signal region goes from a lower to a higher value, not from {start:g} to {stop:g}")
        if not (low < start and stop < high):
            raise ValueError(
                f"the signal region {start:g} to {stop:g} must lie between {low:.4g} and {high:.4g}, with events on"
                " both sides to learn the smooth background from"
            )
        return cls(np.array([(start + stop) / 2]), np.array([(stop - start) / 2]), (start, stop))

    def __len__(self) -> int:
        return len(self.centre)

    def __call__(self, m: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, "n J"]:
        """g of each window at values of the resonant feature."""
        if self.region is not None:
            return ((m >= self.region[0]) & (m < self.region[1])).astype(np.float64)[:, None]
        return np.exp(-0.5 * ((m[:, None] - self.centre) / self.sigma) ** 2)

    def only(self, kept: np.ndarray) -> Windows:
        """Some of the windows."""
        return Windows(self.centre[kept], self.sigma[kept], self.region)

    def ends(self, j: int) -> tuple[float, float]:
        """The interval that a window is told by: two resolutions on either side, or the region that is given."""
        if self.region is not None:
            return self.region
        return float(self.centre[j] - 2 * self.sigma[j]), float(self.centre[j] + 2 * self.sigma[j])


def _resolution_at(resolution: Resolution, m: float) -> float:
    found = float(np.asarray(resolution(np.array([m])))[0]) if callable(resolution) else float(resolution)
    if not (np.isfinite(found) and found > 0):
        raise ValueError(f"the resolution must be a positive number, not {found:g} at {m:.4g}")
    return found
