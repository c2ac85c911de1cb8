"""Labels of the null: which event is one of which sample, where (event, weight) pairs are exchangeable."""

from __future__ import annotations

import numpy as np

from nplm.two_sample.pooled import Pool


def require_exchangeable(pool: Pool) -> None:
    """Refuses permutations where they would not have the distribution of the null.

    Raises:
        ValueError: with the reason.
    """
    found = pool.exchange
    if not found.allowed:
        raise ValueError(
            f"the labels may not be permuted: {found.reason}, so (event, weight) pairs are not exchangeable. Calibrate"
            " with 'analytic' or 'bootstrap', which take the weights of each sample into account"
        )


def labels(pool: Pool, count: int, rng: np.random.Generator) -> np.ndarray:
    """So many labellings of the null, True for B, shape (count, n).

    If shapes are compared the numbers of events are those of the samples, and each labelling is a permutation; if
    yields are compared too each event is one of B with the expected probability, as for two Poisson processes. Which of
    the samples is called A makes no difference to them.
    """
    flip = pool.smaller_is_b
    if pool.expected_share is not None:
        chance = pool.expected_share if flip else 1 - pool.expected_share
        return np.asarray((rng.random((count, len(pool))) < chance) == flip)
    size = int(pool.in_b.sum()) if flip else int((~pool.in_b).sum())
    found = np.full((count, len(pool)), not flip)
    for row in found:
        row[rng.choice(len(pool), size, replace=False, shuffle=False)] = flip
    return found
