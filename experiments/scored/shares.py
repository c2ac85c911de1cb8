"""Shares of trials with a small p-value, in words and beside what they should be."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from experiments.experiment import Check

# Of fewer trials chance alone leaves a range with this probability, which is added to it on either side.
_MANY, _CHANCE = 400, 0.01
# Sizes that are asked for, at these levels.
RANGES = {0.05: (0.035, 0.07), 0.01: (0.003, 0.02)}


def share_text(p: np.ndarray, level: float) -> str:
    """The share of trials with p at most the level, with its binomial error."""
    share = float((p <= level).mean())
    return f"{share:.3f} ({np.sqrt(share * (1 - share) / len(p)):.3f})"


def within(what: str, p: np.ndarray, level: float, low: float, high: float, expected: str = "") -> Check:
    """The share of trials with p at most the level, in a range; of few trials in one that chance does not leave."""
    share, n = float((p <= level).mean()), len(p)
    if n < _MANY:
        low, high = (float(binom.ppf(tail, n, edge)) / n for tail, edge in ((_CHANCE, low), (1 - _CHANCE, high)))
    return Check(what, share, float(np.sqrt(share * (1 - share) / n)), low, high, expected or f"{level:g}")
