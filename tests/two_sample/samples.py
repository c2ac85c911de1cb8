"""Pairs of samples from one distribution, or from two that differ."""

from __future__ import annotations

import numpy as np

from nplm import Sample


def gaussians(rng: np.random.Generator, n: int, dimension: int = 2, shift: float = 0.0, name: str = "A") -> Sample:
    """Standard normal events, their first feature shifted."""
    events = rng.normal(size=(n, dimension))
    events[:, 0] += shift
    return Sample(events, name=name)


def signed(rng: np.random.Generator, n: int, dimension: int = 2, shift: float = 0.0, name: str = "B") -> Sample:
    """As `gaussians`, but a fifth of the events, drawn at random, has the weight -1."""
    sample = gaussians(rng, n, dimension, shift, name)
    return Sample(sample.events, np.where(rng.random(n) < 0.2, -1.0, 1.0), name=name)
