"""Weights of variations that are given relative to those of the events, as generators and NanoAOD write them."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from nplm.data.sample import Sample

# A variation changes the yield by less than this factor.
_FACTOR = 5.0


def absolute(
    central: Sample, given: Float64[np.ndarray, "n ..."], relative: bool | None = None
) -> Float64[np.ndarray, "n ..."]:
    """The weights of a variation, or of the m members of a set, from these or from their ratios to the central ones.

    Arguments:
        central: the events with their weights at nu = 0.
        given: weights, or ratios.
        relative: which they are; None to see, of all members together.
    """
    is_relative = looks_relative(central.weights, given) if relative is None else relative
    return (central.weights * given.T).T if is_relative else given


def looks_relative(weights: Float64[np.ndarray, " n"], given: Float64[np.ndarray, "n ..."]) -> bool:
    """Whether values are ratios to weights, rather than weights of a variation.

    Weights of a variation have the signs of those at nu = 0, for most events, and a sum of the same order; ratios are
    mostly positive and have a mean of about 1. Where both hold, as for weights of about 1, values are weights.
    """
    negative = weights < 0
    signs = negative.any() and (given[negative] > 0).mean() > 0.5
    size, change = np.abs(weights).mean(), np.abs(given).mean()
    mean = float(given.mean())
    near_one = 1 / _FACTOR < mean < _FACTOR
    return bool(near_one and (signs or not size / _FACTOR < change < size * _FACTOR))
