"""How much better a set of templates describes a table than the background alone: the test statistic K."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float64

from nplm.channels.cliques import Part, parts_of
from nplm.channels.graph import CompatibilityGraph
from nplm.channels.likelihood import JointRegions, TogetherRegions, log_likelihood
from nplm.channels.limits import UpperLimits
from nplm.channels.table import RegionTable
from nplm.channels.templates import Templates
from nplm.channels.workspace_likelihood import WorkspaceLikelihood

# Strengths that are looked at: neighbours differ by so much, and each round of the refinement has so many.
_RATIO, _MOST_POINTS, _POINTS, _ROUNDS = 1.6, 24, 9, 2
# An analysis that has less than this part of the information that its regions would have without nuisances has none.
_UNSEEN = 1e-8


def protomodel_cost(particles: float, branchings: float, multipliers: float) -> float:
    """-log pi of a model in arXiv:2012.12246: particles / 2 + branchings / 4 + multipliers / 8.

    Arguments:
        particles: new ones; the lightest counts.
        branchings: branching ratios that are free: of each particle one less than it has, as they add up to one.
        multipliers: different strengths of production.

    Example:
        A particle that decays into the lightest one in a single way, produced with two strengths:

        >>> protomodel_cost(2, 0, 2)
        1.25
    """
    return particles / 2 + branchings / 4 + multipliers / 8


@dataclass(frozen=True)
class Score:
    """What a set of templates makes of a table.

    Arguments:
        k: K = 2 sum_a log [L_a(mu^) / L_a(0)] - 2 sum of costs, over the analyses a of the combination.
        mu: mu^, the common factor of all strengths.
        combination: the analyses that are combined.
        gains: 2 log [L_a(mu^) / L_a(0)] of each of them.
        limit: the largest mu that the other regions allow; infinite if none has a signal.
        limited_by: the analysis whose region says so; empty if none does.
    """

    k: float
    mu: float
    combination: tuple[str, ...]
    gains: Mapping[str, float]
    limit: float
    limited_by: str


@dataclass(frozen=True, eq=False)
class Scorer:
    """Scores sets of templates and strengths on one table.

    K = -2 log {L_SM pi(SM) / [L_BSM(mu^) pi(BSM)]} (W. Waltenberger, A. Lessa and S. Kraml, J. High Energy Phys. 03
    (2021) 207, arXiv:2012.12246), with the largest value that any allowed combination of analyses gives, of sets to
    which no further analysis with a signal could be added. mu^ >= 0 maximizes the likelihood of the combination up to
    the smallest of the 95% upper limits of the regions outside of it: of each analysis the most sensitive one.

    An analysis with a full likelihood enters with that, and one with a covariance with all regions that it is about, by
    their simplified likelihood; else with the one region that would be most sensitive, s^2 / (b + error^2), whatever
    was observed, as regions may overlap. Outside of a combination a full likelihood limits mu by its own upper limit.

    pi(SM) = 1, and pi(BSM) = exp(-sum of the costs of the templates). A template is one signal of a free strength,
    which adds 1 to 2 log L on average if there is none (Wilks); Akaike's criterion charges 2 for it, a cost of 1. What
    the paper charges is `protomodel_cost`.

    Arguments:
        table: the regions.
        templates: the signals.
        graph: which analyses may be combined.
        limits: upper limits of regions, which tables with other counts share; None for no limits from other regions.
        likelihoods: full ones, by analysis, whose bins are its regions in the order of the table.
    """

    table: RegionTable
    templates: Templates
    graph: CompatibilityGraph
    limits: UpperLimits | None
    likelihoods: Mapping[str, WorkspaceLikelihood] = field(default_factory=dict)

    def score(self, strengths: Float64[np.ndarray, " k"]) -> Score:
        """K of templates with these strengths, zero for those that are not there."""
        signal = strengths @ self.templates.yields
        cost = 2 * float(self.templates.cost[strengths > 0].sum())
        units = self._units(signal)
        if not units:
            return Score(-cost, 0.0, (), {}, np.inf, "")
        parts = parts_of(self._allowed(units))
        outside, inside = self._limits(units, signal)
        grid = self._grid(units, signal)
        gains = self._gains(units, signal, grid)
        total, sets = _best_sets(parts, gains, grid, outside, inside)
        at = int(total.argmax())
        chosen = np.array(
            sorted(
                node
                for part, row in zip(parts, sets[:, at], strict=True)
                for node in part.nodes[part.members[row]].tolist()
            ),
            dtype=np.int64,
        )
        limit, by = _limit_of(chosen, outside, inside)
        mu, own = self._refined(units, signal, grid, at, chosen, limit)
        names = [self.graph.names[units[i].analysis] for i in chosen]
        return Score(
            k=float(own.sum()) - cost,
            mu=mu,
            combination=tuple(names),
            gains=dict(zip(names, own.tolist(), strict=True)),
            limit=limit,
            limited_by="" if by < 0 else self.graph.names[units[by].analysis],
        )

    @cached_property
    def alone(self) -> Float64[np.ndarray, " k"]:
        """K of each template by itself, shape (k,)."""
        return np.array([self.score(each).k for each in np.diag(self.unit_strengths)])

    @cached_property
    def unit_strengths(self) -> Float64[np.ndarray, " k"]:
        """Of each template the strength that would be one standard deviation in the analyses together, shape (k,).

        Raises:
            ValueError: if no analysis sees a template.
        """
        information = np.array([sum(unit.information for unit in self._units(row)) for row in self.templates.yields])
        if not (information > 0).all():
            blind = self.templates.names[int(information.argmin())]
            raise ValueError(f"no analysis says anything of template '{blind}': its background may be anything there")
        return 1 / np.sqrt(information)

    def expected_gains(self, signal: Float64[np.ndarray, " m"]) -> Mapping[str, float]:
        """Of each analysis with a signal, how much 2 log L it would gain from it on average: its information."""
        return {self.graph.names[unit.analysis]: unit.information for unit in self._units(signal)}

    def _units(self, signal: np.ndarray) -> list[_Unit]:
        """What each analysis with a signal enters with."""
        quality = signal**2 / (self.table.expected + self.table.error**2 + 1e-300)
        found = []
        for number in np.flatnonzero(np.bincount(self._analysis, weights=signal > 0) > 0).tolist():
            rows, joint = self._rows[number], self._joint[number]
            alone = rows if joint is None else self._alone[number]
            best = int(alone[quality[alone].argmax()]) if len(alone) else -1
            of_best = float(quality[best]) if best >= 0 else 0.0
            order = rows[np.argsort(-quality[rows], kind="stable")]
            order = order[signal[order] > 0]
            if joint is not None:
                regions, block = joint
                information = float(signal[block] @ regions.information @ signal[block])
                if information <= _UNSEEN * quality[block].sum() and not len(alone):
                    continue  # backgrounds that nothing else measures may be anything
                if information >= of_best and information > 0:
                    others = order[~np.isin(order, block)]
                    found.append(_Unit(number, -1, regions, block, information, order, others))
                    continue
            others = order[order != best]
            found.append(_Unit(number, best, None, np.empty(0, dtype=np.int64), of_best, order, others))
        return found

    def _allowed(self, units: list[_Unit]) -> np.ndarray:
        at = [unit.analysis for unit in units]
        return self.graph.allowed[np.ix_(at, at)]

    def _limits(self, units: list[_Unit], signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The largest mu that each analysis allows if it is outside of the combination, and if it is inside."""
        if self.limits is None:
            return np.full(len(units), np.inf), np.full(len(units), np.inf)
        outside = np.array([unit.order[0] for unit in units])
        inside = np.array([unit.others[0] if len(unit.others) else -1 for unit in units])
        there = inside >= 0
        limits = np.full(len(units), np.inf)
        rows = inside[there]
        limits[there] = self.limits.of(rows, self.table.observed[rows]) / signal[rows]
        alone = self.limits.of(outside, self.table.observed[outside]) / signal[outside]
        for i, unit in enumerate(units):
            full = self.likelihoods.get(self.graph.names[unit.analysis])
            if full is not None:
                alone[i], limits[i] = full.upper_limit(signal[unit.block]), np.inf
        return alone, limits

    def _grid(self, units: list[_Unit], signal: np.ndarray) -> np.ndarray:
        """Values of mu up to the largest that a single analysis would like."""
        n, b = self.table.observed, self.table.expected
        top = []
        for unit in units:
            if unit.regions is None:
                top.append((n[unit.row] - b[unit.row]) / signal[unit.row])
            else:
                top.append(2 * max(unit.estimate(signal), 0.0) + 2 / np.sqrt(unit.information))
        highest = max(top)
        if highest <= 0:
            return np.zeros(1)
        lowest = min(0.1 / np.sqrt(sum(unit.information for unit in units)), highest / 2)
        points = int(np.clip(np.log(highest / lowest) / np.log(_RATIO), 8, _MOST_POINTS))
        return np.concatenate([[0.0], np.geomspace(lowest, highest, points)])

    def _gains(self, units: list[_Unit], signal: np.ndarray, grid: np.ndarray) -> np.ndarray:
        """2 log [L_a(mu) / L_a(0)] of each unit at each mu, shape (units, grid)."""
        found = np.empty((len(units), len(grid)))
        single = [i for i, unit in enumerate(units) if unit.regions is None]
        if single:
            rows = np.array([units[i].row for i in single])
            n, b, error = (v[rows, None] for v in (self.table.observed, self.table.expected, self.table.error))
            at = np.concatenate([[0.0], grid])
            values = log_likelihood(n, b, error, signal[rows, None] * at)
            found[single] = 2 * (values[:, 1:] - values[:, :1])
        for i, unit in enumerate(units):
            if unit.regions is not None:
                values = unit.regions.along(signal[unit.block], np.concatenate([[0.0], grid]))
                found[i] = 2 * (values[1:] - values[0])
        return found

    def _refined(
        self, units: list[_Unit], signal: np.ndarray, grid: np.ndarray, at: int, chosen: np.ndarray, limit: float
    ) -> tuple[float, np.ndarray]:
        """mu^ of one combination, whose likelihood is concave in mu, and the gains there."""
        own = [units[i] for i in chosen]
        if len(grid) == 1:
            return 0.0, np.zeros(len(own))
        low, high = grid[max(at - 1, 0)], min(grid[min(at + 1, len(grid) - 1)], limit)
        mu, gains = 0.0, np.zeros(len(own))
        for _ in range(_ROUNDS):
            points = np.linspace(low, high, _POINTS)
            values = self._gains(own, signal, points)
            total = values.sum(axis=0)
            best = int(total.argmax())
            if total[best] >= gains.sum():
                mu, gains = float(points[best]), values[:, best]
            low, high = points[max(best - 1, 0)], points[min(best + 1, _POINTS - 1)]
        # Between its neighbours it is a parabola by now.
        if 0 < best < _POINTS - 1:
            down, up = total[best] - total[best - 1], total[best] - total[best + 1]
            if down + up > 0:
                vertex = points[best] + (points[1] - points[0]) * (down - up) / (2 * (down + up))
                values = self._gains(own, signal, np.array([vertex]))[:, 0]
                if values.sum() >= gains.sum():
                    mu, gains = float(vertex), values
        return mu, gains

    @cached_property
    def _rows(self) -> list[np.ndarray]:
        return [self.table.rows[name] for name in self.graph.names]

    @cached_property
    def _analysis(self) -> np.ndarray:
        found = np.empty(len(self.table), dtype=np.int64)
        for number, rows in enumerate(self._rows):
            found[rows] = number
        return found

    @cached_property
    def _joint(self) -> list[tuple[TogetherRegions, np.ndarray] | None]:
        """Of each analysis with a covariance or a full likelihood its likelihood, and its rows."""
        found: list[tuple[TogetherRegions, np.ndarray] | None] = []
        for name in self.graph.names:
            covariance = self.table.covariances.get(name)
            if name in self.likelihoods:
                found.append((self.likelihoods[name], self.table.rows[name]))
            elif covariance is not None:
                regions = JointRegions.of(self.table.observed, self.table.expected, covariance)
                found.append((regions, covariance.rows))
            else:
                found.append(None)
        return found

    @cached_property
    def _alone(self) -> list[np.ndarray]:
        """Of each analysis the rows that are in no covariance."""
        return [
            rows if joint is None else rows[~np.isin(rows, joint[1])]
            for rows, joint in zip(self._rows, self._joint, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class _Unit:
    """What an analysis enters with: one region, or several together.

    Arguments:
        analysis: its number in the graph.
        row: of the one region; -1 for several.
        regions, block: the likelihood of several, and their rows.
        information: on mu, as expected.
        order: its regions with a signal, the most sensitive first.
        others: those of them that it does not enter with.
    """

    analysis: int
    row: int
    regions: TogetherRegions | None
    block: np.ndarray
    information: float
    order: np.ndarray
    others: np.ndarray

    def estimate(self, signal: np.ndarray) -> float:
        """The mu that a normal likelihood of several regions would have."""
        assert self.regions is not None, "asked of several regions only"
        return float(signal[self.block] @ self.regions.slope) / self.information


def _best_sets(
    parts: tuple[Part, ...], gains: np.ndarray, grid: np.ndarray, outside: np.ndarray, inside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The largest sum of gains at each mu, -inf where the limits allow no set, and which set of each part has it."""
    total, sets = np.zeros(len(grid)), []
    for part in parts:
        limit = np.where(part.members, inside[part.nodes], outside[part.nodes]).min(axis=1)
        value = np.where(grid <= limit[:, None], part.members @ gains[part.nodes], -np.inf)
        best = value.argmax(axis=0)
        sets.append(best)
        total += value[best, np.arange(len(grid))]
    return total, np.array(sets)


def _limit_of(chosen: np.ndarray, outside: np.ndarray, inside: np.ndarray) -> tuple[float, int]:
    limits = outside.copy()
    limits[chosen] = inside[chosen]
    least = int(limits.argmin())
    return (float(limits[least]), least) if np.isfinite(limits[least]) else (np.inf, -1)
