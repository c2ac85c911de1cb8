"""Nuisances learned from weights: size of t = tau - Delta and bias of nu at true nu up to two sigma away."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import binomtest

from experiments.experiment import Check, read_config
from experiments.nuisances_weights.problems import FEATURES, Densities, Events, scales
from nplm import GaussianConstraint, KernelModel, NPLMTest, Nuisances, Sample
from nplm.learning import LearnedLogRatio, RatioSettings, learn_from_set, learn_from_weights
from nplm.models.kernel.with_nuisances import PreparedKernelWithNuisances
from nplm.wording.markdown import markdown_table

# Ratios of weights of events at a true nu; and nu as the learned directions have it.
Truth = Callable[[Events, float], np.ndarray]
# Chance that a right program fails one of the tests of a point.
REJECTS = 1e-3
# Nuisances may be off by so much of their sigma at two sigma, where no form that was learned at one is right.
BIAS = 0.15
_CORNERS = [(r, f) for r in (-1.0, 0.0, 1.0) for f in (-1.0, 0.0, 1.0) if r or f]


def run(work: Path, results: Path, short: bool) -> tuple[str, list[Check]]:
    """Learns from every reference anew, and fits its toys.

    Returns:
        A Markdown text, and the checks.
    """
    config = read_config("nuisances_weights", short)
    rows, checks, seconds = [], [], []
    for name, trial in (("scales", _scales), ("densities", _densities)):
        made = [trial(np.random.default_rng([number, len(name)]), config) for number in range(config["references"])]
        for shift in config["shifts"]:
            p = np.concatenate([each[shift][0] for each in made])
            # All toys of a reference share what it lacks.
            means = np.array([each[shift][1].mean(axis=0) for each in made])
            mean, error = means.mean(axis=0), means.std(axis=0, ddof=1) / np.sqrt(len(made))
            shares = [float((p <= level).mean()) for level in (0.05, 0.01)]
            rows.append([name, f"{shift:+g}", str(len(p)), *(f"{s:.3f}" for s in shares), _listed(mean, error)])
            what = f"{name} at {shift:+g} sigma"
            spread = float(np.sqrt(0.05 * 0.95 / len(p)))
            checks.append(Check(f"p <= 5%, {what}", shares[0], spread, 0.0, _largest(len(p)), "5%"))
            worst = int((np.abs(mean) / np.maximum(error, 1e-3)).argmax())
            most = BIAS + 3 * float(error[worst])
            checks.append(Check(f"bias of nu, {what}", float(mean[worst]), float(error[worst]), -most, most, "0"))
        seconds.append(float(np.mean([each["seconds"] for each in made])))
    text = (
        f"{config['references']} references of {config['n_reference']:,} events for {config['expected']:,} expected,"
        f" each with {config['toys']} toys at every nu; scales: all eight variations of muR and muF by factors of two,"
        f" given as ratios ({seconds[0]:.1f} CPU s to learn); densities: a symmetric Hessian set of {config['members']}"
        f" members, learned in its leading directions ({seconds[1]:.1f} CPU s). Toys are drawn from the true"
        " distribution at nu, from events that were not learned from, with measurements that fluctuate around it. p is"
        " from the asymptotic null at the nu of Delta.\n\n"
        + markdown_table(["set", "nu*/sigma", "toys", "p <= 5%", "p <= 1%", "mean nu - nu*, in sigma"], rows)
    )
    return text, checks


def _scales(rng: np.random.Generator, config: dict[str, Any]) -> dict[Any, Any]:
    events, central = _reference(rng, config)
    varied = [({k: v for k, v in (("muR", r), ("muF", f)) if v}, scales(events, np.array([r, f]))) for r, f in _CORNERS]
    began = time.process_time()
    ratio = learn_from_weights(central, varied, relative=True, settings=_settings(config))
    spent = time.process_time() - began
    towards = np.ones(2) / np.sqrt(2)

    def truth(there: Events, shift: float) -> np.ndarray:
        return scales(there, shift * towards)

    return {"seconds": spent, **_toys(rng, config, central, ratio, truth, towards)}


def _densities(rng: np.random.Generator, config: dict[str, Any]) -> dict[Any, Any]:
    events, central = _reference(rng, config)
    densities = Densities.draw(rng, config["members"])
    began = time.process_time()
    learned = learn_from_set(
        central, 1 + densities.deltas(events), "pdf", "symmetric hessian", relative=True, settings=_settings(config)
    )
    spent = time.process_time() - began
    direction = rng.normal(size=config["members"])
    direction /= np.linalg.norm(direction)

    def truth(there: Events, shift: float) -> np.ndarray:
        return 1 + shift * densities.deltas(there) @ direction

    towards = learned.directions @ direction
    return {"seconds": spent, **_toys(rng, config, central, learned.ratio, truth, towards)}


def _reference(rng: np.random.Generator, config: dict[str, Any]) -> tuple[Events, Sample]:
    events = Events.draw(rng, config["n_reference"])
    weights = np.full(config["n_reference"], config["expected"] / config["n_reference"])
    return events, Sample(events.x, weights, FEATURES, "reference")


def _settings(config: dict[str, Any]) -> RatioSettings:
    return RatioSettings(members=config["settings"]["members"], hidden=tuple(config["settings"]["hidden"]))


def _toys(
    rng: np.random.Generator,
    config: dict[str, Any],
    central: Sample,
    ratio: LearnedLogRatio,
    truth: Truth,
    towards: np.ndarray,
) -> dict[float, tuple[np.ndarray, np.ndarray]]:
    """p-values, and nu - nu* of each nuisance, at every shift."""
    ratio.require_valid()
    count = len(ratio.nuisances)
    model = KernelModel(**config["kernel"], reference_exact=True)
    test = NPLMTest(central, model, nuisances=Nuisances(ratio, GaussianConstraint(ratio.nuisances, np.ones(count))))
    assert isinstance(test.prepared, PreparedKernelWithNuisances)
    found = {}
    for shift in config["shifts"]:
        data = []
        for _ in range(config["toys"]):
            n = rng.poisson(2 * config["expected"])
            events = Events.draw(rng, n)
            # Twice as many are drawn as are expected, and kept with half the ratio of their weights.
            kept = rng.random(n) < truth(events, shift) / 2
            measured = shift * towards + rng.normal(size=count)
            data.append(Sample(events.x[kept], features=FEATURES).with_auxiliary(measured))
        fits = test.fit(data)
        assert fits.nu_delta is not None
        p = [test.prepared.null_at(nu).pvalue(t) for nu, t in zip(fits.nu_delta, fits.t, strict=True)]
        found[shift] = np.array(p), fits.nu_delta - shift * towards
    return found


def _listed(mean: np.ndarray, error: np.ndarray) -> str:
    return ", ".join(f"{m:+.3f} +- {e:.3f}" for m, e in zip(mean, error, strict=True))


def _largest(trials: int) -> float:
    """The share of trials with p <= 5% that a right test exceeds with a chance of `REJECTS`."""
    return float(binomtest(round(0.05 * trials), trials, 0.05).proportion_ci(1 - 2 * REJECTS, method="exact").high)
