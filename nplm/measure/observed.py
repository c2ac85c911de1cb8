"""A data sample as the likelihood sees it, and a minimum of the loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nplm.measure.likelihood import Events


@dataclass(frozen=True, eq=False)
class Observed:
    """One data sample, as the likelihood sees it.

    Arguments:
        events: its columns and weights.
        auxiliary: measurements that came with it, shape (a,).
        size: number of its events.
        weighted: whether any weight differs from one.
        expectation: whether it stands for what is expected, without fluctuations.
    """

    events: Events
    auxiliary: Float64[np.ndarray, " a"]
    size: int
    weighted: bool
    expectation: bool = False


@dataclass(frozen=True, eq=False)
class Minimum:
    """A minimum of the loss.

    Arguments:
        point: theta and nu, shape (k,).
        loss: L there.
        gradient, hessian: of L.
        converged: whether it was found.
        others: other minima, the lowest first, with the loss there.
    """

    point: Float64[np.ndarray, " k"]
    loss: float
    gradient: Float64[np.ndarray, " k"]
    hessian: Float64[np.ndarray, "k k"]
    converged: bool
    others: tuple[tuple[Float64[np.ndarray, " k"], float], ...] = ()
