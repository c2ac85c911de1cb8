"""What can be wrong with a window before any test: too few events, dead channels, values that are no numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nplm._util.numbers import require_squares
from nplm.data.sample import Sample
from nplm.monitor.batch import Batch

# A feature of one value is dead, unless so many events of the reference would have that value this often by chance.
_CHANCE = 1e-6


@dataclass(frozen=True, eq=False)
class Examined:
    """A window, and what is wrong with it.

    Arguments:
        sample: its good events; None if their shape cannot be tested.
        problems: what is wrong, in words.
        not_finite: number of events that hold values that are not finite.
        weights_usable: whether the weights have squares, without which no rate can be tested either.
    """

    sample: Sample | None
    problems: tuple[str, ...]
    not_finite: int
    weights_usable: bool = True


def examine(window: Batch, reference: Sample, least: int) -> Examined:
    """Leaves events out that hold NaN or infinite values, and says whether the others can be tested.

    A feature with the same value in all events is taken as dead if that would happen less than once in a million
    windows drawn from the reference.

    Arguments:
        window: the events.
        reference: what they will be compared with.
        least: number of good events that a test needs.
    """
    finite = np.isfinite(window.events)
    good = finite.all(axis=1) & np.isfinite(window.weights)
    lost = int(len(window) - good.sum())
    dead = [
        f"feature '{name}' is not a number in any event"
        for name, column in zip(reference.features, finite.T, strict=True)
        if len(window) and not column.any()
    ]
    try:
        require_squares(window.weights[np.isfinite(window.weights)], window.source)
    except ValueError as error:
        return Examined(None, (*dead, str(error)), lost, weights_usable=False)
    if dead:
        return Examined(None, tuple(dead), lost)
    problems = [_lost(window, reference, finite, lost)] if lost else []
    events, weights = window.events[good], window.weights[good]
    if len(events) < least:
        problems.append(f"too few events: {len(events)} of at least {least}")
        return Examined(None, tuple(problems), lost)
    constant = [
        f"feature '{name}' is constant ({values[0]:g})"
        for j, (name, values) in enumerate(zip(reference.features, events.T, strict=True))
        if (values == values[0]).all() and _by_chance(reference, j, values[0], len(values)) < _CHANCE
    ]
    if not weights.sum() > 0:
        constant.append(f"the weights add up to {weights.sum():g}, but a yield must be positive")
    if constant:
        return Examined(None, (*problems, *constant), lost)
    return Examined(Sample(events, weights, reference.features, window.source), tuple(problems), lost)


def _lost(window: Batch, reference: Sample, finite: np.ndarray, lost: int) -> str:
    counts = [
        f"'{name}' in {int((~column).sum())}"
        for name, column in zip(reference.features, finite.T, strict=True)
        if not column.all()
    ]
    weights = int((~np.isfinite(window.weights)).sum())
    counts += [f"the weight in {weights}"] if weights else []
    return f"{lost} of {len(window)} events are not finite ({', '.join(counts)}) and were left out"


def _by_chance(reference: Sample, feature: int, value: float, count: int) -> float:
    """The probability that all of so many events of the reference have this value."""
    share = float((reference.events[:, feature] == value).mean())
    return share**count
