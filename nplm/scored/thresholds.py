"""Where an anomaly score is cut: at weighted quantiles of the reference."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float64

# Effective events of the reference that are kept at least, for modes that are not of a handful of them.
FEWEST = 20
# Share of what is kept that may lie at the threshold itself.
_TIED = 0.1


def require_shares(keep: Sequence[float]) -> tuple[float, ...]:
    """The shares of the reference that are kept, from the largest to the smallest.

    Raises:
        ValueError: if one is not above 0 and at most 1, or they do not decrease.
    """
    found = tuple(float(share) for share in keep)
    if not found:
        raise ValueError("there is no share of the reference to keep: give one or more, such as 1, 0.1 and 0.01")
    for share in found:
        if not 0 < share <= 1:
            raise ValueError(f"the share of the reference to keep must be above 0 and at most 1, not {share:g}")
    for larger, smaller in pairwise(found):
        if smaller >= larger:
            raise ValueError(
                f"the shares of the reference to keep must decrease, but {smaller:g} comes after {larger:g}: give each"
                " once, from the largest to the smallest"
            )
    return found


def threshold(score: Float64[np.ndarray, " n"], weights: Float64[np.ndarray, " n"], share: float, name: str) -> float:
    """The q at which the events of score s >= q reach a share of the total weight; those with s > q are kept.

    The event at q itself is left out. Given q, the others of the reference above it are then independent draws, as
    the data above it are: with k events of the reference above, of r times as many data events, and no difference,
    P(J >= j) for the J data events above is P(Bin(j + k, r / (1 + r)) >= j), as if q had been fixed beforehand.

    Arguments:
        score, weights: of the reference.
        share: of the weight that is to be kept; 1 keeps everything, at q = -inf.
        name: of the reference.

    Raises:
        ValueError: if the score is constant, many events have the score q, or few are kept.
    """
    if share == 1:
        return -np.inf
    if np.ptp(score) == 0:
        raise ValueError(
            f"the score has one value, {score[0]:g}, at all events of {name}: give one that tells rare events from"
            " others"
        )
    order = np.argsort(-score, kind="stable")
    reached = np.cumsum(weights[order]) >= share * weights.sum() * (1 - 1e-12)
    q = float(score[order[np.argmax(reached)]])
    at, above = score == q, score > q
    tied = float(weights[at].sum() / (share * weights.sum()))
    if np.count_nonzero(at) > 1 and tied > _TIED:
        raise ValueError(
            f"{np.count_nonzero(at):,} events of {name} have the score {q:g} at which {100 * share:g}% would be kept:"
            " give a score without so many ties, or keep another share"
        )
    if (effective := _effective(weights[above])) < FEWEST:
        enough = 100 * (FEWEST + 2) / _effective(weights)
        raise ValueError(
            f"{100 * share:g}% of {name} are {effective:.3g} effective events, too few to compare with: keep"
            f" {enough:.2g}% or more, or give a larger reference"
        )
    return q


def _effective(weights: Float64[np.ndarray, " n"]) -> float:
    """Kish's effective number of events; 0 for a yield that is not positive."""
    total = float(weights.sum())
    return total**2 / float(weights @ weights) if total > 0 else 0.0


def words_of(share: float) -> str:
    """A share in words: the rarest 1% by the score."""
    return f"the rarest {100 * share:g}% by the score"
