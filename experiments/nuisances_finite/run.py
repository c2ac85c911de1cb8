"""Size of tests with nuisances and a small reference."""

from __future__ import annotations

from pathlib import Path

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64
from scipy.stats import binom

from experiments.experiment import Check, read_config
from nplm import GaussianConstraint, HistogramModel, KernelModel, NPLMTest, Nuisances, Sample
from nplm.models.base import Model
from nplm.nuisance import Normalization, SeparableLogRatio, SumOfLogRatios
from nplm.wording.markdown import markdown_table

LEVELS = (0.05, 0.01, 0.001)
# Chance that a right test is outside its limits, at each level.
_CHANCE = 0.0027


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """All ratios with both models and both likelihoods."""
    config = read_config("nuisances_finite", short)
    nuisances = _scale_and_normalization(config["sigma"])
    rows, checks = [], []
    for exact in (False, True):
        models: tuple[Model, ...] = (
            KernelModel(**config["kernel"], reference_exact=exact),
            HistogramModel(config["bins"], reference_exact=exact),
        )
        for model in models:
            for ratio in config["ratios"]:
                p = np.array([_trial(model, nuisances, config, ratio, trial) for trial in range(config["trials"])])
                name = f"{model.name}, {'exact reference' if exact else 'default'}, n_R / n_D = {ratio}"
                shares = [f"{(p <= level).mean():.3f}" for level in LEVELS]
                rows.append([model.name, "exact" if exact else "default", str(ratio), *shares, f"{p.min():.2g}"])
                if exact and ratio > 1:
                    continue
                for level in (0.01,) if exact else LEVELS:
                    rejected = float((p <= level).mean())
                    low, high = (binom.ppf(c, len(p), level) / len(p) for c in (_CHANCE / 2, 1 - _CHANCE / 2))
                    error = np.sqrt(level * (1 - level) / len(p))
                    if exact:
                        low, high = high + 1 / len(p), 1.0
                    what = f"{'control: ' if exact else ''}{name}"
                    checks.append(Check(what, rejected, error, low, high, f"{level:g}"))
                if not exact:
                    checks.append(Check(f"least p of {name}", float(p.min()), 0.0, 1e-6, 1.0, "> 1e-6"))
    head = ["model", "reference", "n_R / n_D", *(f"p <= {level:g}" for level in LEVELS), "least p"]
    text = f"{config['trials']} trials each of {config['expected']} expected events, true scales -1, 0 and +1 sigma."
    return f"{text}\n\n{markdown_table(head, rows)}", checks


def _trial(model: Model, nuisances: Nuisances, config: dict, ratio: int, trial: int) -> float:
    """p of one fresh pair."""
    rng, expected, sigma = np.random.default_rng([trial, ratio]), config["expected"], config["sigma"]
    reference = Sample(rng.exponential(size=ratio * expected), np.full(ratio * expected, 1 / ratio))
    nu = rng.choice([-sigma, 0.0, sigma])
    data = Sample(np.exp(nu) * rng.exponential(size=rng.poisson(expected)))
    data = data.with_auxiliary(np.array([nu, 0.0]) + sigma * rng.standard_normal(2))
    test = NPLMTest(reference, model, nuisances=nuisances)
    return float(test.asymptotic_null(data).pvalue(test.statistic(data)))


def _scale_and_normalization(sigma: float) -> Nuisances:
    """x -> x e^nu, log r = -nu - x (e^-nu - 1), and a yield."""

    def c(nu: Float[Array, " 1"]) -> Float[Array, " 2"]:
        return jnp.array([-nu[0], -jnp.expm1(-nu[0])])

    def g(events: Float64[np.ndarray, "n 1"]) -> Float64[np.ndarray, "n 1"]:
        return events

    ratio = SumOfLogRatios([SeparableLogRatio("scale", c, g), Normalization("normalization")])
    return Nuisances(ratio, GaussianConstraint(ratio.nuisances, sigma))
