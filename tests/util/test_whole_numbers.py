"""Numbers of things are whole numbers, and NaN is refused in one line that says what it was to be the number of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nplm
from nplm.sensitivity import closure

RNG = np.random.default_rng(1)
A, B = RNG.normal(size=(200, 1)), RNG.normal(size=(100, 1))
TEST = nplm.NPLMTest(A, nplm.HistogramModel(bins=3))

TAKERS: dict[str, Callable[[Any], Any]] = {
    "toys": lambda n: TEST.run(B, toys=n),
    "toys of several": lambda n: nplm.MultipleTest([TEST]).run(B, toys=n),
    "toys of closure": lambda n: closure(TEST, B, [5.0], toys=n),
    "bins": lambda n: nplm.HistogramModel(bins=n),
    "centres": lambda n: nplm.KernelModel(centers=n),
    "resamples": lambda n: nplm.TwoSampleTest(A, B).run("bootstrap", resamples=n),
    "draws": lambda n: nplm.TwoSampleTest(A, B).run("bootstrap", resamples=20, draws=n),
    "samples without a difference": lambda n: nplm.FamilyTest(A, B).run(resamples=n),
    "events of a subsample": lambda n: nplm.two_sample.n_sweep(A, B, [n, 20]),
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("number", [float("nan"), 20.5, "20"])
def test_what_is_no_number_of_things_is_refused(taker: str, number: Any) -> None:
    what = taker.partition(" of several")[0].partition(" of closure")[0]
    with pytest.raises(ValueError, match=f"^the number of {what} must be a whole number, not {number!r}$"):
        TAKERS[taker](number)
