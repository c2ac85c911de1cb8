"""Kernels of all features in which rare events count more: each mode times a weight that rises with a score.

The weight of an event is a function of its score and of the scores of both samples together, labels unseen. So samples
without a difference are those of all other members, and the joint distribution is of all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int

from nplm.family.kd_tree import leaves
from nplm.two_sample.pooled import Pool

# The weight is (share of the events that are as rare or rarer) to the power of minus this: its square has a mean of 2,
# and its fourth power, which is what a kurtosis is made of, grows no faster than the logarithm of the number of events.
POWER = 0.25
# The share of events, the rarest, whose leaves are their own where kernels are evaluated in leaves.
_RARE = 0.1


@dataclass(frozen=True, eq=False)
class Rarity:
    """How rare events are, by a score: larger for rarer ones.

    Arguments:
        score_a, score_b: of each event of A and of B, shapes (n_A,) and (n_B,).
    """

    score_a: Float64[np.ndarray, " n_a"]
    score_b: Float64[np.ndarray, " n_b"]

    def weights(self, pool: Pool) -> Float64[np.ndarray, " n"]:
        """(1 - F)^(-1/4) of each event of a pool, with F the share of both samples together that is less rare.

        Events of one score have one F, half of them counted. 1 - F is no less than one effective event of A is of A:
        beyond that A does not say how rare an event is. Weights of events count by their size.

        Raises:
            ValueError: if all events have one score.
        """
        score = np.concatenate([self.score_a, self.score_b])[pool.order]
        sizes = np.abs(pool.masses)
        _, place = np.unique(score, return_inverse=True)
        own = np.bincount(place, sizes)
        if len(own) == 1:
            raise ValueError(f"the score has one value, {score[0]:g}, at all events: nothing is rarer than the rest")
        above = own.sum() - np.cumsum(own) + own / 2
        of_a = sizes[~pool.in_b]
        least = float(of_a @ of_a) / float(of_a.sum()) ** 2
        return np.asarray(np.maximum(above / own.sum(), least)[place] ** -POWER)


def leaves_by_rarity(
    points: Float64[np.ndarray, "n d"], weights: Float64[np.ndarray, " n"], splits: int
) -> Int[np.ndarray, " n"]:
    """Leaves of events, those of the rarest tenth apart from others: so weights differ little within a leaf."""
    rare = weights >= np.quantile(weights, 1 - _RARE)
    found = np.zeros(len(weights), dtype=np.int64)
    found[rare] = leaves(points[rare], splits - 1)
    found[~rare] = found[rare].max() + 1 + leaves(points[~rare], splits)
    return found
