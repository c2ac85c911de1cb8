"""Single intervals of a feature once parameters have been fitted: counts less what the fit can absorb."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

from nplm.family.draws import Draws
from nplm.family.intervals import Intervals
from nplm.family.member import Member, Part
from nplm.family.settings import INTERVALS
from nplm.measure.projection import LEFT, Fitted, ProjectedPart

# Of a cell of which less than this share is left there is nothing but rounding.
_ROUNDING = 1e-9
_TINY = 1e-300
# A root is moved by no more than this share of it.
_MOST_BENT = 0.25


@dataclass(frozen=True, eq=False)
class Drawn:
    """Samples without a difference, as a fit that follows to first order sees them.

    Arguments:
        events: of both samples.
        y_s: scores of the parameters, with the fluctuations of yields and auxiliary measurements, shape (L, K).
        of_yield: what the yields differ by, in the units of scores, shape (L,).
    """

    events: Draws
    y_s: Float64[np.ndarray, "L K"]
    of_yield: Float64[np.ndarray, " L"]


@dataclass(frozen=True, eq=False)
class ProjectedIntervals(Intervals):
    """Intervals of a feature, less what fitted parameters can absorb.

    A cell c has the mode 1_c less the share of all masses in it. Its score is y_c = (1 - q) B_c - q A_c, less that
    share of the same of all cells, and what is left of it y~_c = y_c - C_c y_s, as of any other mode (see
    `nplm.measure.projection`). So B is expected to have rho A + C y_s / (1 - q). The root of an interval is that of
    `nplm.family.intervals.Intervals`, with its half event, for the counts B - C y_s and A + C y_s. It is divided by the
    root of the share of the variance that is left,

        kappa = v^T Cov(y~) v / sum_c v_c^2 s_c ,

    with v the weights and s_c the variance of a count. An interval of few events takes little from a fit to many:
    kappa is near one there, and the law that of a count. Where kappa is less, the skewness is another. To second order
    the normal score of x, of variance one and skewness gamma, is x - gamma (x^2 - 1) / 6 (E. A. Cornish and R. A.
    Fisher, Rev. Inst. Int. Stat. 5 (1938) 307). The root of a deviance has the term in x^2 of the count: it is moved to

        z = r + (gamma_k sqrt(kappa) - gamma) r^2 / 6 ,

    with r the root that was divided, gamma_k the skewness of the count, and gamma that of y~.

    Arguments:
        part: modes of the cells, shape (cells,), as they are left.
        covariance: Cov(y~) of the cells, shape (cells, cells).
        seen: y~ of the samples as they are, shape (cells,).
        kappa: share of the variance that is left of each interval, shape (i,).
        bend: (gamma_k sqrt(kappa) - gamma) / 6 of each, shape (i,).
    """

    part: ProjectedPart
    covariance: Float64[np.ndarray, "cells cells"]
    seen: Float64[np.ndarray, " cells"]
    kappa: Float64[np.ndarray, " i"]
    bend: Float64[np.ndarray, " i"]

    @classmethod
    def of_those(cls, before: Intervals, fitted: Fitted) -> ProjectedIntervals | None:
        """What is left of these intervals; None if all of them have been fitted."""
        cells, grid = before.cells, before.grid
        together = before.mass_a + before.mass_b
        modes = np.eye(cells)[grid.on] - together / together.sum()
        one = np.ones(cells)
        base = Part(grid.of_event, modes, one, (Member(INTERVALS, (before.feature,), None, None, one),))
        response, covariance = fitted.without(base)
        part = ProjectedPart(
            None, None, one, base.members, base=base, fitted=fitted, response=response, rotation=np.eye(cells)
        )
        held = ((before.weights @ covariance) * before.weights).sum(axis=1)
        kappa = held / before.held
        kept = kappa > LEFT
        if not kept.any():
            return None
        q = before.ratio / (1 + before.ratio)
        y = (1 - q) * before.mass_b - q * before.mass_a
        given: dict[str, Any] = {each.name: getattr(before, each.name) for each in fields(before)}
        for name in ("start", "stop", "weights", "unit_a", "unit_b"):
            given[name] = given[name][kept]
        given["variance"] = np.maximum(np.diag(covariance), _ROUNDING * before.variance)
        seen = part.of_scores(y[None], fitted.left[None])[0]
        bend = _bend(before, part, np.maximum(held, _TINY))[kept]
        return cls(**given, part=part, covariance=covariance, seen=seen, kappa=kappa[kept], bend=bend)

    @property
    def expected(self) -> Float64[np.ndarray, " cells"]:
        """Mass of B that A lets be expected in each cell, once the parameters are where the data put them."""
        return self.mass_b - (1 + self.ratio) * self.seen

    def observed(self) -> Float64[np.ndarray, " i"]:
        """Signed roots of the samples as they are."""
        return self.of_scores(self.seen[None], self.ratio / (1 + self.ratio))[0]

    def scores(self, draws: Any) -> Float64[np.ndarray, "L cells"]:
        """y~ of each cell in each of L pairs of samples."""
        assert isinstance(draws, Drawn)
        assert self.part.base is not None
        (y,) = draws.events.scores([self.part.base])
        return self.part.of_scores(y, draws.y_s)

    def cell_modes(self, rows: Int64[np.ndarray, " k"]) -> Float64[np.ndarray, "k cells"]:
        """What events add to the score that is left of each cell, of variance one."""
        return self.part.phi_in_pool(rows) / np.sqrt(np.maximum(self.variance, _TINY))

    def with_cells(self, weights: Float64[np.ndarray, "k cells"]) -> Float64[np.ndarray, "k cells"]:
        """Covariance of sums over cells, of these weights, with the score of each cell."""
        return weights @ self.covariance

    def drawn(self, normal: Float64[np.ndarray, "L cells"]) -> Float64[np.ndarray, "L cells"]:
        """Normal scores of cells with that covariance, of independent ones of variance one."""
        return normal @ self._root.T

    @cached_property
    def _root(self) -> Float64[np.ndarray, "cells cells"]:
        values, vectors = np.linalg.eigh(self.covariance)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))

    def _roots(self, mass_a: np.ndarray, mass_b: np.ndarray) -> Float64[np.ndarray, "L i"]:
        """Signed roots of the deviance, of variance one once the fit has followed."""
        root = super()._roots(mass_a, mass_b) / np.sqrt(self.kappa)
        return root * (1 + np.clip(self.bend * root, -_MOST_BENT, _MOST_BENT))


def _bend(before: Intervals, part: ProjectedPart, held: Float64[np.ndarray, " i"]) -> Float64[np.ndarray, " i"]:
    """(gamma_k sqrt(kappa) - gamma) / 6 of intervals, from third cumulants of what events add to y~.

    An event of mass m adds s = q (1 - q) m^2 to the variance of a count, and (1 - 2 q) m s to its third cumulant. In a
    cell parameters' scores are taken at their mean.

    Arguments:
        before: the intervals.
        part: modes of the cells, as they are left.
        held: variance that is left of the score of each.
    """
    assert part.base is not None
    fitted, grid, weights = part.fitted, before.grid, before.weights
    q = before.ratio / (1 + before.ratio)
    third = (1 - 2 * q) / np.sqrt(q * (1 - q)) * np.bincount(grid.of_event, fitted.second**1.5, grid.count)
    filled = np.maximum(np.bincount(grid.of_event, fitted.second, grid.count), _TINY)
    means = np.column_stack([part.base.summed(fitted.second * s) / filled for s in fitted.scores.T])
    modes = part.base.phi_of(slice(None)) - means @ part.response.T
    of_count = (weights[:, grid.on] ** 3 @ third) / before.held**1.5
    of_left = ((modes @ weights.T) ** 3).T @ third / held**1.5
    return np.asarray(of_count * np.sqrt(held / before.held) - of_left) / 6
