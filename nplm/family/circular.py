"""Circular features of the family: points on a circle instead of numbers with a cut."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64


def embedded(score: Float64[np.ndarray, " n"], circular: bool) -> Float64[np.ndarray, "n k"]:
    """The coordinates in which kernels measure distances: the score itself, or a point on the unit circle."""
    return np.column_stack([np.cos(score), np.sin(score)] if circular else [score])
