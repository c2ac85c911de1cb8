"""What a score was trained on must not be what it is compared with: rows in common, and a score that knows its rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from nplm.data.sample import Sample

# Deviations of the share of training events that a threshold keeps, beyond which it is told.
TOLD = 2.0
UNKNOWN = (
    "what the score was trained on is not known: if events of the reference are among it, too few of them are kept, and"
    " p is too small; give those events as trained_on (--score-trained-on)"
)


def require_apart(reference: Sample, training: Sample) -> None:
    """Refuses a reference with events that the score was trained on.

    Rows that the reference itself repeats, as discrete features do, may be found elsewhere by chance: as many as it
    repeats, twice over, and in proportion to the events of training.

    Raises:
        ValueError: with how many they are.
    """
    rows = np.concatenate([reference.events, training.events])
    # Zeros of either sign are one number and not the same bytes.
    rows = np.ascontiguousarray(rows + 0.0)
    _, place = np.unique(rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))), return_inverse=True)
    place = place.ravel()
    own, others = place[: len(reference)], place[len(reference) :]
    shared = int(np.isin(own, others).sum())
    repeated = int((np.bincount(own)[own] > 1).sum())
    if shared > 2 * repeated * max(1.0, len(training) / len(reference)):
        raise ValueError(
            f"{shared:,} of the {len(reference):,} events of {reference.name} are among those that the score was"
            f" trained on ({training.name}): compare with events that it has not seen"
        )


def efficiency(
    score: Float64[np.ndarray, " m"],
    weights: Float64[np.ndarray, " m"],
    threshold: float,
    reference: tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]],
) -> tuple[float, float]:
    """The share of training events above a threshold, and by how many deviations it differs from the reference's.

    With the share e of both together, the variance of the difference is e (1 - e) (1 / n_T + 1 / n_R), the numbers of
    events being Kish's effective ones.

    Arguments:
        score, weights: of the training events.
        threshold: q.
        reference: score and weights of the reference.
    """
    kept, total, squares = [], [], []
    for s, w in ((score, weights), reference):
        kept.append(float(w[s > threshold].sum() / w.sum()))
        total.append(float(w.sum() ** 2 / (w @ w)))
        squares.append(1 / total[-1])
    together = float(np.clip(np.dot(kept, total) / sum(total), 0.0, 1.0))
    variance = together * (1 - together) * sum(squares)
    return kept[0], (kept[0] - kept[1]) / np.sqrt(variance) if variance > 0 else 0.0


def told(found: Sequence[tuple[float, float, float]]) -> list[str]:
    """A caution where training events are kept less, or more, than others are.

    Arguments:
        found: of each threshold the share of the reference, that of the training events, and the deviations.
    """
    worst = max(found, key=lambda each: abs(each[2]), default=None)
    if worst is None or abs(worst[2]) <= TOLD:
        return []
    share, trained, deviations = worst
    why = "it may know those events by heart" if deviations < 0 else "they may be others than the reference"
    return [
        f"the score keeps {100 * trained:.3g}% of the events that it was trained on where it keeps {100 * share:.3g}%"
        f" of the reference ({abs(deviations):.1f} sigma): {why}, and what it calls rare is then not what is rare"
    ]
