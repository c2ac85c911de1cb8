"""Two normalizations whose measurements are correlated: t beside that of a reference without uncertainties."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from nplm import NetworkModel, NPLMTest, Nuisances, Sample
from nplm.nuisance import CorrelatedGaussian, Normalization, SumOfLogRatios
from nplm.toys import Campaign, GeneratorSampler, NuisanceSampler, run_campaign
from nplm.toys.table import ToyTable
from toys import exponential

NAMES = ("luminosity", "cross_section")


def correlated_toys(config: dict[str, Any], clip: float, work: Path) -> tuple[ToyTable, ToyTable]:
    """Null toys without uncertainties, and with those of the normalizations in data and test."""
    expected = float(config["expected_yield"])
    reference = exponential.draw_reference(np.random.default_rng(1), config["n_reference"], expected)
    rho = config["correlation"]
    correlation = np.array([[1.0, rho], [rho, 1.0]])
    constraint = CorrelatedGaussian.from_correlation(NAMES, np.full(2, config["sigma"]), correlation)
    nuisances = Nuisances(SumOfLogRatios(tuple(Normalization(name) for name in NAMES)), constraint)
    model = NetworkModel(hidden=(4,), clip=clip, reference_exact=True)
    plain = NPLMTest(reference, model, coordinates="raw", overflow=True)
    varied = NPLMTest(reference, model, coordinates="raw", overflow=True, nuisances=nuisances)

    def generate(rng: np.random.Generator) -> Sample:
        return exponential.draw_data(rng, expected)

    events = GeneratorSampler(generate, f"{expected:g} events")
    with_measurements = NuisanceSampler(events, nuisances, np.zeros(2))
    return (
        run_campaign(Campaign(plain, events, 3000), config["toys"], store=work / "network-alone"),
        run_campaign(Campaign(varied, with_measurements, 3001), config["toys"], store=work / "network-correlated"),
    )
