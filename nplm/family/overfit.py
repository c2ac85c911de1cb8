"""How much more the scores of other events fluctuate than those of the events that a part's modes were made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from jaxtyping import Float64
from scipy.linalg import eigh

from nplm.family.member import Part
from nplm.family.views import Kernels

_ROWS = 8192
# Modes of half of the events with less than this share of a part's smallest variance are not needed.
_LEAST = 0.1
# Deviations of t by which its mean may be corrected.
_MOST_MOVED = 1 / 3


def variance_of_others(
    part: Part, z: Float64[np.ndarray, "n d"], weights: Float64[np.ndarray, " n"], seed: int
) -> Float64[np.ndarray, " r"]:
    """Variance of the scores of fresh events in each mode of a kernel, in units of that of its own events.

    The modes are principal components of n events; along those of small variance, other events vary more, by a share
    that is inverse to n. So modes are made of either half of the events, the other half is looked at in them, and half
    of the excess is that of all events.

    Arguments:
        part: of a kernel.
        z: normal scores of its events.
        weights: what an event adds to the variance of a score.
        seed: of the halves.
    """
    assert isinstance(part.look, Kernels)
    in_first = np.random.default_rng([seed, 0x68616C66]).random(len(z)) < 0.5
    covariances = [_covariance(part.look, z[rows], weights[rows]) for rows in (in_first, ~in_first)]
    found = np.zeros(len(part.variance))
    at = np.log(part.variance)
    for own, other in (covariances, covariances[::-1]):
        mu, vectors = eigh(own)
        kept = mu > _LEAST * part.variance.min()
        mu, vectors = mu[kept], vectors[:, kept]
        found += np.interp(at, np.log(mu), np.einsum("ij,ij->j", vectors, other @ vectors) / mu) / 2
    return 1 + (found - 1) / 2


def without_overfit(part: Part, variance: Float64[np.ndarray, " r"]) -> Part | None:
    """The part with those of its members whose t such variances move by no more than a share of its deviation.

    sum_i c_i (v_i - 1) is compared with sqrt(2 sum_i c_i^2): the variances are known to a part of what they differ by.
    """
    members = tuple(
        member
        for member in part.members
        if abs(member.shrinkage @ (variance - 1)) < _MOST_MOVED * np.sqrt(2 * (member.shrinkage @ member.shrinkage))
    )
    return replace(part, members=members) if members else None


def _covariance(look: Kernels, z: np.ndarray, weights: np.ndarray) -> Float64[np.ndarray, "q q"]:
    total = weights.sum()
    mean, square = 0.0, 0.0
    for begin in range(0, len(z), _ROWS):
        rows = slice(begin, begin + _ROWS)
        psi = look(z[rows])
        share = weights[rows] / total
        mean = mean + share @ psi
        square = square + (psi * share[:, None]).T @ psi
    return np.asarray(square - np.outer(mean, mean))
