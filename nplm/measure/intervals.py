"""Profile-likelihood intervals and contours.

q(v) = 2 [min over all others of L at theta_i = v, less min L]. For unit weights and an exact reference q tends to a
chi2 with one degree of freedom (S. S. Wilks, Ann. Math. Stat. 9 (1938) 60). A reference of finite size and weights add
to the fluctuation, but not to the curvature: with J the observed information and V the covariance of the fit, q tends
to lambda chi2 with lambda = V_ii / (J^-1)_ii, and of several parameters to a sum of chi2 variables with the eigenvalues
of (J^-1)_aa^-1 V_aa as weights (A. Rotnitzky and N. P. Jewell, Biometrika 77 (1990) 485). Thresholds are those of that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from scipy.optimize import brentq
from scipy.stats import chi2

from nplm.measure.model import ParametricModel
from nplm.measure.observed import Minimum, Observed
from nplm.stats.weighted_chi2 import WeightedChi2Null

# Steps of a search outwards, each so many times the last, and where the profile is known well enough.
OUTWARD, OUTWARD_GROWTH, TOLERANCE = 40, 1.6, 1e-4
# The first step outwards is at least where a parabola has this q: a threshold by toys may be 0 at a bound.
_STEP_OF_Q = 0.25
# Steps with second derivatives of the fit, and the decrement at which they end.
_CHORDS, _ENDED = 30, 1e-8
# Directions in which a contour is sought.
DIRECTIONS = 48


def constant(threshold: float) -> Callable[..., float]:
    """A threshold that is the same everywhere."""
    return lambda *where: threshold


@dataclass(frozen=True, eq=False)
class Profiler:
    """The profile of one fit.

    Arguments:
        model, data: what was fitted.
        found: its minimum.
        covariance: V of all parameters, shape (k, k).
    """

    model: ParametricModel
    data: Observed
    found: Minimum
    covariance: Float64[np.ndarray, "k k"]

    def at(
        self, chosen: list[int], values: Float64[np.ndarray, " c"], start: Float64[np.ndarray, " k"] | None = None
    ) -> tuple[float, Float64[np.ndarray, " k"]]:
        """q with some parameters held at values, and where the others are; infinite where there is no likelihood."""
        begin = self.found.point if start is None else start
        point = begin.copy()
        # The others follow as they are correlated.
        inverse = np.linalg.inv(self.found.hessian)
        shift = values - begin[chosen]
        moved = inverse[:, chosen] @ np.linalg.solve(inverse[np.ix_(chosen, chosen)], shift)
        point = np.clip(point + moved, self.model.low, self.model.high)
        point[chosen] = values
        free = np.ones(len(point), dtype=bool)
        free[chosen] = False
        if not np.isfinite(self.model.loss(self.data, point)[0]):
            point = begin.copy()
            point[chosen] = values
        near = self._by_chords(point, free)
        if near is not None:
            return 2 * (near[0] - self.found.loss), near[1]
        end = self.model.descend(self.data, point, free)
        q = 2 * (end.value - self.found.loss)
        return (q, end.point) if np.isfinite(q) else (np.inf, begin)

    def _by_chords(
        self, point: Float64[np.ndarray, " k"], free: Bool[np.ndarray, " k"]
    ) -> tuple[float, Float64[np.ndarray, " k"]] | None:
        """The minimum over some parameters by steps with the second derivatives of the fit, which cost a gradient each.

        None if they do not end soon: where the likelihood is no parabola, or at a bound.
        """
        hessian = self.found.hessian[np.ix_(free, free)]
        at, before = point, np.inf
        for _ in range(_CHORDS):
            value, gradient = self.model.slope(self.data, at)
            if not (np.isfinite(value) and np.isfinite(gradient).all()):
                return None
            step = np.linalg.solve(hessian, gradient[free]) if free.any() else np.zeros(0)
            decrement = float(gradient[free] @ step)
            if 0 <= decrement < _ENDED:
                return value, at
            if not 0 < decrement < 0.5 * before:
                return None
            before, at = decrement, at.copy()
            at[free] -= step
            if (at < self.model.low).any() or (at > self.model.high).any():
                return None
        return None

    def widening(self, chosen: list[int]) -> Float64[np.ndarray, " c"]:
        """lambda: by how much q of these parameters is wider than a chi2."""
        own = np.ix_(chosen, chosen)
        naive, real = np.linalg.inv(self.found.hessian)[own], self.covariance[own]
        return np.maximum(np.linalg.eigvals(np.linalg.solve(naive, real)).real, 1e-12)

    def threshold(self, chosen: list[int], level: float) -> float:
        """The q that is exceeded with probability 1 - level."""
        widths = self.widening(chosen)
        if len(widths) == 1:
            return float(widths[0] * chi2.ppf(level, 1))
        return WeightedChi2Null(np.sort(widths)[::-1]).threshold(1 - level)

    def crossing(self, i: int, threshold: Callable[[float], float], sign: float) -> float:
        """Where q of a parameter crosses its threshold on one side; the bound, or infinity, if it does not.

        Arguments:
            i: number of the parameter.
            threshold: as a function of the value.
            sign: of the side.
        """
        end = self.model.high[i] if sign > 0 else self.model.low[i]
        begin, last = self.found.point[i], self.found.point

        def q(value: float) -> float:
            nonlocal last
            found, point = self.at([i], np.array([value]), last)
            last = point if np.isfinite(found) else last
            return found - threshold(value)

        step = np.sqrt(max(threshold(begin), _STEP_OF_Q)) * self.unit(i)
        inner = begin
        for _ in range(OUTWARD):
            outer = begin + sign * step
            bounded = (outer >= end) if sign > 0 else (outer <= end)
            outer = end if bounded else outer
            value = q(outer)
            if value > 0:
                if not np.isfinite(value):
                    outer = self._last_finite(q, inner, outer)
                    if q(outer) <= 0:
                        return outer
                return float(brentq(q, inner, outer, xtol=TOLERANCE * self.unit(i), rtol=1e-12))
            if bounded:
                return float(end)
            inner, step = outer, step * OUTWARD_GROWTH
        return sign * np.inf

    def unit(self, i: int) -> float:
        """The standard deviation of a parameter by the second derivatives alone."""
        return float(np.sqrt(max(np.linalg.inv(self.found.hessian)[i, i], 1e-300)))

    @staticmethod
    def _last_finite(q: Callable[[float], float], inner: float, outer: float) -> float:
        """The outermost value with a likelihood, between one that has it and one that does not."""
        for _ in range(40):
            middle = (inner + outer) / 2
            value = q(middle)
            if np.isfinite(value):
                inner = middle
                if value > 0:
                    break
            else:
                outer = middle
        return inner

    def interval(self, i: int, level: float) -> tuple[float, float]:
        """Where q of a parameter is below its asymptotic threshold, around its best value."""
        limit = constant(self.threshold([i], level))
        return self.crossing(i, limit, -1.0), self.crossing(i, limit, 1.0)

    def contour(self, i: int, j: int, level: float) -> Float64[np.ndarray, "p 2"]:
        """Points of the line on which q of two parameters has its asymptotic threshold, around the best one; closed."""
        limit = constant(self.threshold([i, j], level))
        return self.outline([i, j], self.radii([i, j], limit))

    def outline(self, chosen: list[int], radii: Float64[np.ndarray, " d"]) -> Float64[np.ndarray, "p 2"]:
        """The closed line through points so far from the best one in each direction."""
        points = self.found.point[chosen] + radii[:, None] * self._rays(chosen)
        points = np.clip(points, self.model.low[chosen], self.model.high[chosen])
        return np.concatenate([points, points[:1]])

    def _rays(self, chosen: list[int]) -> Float64[np.ndarray, "d 2"]:
        """Directions that are evenly spread over the ellipse of the second derivatives, to its line.

        Those that lead out of bounds at once go along the bound.
        """
        root = np.linalg.cholesky(np.linalg.inv(self.found.hessian)[np.ix_(chosen, chosen)])
        angles = np.linspace(0, 2 * np.pi, DIRECTIONS, endpoint=False)
        rays = np.column_stack([np.cos(angles), np.sin(angles)]) @ root.T
        best, low, high = (each[chosen] for each in (self.found.point, self.model.low, self.model.high))
        return np.where(((best <= low) & (rays < 0)) | ((best >= high) & (rays > 0)), 0.0, rays)

    def radii(self, chosen: list[int], threshold: Callable[[int, float], float]) -> Float64[np.ndarray, " d"]:
        """How far from the best point q of two parameters reaches its threshold, in units of the ellipse.

        Arguments:
            chosen: numbers of the parameters.
            threshold: as a function of the number of the direction and of the radius.
        """
        centre, found_radii, last = self.found.point[chosen], [], self.found.point
        low, high = self.model.low[chosen], self.model.high[chosen]
        radius = np.sqrt(max(threshold(0, 0.0), _STEP_OF_Q))
        for number, ray in enumerate(self._rays(chosen)):
            with np.errstate(divide="ignore", invalid="ignore"):
                room = np.where(ray > 0, (high - centre) / ray, np.where(ray < 0, (low - centre) / ray, np.inf))
            most = float(room.min())

            def q(r: float, ray: np.ndarray = ray, number: int = number) -> float:
                nonlocal last
                found, point = self.at(chosen, np.clip(centre + r * ray, low, high), last)
                last = point if np.isfinite(found) else last
                return found - threshold(number, r)

            r = self._radius(q, min(radius, most), most) if ray.any() else 0.0
            found_radii.append(r)
            radius = r if 0 < r < np.inf else radius
            last = self.found.point if r == 0 else last
        return np.array(found_radii)

    def _radius(self, q: Callable[[float], float], guess: float, most: float) -> float:
        """How far along a ray q reaches 0, at most so far."""
        inner, outer, below = 0.0, guess, q(guess)
        for _ in range(OUTWARD):
            if below > 0 or outer >= most:
                break
            inner, outer = outer, min(outer * 1.25, most)
            below = q(outer)
        if below <= 0:
            return outer
        if not np.isfinite(below):
            outer = self._last_finite(q, inner, outer)
            if q(outer) <= 0:
                return outer
        if inner == 0.0 and q(outer * 0.75) < 0:
            inner = outer * 0.75
        return float(brentq(q, inner, outer, xtol=1e-3 * max(guess, 1e-3)))
