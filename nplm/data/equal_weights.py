"""Whether all events of a sample count the same."""

from __future__ import annotations

import numpy as np

from nplm.data.sample import Sample

# Weights that differ by no more than this share are equal.
_EQUAL = 1e-12


def has_equal_weights(sample: Sample) -> bool:
    """Whether all events count the same."""
    weights = sample.weights
    return bool(np.ptp(weights) <= _EQUAL * abs(weights[0]))
