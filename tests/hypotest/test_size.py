"""The size of the calibrated test: p-values of null toys are uniform, and those of a wrong yield are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, kstest

from nplm import HistogramModel, NPLMTest
from nplm.stats import EmpiricalNull
from nplm.toys import Campaign, GeneratorSampler, run_campaign
from toys.exponential import EXPECTED_YIELD, draw_data, draw_reference

# Chance that each of the tests below fails a correct program.
SIZE = 1e-3
NULL_TOYS, TOYS = 4000, 400
WRONG_YIELD = 1.1


@pytest.fixture(scope="module")
def p_values() -> dict[str, np.ndarray]:
    """P-values of 400 null toys, and of 400 toys with 10% more events, calibrated with 4000 other null toys."""
    test = NPLMTest(draw_reference(np.random.default_rng(1), 200_000), HistogramModel(bins=13))

    def toys(seed: int, number: int, expected_yield: float) -> np.ndarray:
        sampler = GeneratorSampler(lambda rng: draw_data(rng, expected_yield), "exponential")
        return run_campaign(Campaign(test, sampler, seed), number).t

    null = EmpiricalNull(toys(1, NULL_TOYS, EXPECTED_YIELD))
    yields = {"null": EXPECTED_YIELD, "wrong": WRONG_YIELD * EXPECTED_YIELD}
    return {
        name: np.array([null.pvalue(t) for t in toys(seed, TOYS, expected_yield)])
        for seed, (name, expected_yield) in enumerate(yields.items(), start=2)
    }


def test_p_values_are_uniform_under_the_null(p_values: dict[str, np.ndarray]) -> None:
    # Kolmogorov and Smirnov's test; that the null itself is counted from 4000 toys adds 5% to its statistic.
    assert kstest(p_values["null"], "uniform").pvalue > SIZE
    assert kstest(p_values["wrong"], "uniform").pvalue < SIZE


@pytest.mark.parametrize("level", [0.05, 0.2])
def test_the_share_that_is_rejected_is_the_level(p_values: dict[str, np.ndarray], level: float) -> None:
    rejected = {name: int((p <= level).sum()) for name, p in p_values.items()}
    assert binomtest(rejected["null"], TOYS, level).pvalue > SIZE
    assert binomtest(rejected["wrong"], TOYS, level).pvalue < SIZE
    assert rejected["wrong"] > 0.7 * TOYS
