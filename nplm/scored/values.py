"""An anomaly score at the events of a sample: a column of it, or a function of its features."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from nplm.data.sample import Sample

# The score of each event, larger for rarer ones, from the features of all; or the name of the column that holds it.
Score: TypeAlias = Callable[[Float64[np.ndarray, "n d"]], ArrayLike] | str


def scored(sample: Sample, score: Score) -> tuple[Sample, Float64[np.ndarray, " n"]]:
    """The features that are tested, and the score of each event.

    A column that is the score is no feature: its distribution is what the events are chosen by.

    Raises:
        ValueError: if there is no such column, or no other; if a function gives no number for each event, or one that
            is not finite.
    """
    if isinstance(score, str):
        if score not in sample.features:
            raise ValueError(
                f"{sample.name} has no column '{score}' for the score: its columns are {', '.join(sample.features)}"
            )
        others = [name for name in sample.features if name != score]
        if not others:
            raise ValueError(f"{sample.name} has no features beside the score '{score}': give the columns to compare")
        return sample[others], sample[score]
    if not len(sample):
        return sample, np.empty(0)
    # A copy, as a function may write into what it is given.
    values = np.asarray(score(sample.events.copy()), dtype=np.float64)
    if values.shape == (len(sample), 1):
        values = values[:, 0]
    if values.shape != (len(sample),):
        raise ValueError(
            f"the score must give one number for each of the {len(sample):,} events of {sample.name}, not an array of"
            f" shape {values.shape}"
        )
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise ValueError(
            f"the score is not finite at {len(wrong):,} events of {sample.name}, first in row {wrong[0]}: give one that"
            " is a number everywhere"
        )
    return sample, values


def name_of(score: Score) -> str:
    """What a score is called in results: its column, or the function that it is."""
    return score if isinstance(score, str) else str(getattr(score, "__name__", type(score).__name__))
