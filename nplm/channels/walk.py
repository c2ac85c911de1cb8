"""Walks over sets of templates and their strengths, towards a large K."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nplm.channels.score import Score, Scorer

# A strength that is added is of about two standard deviations, give or take a factor; later ones change by less.
_ADDED, _SPREAD, _SCALED = 2.0, 0.7, 0.4


@dataclass(frozen=True)
class WalkSettings:
    """How a walk goes.

    Arguments:
        walkers: independent walks.
        steps: of each.
        most: templates that may stand together.
    """

    walkers: int = 10
    steps: int = 60
    most: int = 5

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"{name} must be 1 or more, not {value}")


@dataclass(frozen=True, eq=False)
class Found:
    """The best set that a walk has met.

    Arguments:
        score: of it.
        strengths: of all templates, with mu^ in them, shape (k,); zero for those that are not there.
    """

    score: Score
    strengths: Float64[np.ndarray, " k"]


def walk(scorer: Scorer, settings: WalkSettings, seed: tuple[int, ...]) -> Found:
    """One walk: templates are added, removed, scaled; a step that lowers K by d is taken with probability exp(-d / 2).

    It begins with one template; half of those that are added are drawn alike, and half by exp(K / 2) of each of them
    alone. Whatever the other strengths are, mu^ scales all together, and the walk goes on from there. At its end the
    strengths of the best set are improved one by one.

    Arguments:
        scorer: gives K.
        settings: how many steps, and how many templates at most.
        seed: of the random numbers; walks of other seeds are independent.
    """
    rng = np.random.default_rng(seed)
    many = len(scorer.templates.names)
    unit = scorer.unit_strengths
    strengths = np.zeros(many)
    odds = np.exp((scorer.alone - scorer.alone.max()) / 2)
    odds = odds / (2 * odds.sum()) + 0.5 / many
    first = int(rng.choice(many, p=odds))
    strengths[first] = _ADDED * unit[first]
    here = best = _scored(scorer, strengths)
    for _ in range(settings.steps):
        trial = _proposed(rng, here.strengths, unit, odds, min(settings.most, many))
        new = _scored(scorer, trial)
        if new.score.k >= here.score.k or rng.random() < np.exp((new.score.k - here.score.k) / 2):
            here = new
        if new.score.k > best.score.k:
            best = new
    return _polished(scorer, best)


def best_walk(scorer: Scorer, settings: WalkSettings, seed: tuple[int, ...]) -> Found:
    """The best of all walkers; walker w has the seed (*seed, w)."""
    return max((walk(scorer, settings, (*seed, w)) for w in range(settings.walkers)), key=lambda found: found.score.k)


def _scored(scorer: Scorer, strengths: np.ndarray) -> Found:
    score = scorer.score(strengths)
    return Found(score, strengths * score.mu if score.mu > 0 else strengths)


def _proposed(
    rng: np.random.Generator, strengths: np.ndarray, unit: np.ndarray, odds: np.ndarray, most: int
) -> np.ndarray:
    there, absent = np.flatnonzero(strengths > 0), np.flatnonzero(strengths == 0)
    possible = {
        "add": len(absent) > 0 and len(there) < most,
        "remove": len(there) > 1,
        "swap": len(absent) > 0,
        "scale": len(there) > 1 or len(absent) == 0,
    }
    moves = [move for move, can in possible.items() if can]
    move = moves[int(rng.integers(len(moves)))]
    new = strengths.copy()
    if move in ("remove", "swap"):
        new[rng.choice(there)] = 0.0
    if move in ("add", "swap"):
        added = int(rng.choice(absent, p=odds[absent] / odds[absent].sum()))
        new[added] = unit[added] * _ADDED * np.exp(_SPREAD * rng.standard_normal())
    if move == "scale":
        new[rng.choice(there)] *= np.exp(_SCALED * rng.standard_normal())
    return new


def _polished(scorer: Scorer, found: Found) -> Found:
    """Each strength in turn is made larger and smaller as long as K grows; the others follow by mu^."""
    for size in (0.5, 0.2, 0.07):
        for template in np.flatnonzero(found.strengths > 0).tolist():
            if (found.strengths > 0).sum() < 2:
                return found
            for sign in (1.0, -1.0):
                while True:
                    trial = found.strengths.copy()
                    trial[template] *= np.exp(sign * size)
                    new = _scored(scorer, trial)
                    if new.score.k <= found.score.k + 1e-6:
                        break
                    found = new
    return found
