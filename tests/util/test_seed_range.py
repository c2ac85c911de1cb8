"""Whatever takes a seed takes the same seeds, and refuses others in one line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import nplm
from nplm._util.seed_range import LARGEST_SEED, require_seed
from nplm.learning.settings import RatioSettings
from nplm.optimize.adam import Adam
from nplm.sensitivity import closure

RNG = np.random.default_rng(1)
REFERENCE = nplm.Sample(RNG.exponential(size=1000), np.full(1000, 0.05), features=["x"])
DATA = nplm.Sample(RNG.exponential(size=50), features=["x"])
TEST = nplm.NPLMTest(REFERENCE, nplm.HistogramModel(bins=3))

TAKERS: dict[str, Callable[[int], Any]] = {
    "campaign": lambda seed: nplm.toys.Campaign(TEST, TEST.sampler(DATA), seed=seed),
    "test": lambda seed: TEST.run(DATA, toys=0, seed=seed),
    "several tests": lambda seed: nplm.MultipleTest([TEST]).run(DATA, seed=seed),
    "family": lambda seed: nplm.FamilyTest(REFERENCE, DATA, seed=seed),
    "validate": lambda seed: nplm.validate(REFERENCE, DATA, seed=seed),
    "kernels": lambda seed: nplm.TwoSampleTest(REFERENCE, DATA, seed=seed),
    "closure": lambda seed: closure(TEST, DATA, [5.0], seed=seed),
    "compatibility": lambda seed: nplm.stats.chi2_compatibility(RNG.chisquare(3, 100), 3, seed=seed),
    "kernel model": lambda seed: nplm.KernelModel(seed=seed),
    "Adam": lambda seed: Adam(seed=seed),
    "log-ratio": lambda seed: RatioSettings(seed=seed),
}


@pytest.mark.parametrize("taker", TAKERS)
@pytest.mark.parametrize("seed", [2**32, -1, 2**64, 1.5, float("nan"), True])
def test_what_is_no_seed_is_refused(taker: str, seed: Any) -> None:
    with pytest.raises(ValueError, match=r"^the seed must be a whole number from 0 to 2\^32 - 1 \(4294967295\), not "):
        TAKERS[taker](seed)


def test_every_seed_has_toys_of_its_own() -> None:
    drawn = [nplm.toys.Campaign(TEST, TEST.sampler(DATA), seed=seed).draw(0).events for seed in (0, 1, LARGEST_SEED)]
    assert len({events.tobytes() for events in drawn}) == 3
    assert require_seed(np.int64(7)) == 7
