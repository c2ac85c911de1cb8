"""Toys of set-up A at a true nu."""

from __future__ import annotations

import numpy as np

from nplm import NPLMTest, Nuisances, Sample
from nplm.toys import Campaign, GeneratorSampler, NuisanceSampler
from toys.exponential_nuisances import NUISANCES, draw_data

# Mean Delta with exact ratios, one standard deviation (0.15) of the normalization away, and its uncertainty.
DELTA, DELTA_ERROR = 52.7, 0.1
PUBLISHED = "52.7 +- 0.1; published with learned ratios: 55.1 +- 1.7"


def campaign_at(test: NPLMTest, nuisances: Nuisances, nu: np.ndarray, seed: int) -> Campaign:
    """Events of the exponential at nu, with auxiliary measurements that fluctuate around it."""
    truth = dict(zip(NUISANCES, nu.tolist(), strict=True))

    def generate(rng: np.random.Generator) -> Sample:
        return draw_data(rng, nu=truth)

    return Campaign(test, NuisanceSampler(GeneratorSampler(generate, f"events at {truth}"), nuisances, nu), seed)
