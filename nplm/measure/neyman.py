"""Intervals and contours with thresholds by toys at points along them, nuisances where the data prefer them there.

    c(v) = the level's quantile of q(v) over toys of theta = v, nu = nu^(v);    { v : q(v) <= c(v) }.

That is Neyman's construction ordered by the likelihood ratio (G. J. Feldman and R. D. Cousins, Phys. Rev. D 57 (1998)
3873), with nuisances profiled (B. Sen, M. Walker and M. Woodroofe, Stat. Sinica 19 (2009) 301). c is smooth, so toys
are drawn at few points and c is interpolated linearly; beyond the outermost point it stays as it is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nplm.measure.intervals import DIRECTIONS, Profiler, constant
from nplm.measure.result import Interval
from nplm.measure.toys import ToyMaker, held_toys, threshold_of

# Points on either side of the best value, and how far they reach in units of the widest asymptotic interval.
_SIDE, _REACH = 4, 1.25
# Standard deviations to which they reach where that interval is unbounded.
_UNBOUNDED = 3.0
# Every so many directions of a contour have points with toys.
_EVERY = 6


@dataclass(frozen=True, eq=False)
class Construction:
    """Thresholds by toys around a fit.

    Arguments:
        profiler: of the data.
        maker: draws toys of the fitted model.
        toys: at each point.
        seed: of them.
    """

    profiler: Profiler
    maker: ToyMaker
    toys: int
    seed: int

    def thresholds(
        self, chosen: list[int], values: Float64[np.ndarray, " c"], levels: Sequence[float]
    ) -> Float64[np.ndarray, " l"] | None:
        """c at values of some parameters, for each level; None where the data have no likelihood there."""
        q, point = self.profiler.at(chosen, values)
        if not np.isfinite(q):
            return None
        found = held_toys(self.maker.at(point), [(chosen, values)], self.toys, self.seed)
        return np.array([threshold_of(found.q[:, 0], level) for level in levels])

    def intervals(self, i: int, levels: Sequence[float]) -> tuple[list[Interval], int]:
        """The interval of a parameter at each level, and the number of points with toys.

        It is unbounded where more toys failed than the level lets.
        """
        name, nodes, rows = self.profiler.model.names[i], [], []
        for value in self._values(i, max(levels)):
            row = self.thresholds([i], np.array([value]), levels)
            if row is not None:
                nodes.append(value)
                rows.append(row)
        c, found = np.array(rows), []
        for number, level in enumerate(levels):
            if not np.isfinite(c[:, number]).all():
                found.append(Interval(name, level, -np.inf, np.inf, np.inf, by_toys=True))
                continue

            def threshold(value: float, own: Float64[np.ndarray, " m"] = c[:, number]) -> float:
                return float(np.interp(value, nodes, own))

            low, high = (self.profiler.crossing(i, threshold, sign) for sign in (-1.0, 1.0))
            ends = threshold(low), threshold(high)
            found.append(Interval(name, level, low, high, max(ends), by_toys=True, ends=ends))
        return found, len(nodes)

    def _values(self, i: int, level: float) -> Float64[np.ndarray, " n"]:
        """Where toys are drawn: the best value, and evenly to either side of it."""
        best, unit = self.profiler.found.point[i], self.profiler.unit(i)
        values = [np.array([best])]
        for end, sign in zip(self.profiler.interval(i, level), (-1, 1), strict=True):
            far = best + _REACH * (end - best) if np.isfinite(end) else best + sign * _UNBOUNDED * unit
            far = np.clip(far, self.profiler.model.low[i], self.profiler.model.high[i])
            values.append(np.linspace(best, far, _SIDE + 1)[1:])
        return np.unique(np.concatenate(values))

    def contours(self, i: int, j: int, levels: Sequence[float]) -> tuple[list[Float64[np.ndarray, "p 2"]], int]:
        """The line of two parameters at each level, and the number of points with toys.

        Toys are drawn at the best point, and in every sixth direction where the asymptotic lines are. A line has no
        points where more toys failed than its level lets.
        """
        chosen, profiler = [i, j], self.profiler
        limits = [constant(profiler.threshold(chosen, level)) for level in levels]
        radii = np.sort([np.zeros(DIRECTIONS), *(profiler.radii(chosen, limit) for limit in limits)], axis=0)
        c, lines = self._around(chosen, radii, levels), []
        for number in range(len(levels)):
            if not np.isfinite(c[:, :, number]).all():
                lines.append(np.empty((0, 2)))
                continue

            def threshold(direction: int, r: float, own: Float64[np.ndarray, "r d"] = c[:, :, number]) -> float:
                return float(np.interp(r, radii[:, direction], own[:, direction]))

            lines.append(profiler.outline(chosen, profiler.radii(chosen, threshold)))
        return lines, 1 + len(levels) * DIRECTIONS // _EVERY

    def _around(
        self, chosen: list[int], radii: Float64[np.ndarray, "r d"], levels: Sequence[float]
    ) -> Float64[np.ndarray, "r d l"]:
        """c at the best point, whose radii come first, and along lines around it, interpolated between directions."""
        some = np.arange(0, DIRECTIONS, _EVERY)
        c = np.empty((len(radii), len(some), len(levels)))
        c[0] = self.thresholds(chosen, self.profiler.found.point[chosen], levels)
        for line in range(1, len(radii)):
            points = self.profiler.outline(chosen, radii[line])
            for column, direction in enumerate(some):
                # At a bound several lines may have one point.
                moved = radii[line, direction] > radii[line - 1, direction]
                found = self.thresholds(chosen, points[direction], levels) if moved else None
                c[line, column] = c[line - 1, column] if found is None else found
        every = np.arange(DIRECTIONS)
        return np.array([[np.interp(every, some, each, period=DIRECTIONS) for each in line.T] for line in c]).transpose(
            0, 2, 1
        )
