"""How log-ratios are learned: settings, the split into training and held-out events, and points of variations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Float64, Int64

from nplm._util.seed_range import require_seed
from nplm.data.sample import Sample
from nplm.learning.learned_ratio import Yields
from nplm.learning.loss import Form
from nplm.nuisance.ratios.quadratic_fit import Term
from nplm.nuisance.values import distinct_names, nu_of

Nu = Mapping[str, float]
T = TypeVar("T")

# Fewer training events than this cannot determine a network.
_FEWEST_EVENTS = 500


@dataclass(frozen=True)
class RatioSettings:
    """How log-ratios are learned.

    Arguments:
        hidden: neurons of each hidden layer of each network.
        members: networks of the ensemble, each trained on events that a bootstrap draws; 1 for all events once, without
            an error.
        loss: of the classifier c = 1 / (1 + r), from samples: "squared" (arXiv:2111.13633) or "cross-entropy".
        form: "exponential", log r = nu d1 + nu^2 d2 / 2; or "positive", r = (1 + nu a)^2 + (nu b)^2
            (arXiv:2007.10356), from samples only.
        held_out: share of the events that are kept for the validation.
        iterations: at most so many steps are tried in each fit.
        tolerance: a fit has converged if twice the log-likelihood that the next step promises is below it, or twice
            that which held-out events gained in the last ten steps.
        seed: of the split, the bootstrap and the starts.

    Raises:
        ValueError: for a value out of range.
    """

    hidden: tuple[int, ...] = (10,)
    members: int = 5
    loss: Literal["squared", "cross-entropy"] = "squared"
    form: Form = "exponential"
    held_out: float = 0.2
    iterations: int = 150
    tolerance: float = 1.0
    seed: int = 1

    def __post_init__(self) -> None:
        require_seed(self.seed)
        if not self.hidden or any(neurons < 1 for neurons in self.hidden):
            raise ValueError(f"hidden must hold one neuron or more for each layer, not {self.hidden}")
        if self.members < 1 or self.iterations < 1:
            raise ValueError(f"members and iterations must be 1 or more, not {self.members} and {self.iterations}")
        if self.loss not in ("squared", "cross-entropy"):
            raise ValueError(f"the loss must be 'squared' or 'cross-entropy', not '{self.loss}'")
        if self.form not in ("exponential", "positive"):
            raise ValueError(f"the form must be 'exponential' or 'positive', not '{self.form}'")
        if not 0 < self.held_out < 1:
            raise ValueError(f"held_out must be a share between 0 and 1, not {self.held_out:g}")
        if not self.tolerance > 0:
            raise ValueError(f"the tolerance must be positive, not {self.tolerance:g}")

    def generator(self, *purpose: int) -> np.random.Generator:
        """Random numbers for one purpose."""
        return np.random.default_rng((self.seed, *purpose))

    def split(self, sample: Sample, number: int) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " m"]]:
        """Rows for training and rows that are held out, of the sample of that number (0 is the central one).

        Raises:
            ValueError: if there are too few events.
        """
        order = self.generator(0, number).permutation(len(sample))
        held = round(self.held_out * len(sample))
        if len(sample) - held < _FEWEST_EVENTS or held < 100:
            raise ValueError(
                f"{sample.name} has {len(sample)} events, of which {held} are held out for the validation: too few to"
                f" learn a log-ratio; {_FEWEST_EVENTS} and 100 are the least"
            )
        return np.sort(order[held:]), np.sort(order[:held])

    def times(self, member: int, number: int, rows: int) -> Float64[np.ndarray, " n"]:
        """How often a member sees each training event of the sample of that number."""
        if self.members == 1:
            return np.ones(rows)
        return self.generator(1, member, number).poisson(1.0, rows).astype(np.float64)


def held_out(
    central: Sample, varied: Sequence[tuple[Nu, Sample]], settings: RatioSettings, *, paired: bool = False
) -> tuple[Sample, list[tuple[Nu, Sample]]]:
    """The events that learning with these settings keeps out, scaled to the yields of all.

    Arguments:
        central, varied: as they were given to the learner.
        settings: likewise.
        paired: whether the varied samples are the central events with other weights.
    """
    if paired:
        # One factor for all: the same events fluctuate together.
        _, rows = settings.split(central, 0)
        factor = central.total_weight / central.weights[rows].sum()
        return _part(central, rows, factor), [(nu, _part(sample, rows, factor)) for nu, sample in varied]
    kept = []
    for number, sample in enumerate((central, *(sample for _, sample in varied))):
        _, rows = settings.split(sample, number)
        kept.append(_part(sample, rows, sample.total_weight / sample.weights[rows].sum()))
    return kept[0], [(nu, sample) for (nu, _), sample in zip(varied, kept[1:], strict=True)]


def _part(sample: Sample, rows: Int64[np.ndarray, " m"], factor: float) -> Sample:
    part = sample.select(rows)
    return replace(part, weights=part.weights * factor)


@dataclass(frozen=True, eq=False)
class Group:
    """The points that move one nuisance alone, or one pair together.

    Arguments:
        moved: indices of the nuisances: one or two.
        nu: their values, shape (m, 1 or 2).
        numbers: places of the points in the list that was given, from 1.
    """

    moved: tuple[int, ...]
    nu: Float64[np.ndarray, "m k"]
    numbers: tuple[int, ...]

    @property
    def terms(self) -> tuple[Term, ...]:
        """nu_i and, if it takes two values or more, nu_i^2 / 2; or nu_i nu_j."""
        if len(self.moved) == 2:
            return ((self.moved[0], self.moved[1]),)
        i = self.moved[0]
        return ((i, -1), (i, i)) if len(np.unique(self.nu)) > 1 else ((i, -1),)


def groups_of(varied: Sequence[tuple[Nu, T]]) -> tuple[tuple[str, ...], list[Group]]:
    """Names of the nuisances in order of appearance; and the points of each nuisance, then those of each pair.

    Raises:
        ValueError: if a point moves none or more than two, or a nuisance has no point of its own.
    """
    if not varied:
        raise ValueError("there is no variation to learn from: give samples or weights at two or more values of nu")
    names = distinct_names(dict.fromkeys(name for nu, _ in varied for name in nu))
    points = np.stack([nu_of(names, nu) for nu, _ in varied])
    if not np.isfinite(points).all():
        raise ValueError(f"nu of a variation must be finite numbers, not {[dict(nu) for nu, _ in varied]}")
    found: dict[tuple[int, ...], list[int]] = {}
    for number, point in enumerate(points):
        moved = tuple(int(i) for i in np.flatnonzero(point))
        if not 1 <= len(moved) <= 2:
            raise ValueError(
                f"a variation must move one nuisance or two, not {len(moved)} (nu = {dict(varied[number][0])}): the"
                " sample at nu = 0 is given apart, and cross terms are learned pair by pair"
            )
        found.setdefault(moved, []).append(number)
    for i, name in enumerate(names):
        if (i,) not in found:
            raise ValueError(f"nuisance '{name}' is varied together with another one only: vary it alone as well")
    order = sorted(found, key=lambda moved: (len(moved), moved))
    groups = [Group(m, points[np.ix_(found[m], m)], tuple(n + 1 for n in found[m])) for m in order]
    return names, groups


def inputs_of(
    names: tuple[str, ...], features: tuple[str, ...], inputs: Mapping[str, Sequence[str]] | None
) -> dict[str, tuple[str, ...]]:
    """The features that the networks of each nuisance see; default: all.

    Raises:
        ValueError: for an unknown nuisance or feature, or none.
    """
    given = {} if inputs is None else {name: tuple(values) for name, values in inputs.items()}
    if unknown := sorted(set(given) - set(names)):
        raise ValueError(f"inputs name {', '.join(unknown)}, but the nuisances are {', '.join(names)}")
    for name, values in given.items():
        if not values or any(value not in features for value in values) or len(set(values)) < len(values):
            raise ValueError(
                f"inputs of '{name}' must be distinct features of {', '.join(features)}, not {list(values)}"
            )
    return {name: given.get(name, features) for name in names}


def effects_of(names: tuple[str, ...], yields: Yields, effects: Mapping[str, float] | None) -> dict[str, float]:
    """Yield effects of nuisances.

    Raises:
        ValueError: for an unknown option or nuisance, a value that is not finite, or effects beside those that r keeps.
    """
    if yields not in ("keep", "factor-out"):
        raise ValueError(f"yields must be 'keep' or 'factor-out', not '{yields}'")
    given = dict(effects or {})
    if given and yields == "keep":
        raise ValueError("yield_effect is for yields='factor-out': with 'keep' the samples' own yields are in r")
    if unknown := sorted(set(given) - set(names)):
        raise ValueError(f"yield_effect names {', '.join(unknown)}, but the nuisances are {', '.join(names)}")
    if not all(np.isfinite(value) for value in given.values()):
        raise ValueError(f"yield_effect must hold finite numbers, not {given}")
    return given
