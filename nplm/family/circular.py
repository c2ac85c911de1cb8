"""Circular features of the family: points on a circle instead of numbers with a cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtr


def embedded(score: Float64[np.ndarray, " n"], circular: bool) -> Float64[np.ndarray, "n k"]:
    """The coordinates in which kernels measure distances: the score itself, or a point on the unit circle."""
    return np.column_stack([np.cos(score), np.sin(score)] if circular else [score])


def points_of(z: Float64[np.ndarray, "n d"], circular: Sequence[bool]) -> Float64[np.ndarray, "n e"]:
    """The coordinates of all features: two of each angle."""
    if not any(circular):
        return z
    return np.column_stack([embedded(x, circle) for x, circle in zip(z.T, circular, strict=True)])


def with_angles(z: Float64[np.ndarray, "n d"], circular: Sequence[bool]) -> Float64[np.ndarray, "n d"]:
    """Normal scores, those of circular features as angles from -pi to pi: the share of events below, once round."""
    circles = list(circular)
    if any(circles):
        z[:, circles] = 2 * np.pi * (ndtr(z[:, circles]) - 0.5)
    return z


def ends(x: Float64[np.ndarray, " k"], z: Float64[np.ndarray, " k"], circular: bool) -> tuple[float, float]:
    """The first and the last value of a feature in an interval, which on a circle may reach across the cut.

    Arguments:
        x: values of the events in the interval.
        z: their scores, or angles.
        circular: whether the feature is an angle.
    """
    if circular and np.ptp(z) > np.pi:
        beyond = z > 0
        return float(x[beyond].min()), float(x[~beyond].max())
    return float(x.min()), float(x.max())
