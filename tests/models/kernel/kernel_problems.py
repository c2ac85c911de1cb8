"""Samples and prepared kernel models that several tests share."""

from __future__ import annotations

import numpy as np

from nplm.data.sample import Sample
from nplm.data.scaler import Scaler
from nplm.models.kernel.fit import PreparedKernel, Solver
from nplm.models.kernel.modes import RANK_CUT


def set_up_a(seed: int = 0, n_reference: int = 20_000) -> tuple[Sample, Sample, Sample]:
    """Reference, and data without and with ten events of a peak at 6.4."""
    rng = np.random.default_rng([seed, n_reference])
    n = rng.poisson(2000)
    data, reference = rng.exponential(size=n), rng.exponential(size=n_reference)
    peak = np.random.default_rng(77).normal(6.4, 0.16, 10)
    weights = np.full(n_reference, 2000 / n_reference)
    return Sample(reference, weights), Sample(data), Sample(np.concatenate([data, peak]))


def prepare(
    reference: Sample,
    centers: np.ndarray,
    width: float,
    penalty: float,
    solver: Solver = "ml",
    rank_cut: float = RANK_CUT,
    reference_exact: bool = True,
) -> PreparedKernel:
    """A kernel model on given centres with penalty Lambda, of features as they are."""
    scaler = Scaler.identity(reference.dimension)
    return PreparedKernel.of(
        reference, scaler, centers, width, penalty, solver, rank_cut, reference_exact=reference_exact
    )
