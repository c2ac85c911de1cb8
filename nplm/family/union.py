"""The probability that any of many correlated tests exceeds its own threshold, however small it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from scipy.linalg import cho_factor, cho_solve
from scipy.special import logsumexp

from nplm.family.intervals import Intervals
from nplm.family.member import Part, rows_of
from nplm.stats.saddle import saddle
from nplm.stats.weighted_chi2 import WeightedChi2Null

# Draws of the joint distribution of all scores, and events whose modes give its covariance at most.
DRAWS, _EVENTS = 2000, 4096
# A share of the diagonal that keeps a covariance of many overlapping modes positive.
_RIDGE = 1e-9


class JointNormal:
    """The normal distribution of the scores of all parts, and the chance that a member of them exceeds.

    Within a part of kernels the scores are independent with variance one; those of products, and of different parts,
    have the covariance sum_e s phi phi'^T, from a sample of the events. The scores of the cells that intervals are made
    of are drawn with them.

    Arguments:
        parts: of the family.
        intervals: of the family.
        second: s of each event, shape (n,).
        seed: of events and draws.
    """

    def __init__(
        self, parts: Sequence[Part], intervals: Sequence[Intervals], second: Float64[np.ndarray, " n"], seed: int
    ) -> None:
        rng = np.random.default_rng([seed, 0x756E696F6E])
        self._parts, self._intervals = tuple(parts), tuple(intervals)
        n = len(second)
        rows, weights = np.arange(n), second
        if n > _EVENTS:
            chance = _chance(parts, second)
            rows = rng.choice(n, _EVENTS, p=chance)
            weights = second[rows] / (_EVENTS * chance[rows])
        columns = [part.phi_in_pool(rows) for part in parts]
        columns += [each.cell_modes(rows) for each in intervals]
        phi = np.concatenate(columns, axis=1) * np.sqrt(weights)[:, None]
        # Single precision is enough where the number of draws tells p to a few percent, and takes half of the time.
        single = phi.astype(np.float32)
        self._covariance = (single.T @ single).astype(np.float64)
        for number, inside in enumerate(self._slices):
            known = number >= len(parts) or parts[number].members[0].scale is not None
            # That within a part is inverted. It is known exactly but of products, where events were sampled.
            own = np.eye(inside.stop - inside.start) if known else phi[:, inside].T @ phi[:, inside]
            self._covariance[inside, inside] = own
        # Draws from the sampled events, whose covariance is positive whatever is set in it.
        noise = (rng.standard_normal((DRAWS, len(phi)), dtype=np.float32) @ single).astype(np.float64)
        self._draws = noise / np.sqrt(np.maximum((phi**2).sum(axis=0), 1e-300))
        self._seed = seed

    @property
    def _slices(self) -> list[slice]:
        """The columns of each part, and of the cells of each feature that has intervals."""
        found = [inside for _, inside in rows_of(self._parts)]
        start = found[-1].stop
        for each in self._intervals:
            found.append(slice(start, start + each.cells))
            start += each.cells
        return found

    def log_union(self, thresholds: Float64[np.ndarray, " k"], root: float) -> tuple[float, float]:
        """log P(t_m >= threshold_m for any member m), the members in the order of the parts.

        The second number is the share of it in which an interval exceeds the root too.

        P = sum_m P(A_m) E[1 / S given A_m] with S the number of members that exceed (A. B. Owen, Y. Maximov and M.
        Chertkov, Electron. J. Stat. 13 (2019) 231). Given A_m the scores in t_m come from a tilted normal distribution
        with the weight that makes up for it, and all others follow by regression on them (G. Matheron).
        """
        where = [(part, inside, member) for part, inside in rows_of(self._parts) for member in part.members]
        nulls = [WeightedChi2Null(member.shrinkage) for _, _, member in where]
        log_p = np.array([null.log_pvalue(t) for null, t in zip(nulls, thresholds.tolist(), strict=True)])
        total = float(logsumexp(log_p))
        # The same numbers for all thresholds: p is a smooth function of them, whatever was asked before.
        rng = np.random.default_rng([self._seed, 0x6F776E])
        chosen = rng.choice(len(where), DRAWS, p=np.exp(log_p - total))
        log_weight = np.zeros(DRAWS)
        scores = self._draws.copy()
        for m in np.unique(chosen):
            _, inside, member = where[m]
            rows = np.flatnonzero(chosen == m)
            used = np.flatnonzero(member.shrinkage)
            c, columns = member.shrinkage[used], inside.start + used
            tilted, log_weight[rows] = self._exceeding(rng, c, float(thresholds[m]), log_p[m], len(rows))
            covariance = self._covariance[np.ix_(columns, columns)]
            factor = cho_factor(covariance + _RIDGE * np.eye(len(covariance)))
            at = np.ix_(rows, columns)
            scores[rows] += cho_solve(factor, (tilted - scores[at]).T).T @ self._covariance[columns]
            scores[at] = tilted
        number = np.zeros(DRAWS)
        start = 0
        for part, inside in rows_of(self._parts):
            t = scores[:, inside] ** 2 @ part.filters
            own = thresholds[start : start + len(part.members)]
            number += (t >= own * (1 - 1e-12)).sum(axis=1)
            start += len(part.members)
        inverse = np.where(log_weight > -np.inf, np.exp(log_weight) / np.maximum(number, 1), 0.0)
        both = np.zeros(DRAWS, dtype=bool)
        for each, inside in zip(self._intervals, self._slices[len(self._parts) :], strict=True):
            both |= each.largest_normal(scores[:, inside]) >= root
        return float(total + np.log(inverse.mean())), float(inverse[both].sum() / inverse.sum())

    def _exceeding(
        self, rng: np.random.Generator, c: Float64[np.ndarray, " r"], threshold: float, log_p: float, count: int
    ) -> tuple[Float64[np.ndarray, "count r"], Float64[np.ndarray, " count"]]:
        """Scores drawn where t = sum c y^2 is about the threshold, with log(density given t >= threshold / drawn)."""
        theta = saddle(c, threshold)
        variance = 1 / (1 - 2 * theta * c)
        y = rng.standard_normal((count, len(c))) * np.sqrt(variance)
        t = y**2 @ c
        log_ratio = -theta * t + 0.5 * np.log(variance).sum() - log_p
        return y, np.where(t >= threshold, log_ratio, -np.inf)


def _chance(parts: Sequence[Part], second: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """With which probability an event is sampled: in all, and in each subset, they are as many."""
    chance = second / second.sum()
    for inside in {id(part.inside): part.inside for part in parts}.values():
        if inside is not None:
            chance[inside] += second[inside] / second[inside].sum()
    return np.asarray(chance / chance.sum())
