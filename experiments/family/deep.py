"""The joint normal distribution far out: its p-value beside normal draws of all scores, plain ones and tilted ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.optimize import brentq
from scipy.stats import norm

from experiments.experiment import Check
from experiments.family.kept import Kept, Row
from experiments.family.samples import correlated
from nplm.data.sample import Sample
from nplm.family.member import rows_of
from nplm.family.pvalue import FamilyNull
from nplm.family.settings import CLASSES, INTERVALS, ONE, PRODUCTS, TWO, FamilySettings
from nplm.family.statistic import Family, combined
from nplm.two_sample.pooled import Pool
from nplm.wording.markdown import markdown_table

PLAIN, TILTED = (2.0, 3.0), (3.0, 4.0, 5.0, 7.0)
_AT_A_TIME = 5000
# Dimension, correlation and classes of each family.
FAMILIES: dict[str, tuple[int, float, tuple[str, ...]]] = {
    "2-D, kernels and products": (2, 0.7, (ONE, TWO, PRODUCTS)),
    "2-D, the whole family": (2, 0.7, CLASSES),
    "5-D, kernels of one feature": (5, 0.9, (ONE,)),
    "5-D, products": (5, 0.9, (PRODUCTS,)),
}


@dataclass(frozen=True, eq=False)
class Scores:
    """All scores as y = rows z, with z standard normal, one for each event.

    Arguments:
        null: of the family.
    """

    null: FamilyNull

    @cached_property
    def rows(self) -> Float64[np.ndarray, "r n"]:
        """sqrt(s_e) phi(x_e): each of norm one, and those of a kernel orthogonal."""
        family = self.null.family
        columns = [part.phi_of(slice(None) if part.cell is None else part.cell) for part in family.parts]
        return np.ascontiguousarray((np.concatenate(columns, axis=1) * np.sqrt(family.spread.second)[:, None]).T)

    def t(self, z: Float64[np.ndarray, "l n"]) -> Float64[np.ndarray, "l k"]:
        """t of each member."""
        y = z @ self.rows.T
        return np.concatenate([y[:, inside] ** 2 @ part.filters for part, inside in rows_of(self.null.family.parts)], 1)

    def roots(self, z: Float64[np.ndarray, "l n"]) -> Float64[np.ndarray, " l"] | None:
        """Largest of all intervals: sums of their events, in units of their standard deviations."""
        largest = []
        for each in self.null.family.intervals:
            cells = np.zeros((each.cells, len(z)))
            np.add.at(cells, each.grid.on[each.grid.of_event], (z * np.sqrt(self.null.family.spread.second)).T)
            sums = cells.T @ each.weights.T / np.sqrt(each.weights**2 @ each.variance)
            largest.append(np.abs(sums).max(axis=1))
        return np.max(largest, axis=0) if largest else None


@dataclass(frozen=True)
class Drawn:
    """A p-value from draws, with its error."""

    p: float
    error: float


def deep(work: Path, config: dict[str, Any]) -> tuple[str, list[Check]]:
    """All families, at all depths."""
    kept = Kept(work / "deep.jsonl")
    settings = config["deep"]
    rows, checks = [], []
    for what, (dimension, rho, classes) in FAMILIES.items():

        def make(rng: np.random.Generator, d: int = dimension, r: float = rho, c: tuple[str, ...] = classes) -> Row:
            return _family(rng, d, r, c, settings)

        made = kept.row(what, 0, make)
        for way, z, p, error, asymptotic, asymptotic_error in made["found"]:
            ratio = asymptotic / p
            spread = ratio * float(np.hypot(asymptotic_error / asymptotic, error / p))
            rows.append(
                [
                    f"{what}: {made['members']} members, {made['scores']} scores",
                    f"{z:g}",
                    way,
                    f"{p:.3g} +- {error:.2g}",
                    f"{asymptotic:.3g} +- {asymptotic_error:.2g}",
                    f"{ratio:.3f} +- {spread:.3f}",
                ]
            )
            # With intervals, what they have in common with kernels is counted twice.
            most, words = (2.0, "1 to 2") if INTERVALS in classes else (1.0, "1")
            name = f"p of the joint distribution / of {way} draws, {what}, Z = {z:g}"
            checks.append(Check(name, ratio, spread, 1 - 3 * spread, most + 3 * spread, words))
    text = (
        f"**The joint normal distribution**, {settings['events']} events in all; p of the family's smallest p-value"
        f" from {settings['draws']:,} plain or {settings['tilted']:,} tilted draws of one normal number an event,"
        f" beside `FamilyNull.log_p`, the mean over {settings['seeds']} seeds.\n\n"
    )
    return text + markdown_table(
        ["family", "Z", "draws", "p from draws", "p of the distribution", "ratio"], rows
    ), checks


def _family(rng: np.random.Generator, d: int, rho: float, classes: tuple[str, ...], settings: dict[str, Any]) -> Row:
    a, b = (Sample(correlated(rng, settings["events"] // 2, d, rho)) for _ in range(2))
    family = Family.of(Pool.of(a, b), FamilySettings(classes=classes))
    null = FamilyNull(family, family.surprise(family.null(999, 1)), 1)
    scores = Scores(null)
    at = {z: _statistic(null, z) for z in sorted({*PLAIN, *TILTED})}
    asymptotic = {z: _of_asymptotic(null, t, settings["seeds"]) for z, t in at.items()}
    drawn = {("plain", z): p for z, p in _plain(scores, {z: at[z] for z in PLAIN}, settings["draws"], rng).items()}
    if not family.intervals:
        drawn |= {("tilted", z): _tilted(scores, at[z], settings["tilted"], rng) for z in TILTED}
    found = [[way, z, p.p, p.error, asymptotic[z].p, asymptotic[z].error] for (way, z), p in drawn.items()]
    return {"members": len(family.members), "scores": len(scores.rows), "found": found}


def _statistic(null: FamilyNull, z: float) -> float:
    """T whose p-value by the distribution is about that of z."""
    wanted = float(norm.logsf(z))
    return float(brentq(lambda t: replace(null).log_p(t) - wanted, 0.01, 120.0, xtol=1e-3))


def _of_asymptotic(null: FamilyNull, statistic: float, seeds: int) -> Drawn:
    p = np.exp([replace(null, seed=seed).log_p(statistic) for seed in range(100, 100 + seeds)])
    return Drawn(float(p.mean()), float(p.std(ddof=1) / np.sqrt(seeds)))


def _exceeds(scores: Scores, statistic: float, z: np.ndarray, t: np.ndarray) -> np.ndarray:
    null, family = scores.null, scores.null.family
    return combined(family.by_class(t, scores.roots(z)), null.log_tests) >= statistic


def _plain(scores: Scores, statistics: dict[float, float], draws: int, rng: np.random.Generator) -> dict[float, Drawn]:
    exceeding = dict.fromkeys(statistics, 0)
    for _ in range(draws // _AT_A_TIME):
        z = rng.standard_normal((_AT_A_TIME, scores.rows.shape[1]))
        t = scores.t(z)
        for depth, statistic in statistics.items():
            exceeding[depth] += int(_exceeds(scores, statistic, z, t).sum())
    return {z: Drawn(k / draws, float(np.sqrt(k)) / draws) for z, k in exceeding.items()}


def _tilted(scores: Scores, statistic: float, draws: int, rng: np.random.Generator) -> Drawn:
    """p = E[1 / sum_m a_m exp(theta_m t_m - kappa_m)] over draws from the mixture of all tilts, where T exceeds.

    The tilt exp(theta t_m) of a standard normal z widens its components along the modes of member m's part. The mixture
    has its exact density, so nothing here rests on which member exceeds, or on regression between parts.
    """
    null, family = scores.null, scores.null.family
    least = dict(zip(family.classes, -(statistic + null.log_tests), strict=True))
    where = [(inside, member) for part, inside in rows_of(family.parts) for member in part.members]
    thresholds = family.thresholds(np.array([least[member.kind] for _, member in where]))
    chance = np.exp(np.array([least[member.kind] for _, member in where]) + statistic)
    shares = chance / chance.sum()
    theta = np.array([_saddle(member.shrinkage, t) for (_, member), t in zip(where, thresholds, strict=True)])
    kappa = np.array([-0.5 * np.log1p(-2 * h * m.shrinkage).sum() for h, (_, m) in zip(theta, where, strict=True)])
    weights = []
    for _ in range(draws // _AT_A_TIME):
        z = rng.standard_normal((_AT_A_TIME, scores.rows.shape[1]))
        chosen = rng.choice(len(where), _AT_A_TIME, p=shares)
        for m in np.unique(chosen):
            inside, member = where[m]
            modes, rows = scores.rows[inside], np.flatnonzero(chosen == m)
            wider = 1 / np.sqrt(1 - 2 * theta[m] * member.shrinkage) - 1
            z[rows] += (z[rows] @ modes.T * wider) @ modes
        t = scores.t(z)
        density = np.exp(theta * t - kappa) @ shares
        weights.append(np.where(_exceeds(scores, statistic, z, t), 1 / density, 0.0))
    w = np.concatenate(weights)
    return Drawn(float(w.mean()), float(w.std() / np.sqrt(len(w))))


def _saddle(c: Float64[np.ndarray, " r"], t: float) -> float:
    """The theta under which sum c z^2 has the mean t."""
    end = (1 - 1e-9) / (2 * c.max())
    return float(brentq(lambda h: float((c / (1 - 2 * h * c)).sum()) - t, 0.0, end)) if t > c.sum() else 0.0
