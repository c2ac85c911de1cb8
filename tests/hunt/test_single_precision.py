"""Modes in single precision against those in double."""

from __future__ import annotations

import numpy as np
import pytest

from nplm.hunt.single_precision import RANK_CUT, SingleModes
from nplm.hunt.sums import HuntEvents
from nplm.two_sample.modes import KernelModes


@pytest.mark.parametrize("dimension", [1, 2, 6])
def test_modes_are_those_of_double_precision(dimension: int, rng: np.random.Generator) -> None:
    """To a part of 200 of their standard deviation, which is one; with all eigenvalues they are not (control)."""
    rows = rng.normal(size=(3000, dimension))
    events = HuntEvents(np.arange(3000.0), rows, np.ones(3000))

    def furthest(*rank_cut: float) -> float:
        basis = KernelModes.prepared(events, (0.5, 2.0), (1e-3,), 200, 1, *rank_cut)
        return float(np.sqrt(((SingleModes.of(basis)(rows) - basis(rows)) ** 2).mean(axis=0)).max())

    assert furthest(RANK_CUT) < 5e-3
    if dimension == 1:
        assert furthest() > 0.1
