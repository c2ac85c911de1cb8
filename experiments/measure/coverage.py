"""Exact cases: an exponential's scale and yield, and a latent Gaussian, with a fresh reference in each toy."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import chi2

from experiments.experiment import Check
from experiments.measure.goodness import trials
from nplm.data.sample import Sample
from nplm.measure import Parameters
from nplm.measure.intervals import Profiler
from nplm.measure.model import ParametricModel
from nplm.measure.observed import Minimum
from nplm.nuisance import Normalization
from nplm.stats.intervals import clopper_pearson
from nplm.wording.markdown import markdown_table
from toys.exponential_nuisances import scale_ratio
from toys.latent_gaussian import LATENT_1D

LEVELS = (0.6827, 0.95)
Draw = Callable[[np.random.Generator, int, float], tuple[Sample, Sample]]


def exponential(rng: np.random.Generator, n_reference: int, total: float) -> tuple[Sample, Sample]:
    """A reference of Exp(1) and data of Exp(e^.05), 5% more of them than expected."""
    reference = Sample(rng.exponential(size=n_reference), np.full(n_reference, total / n_reference), ["x"])
    return reference, Sample(rng.exponential(np.exp(0.05), rng.poisson(total * np.exp(0.05))), features=["x"])


def latent(rng: np.random.Generator, n_reference: int, total: float) -> tuple[Sample, Sample]:
    """Latent values of width 2 seen with noise 1, shifted by .2 and wider by e^.05 in the data."""
    reference = LATENT_1D.draw_reference(rng, n_reference, total)
    return reference, LATENT_1D.draw_data(rng, total, {"shift": 0.2, "width": 0.05})


CASES: Mapping[str, tuple[Draw, Parameters, np.ndarray]] = {
    "exponential": (exponential, Parameters([scale_ratio(), Normalization("norm")]), np.array([0.05, 0.05])),
    "latent Gaussian": (latent, Parameters(LATENT_1D.exact_ratio()), np.array([0.2, 0.05])),
}


def toy(case: str, n_reference: int, total: float, number: int) -> dict[str, Any]:
    """One toy: theta^, its errors with and without the reference's part, and q at the truth with its widening."""
    draw, parameters, truth = CASES[case]
    reference, data = draw(np.random.default_rng([23, n_reference, number]), n_reference, total)
    began = time.process_time()
    model = ParametricModel.of(reference, parameters)
    observed = model.observed(data)
    end = model.descend(observed, np.zeros(2))
    found = Minimum(end.point, end.value, end.gradient, end.hessian, end.converged)
    inverse = np.linalg.inv(found.hessian)
    covariance = inverse + inverse @ model.noise_of_reference(found.point) @ inverse
    profiler = Profiler(model, observed, found, covariance)
    q = [profiler.at([i], truth[[i]])[0] for i in range(2)]
    return {
        "theta": found.point.tolist(),
        "error": np.sqrt(np.diag(covariance)).tolist(),
        "naive": np.sqrt(np.diag(inverse)).tolist(),
        "q": q,
        "widening": [float(profiler.widening([i])[0]) for i in range(2)],
        "seconds": time.process_time() - began,
    }


def coverages(work: Path, config: Mapping[str, Any]) -> tuple[str, list[Check]]:
    """How often intervals cover, with thresholds that count the reference and with Wilks's alone."""
    settings, rows, checks = config["coverage"], [], []
    for case, (_, parameters, truth) in CASES.items():
        for n_reference in settings["references"]:
            file = work / f"coverage-{case.split()[0]}-{n_reference}.jsonl"

            def one(number: int, case: str = case, n_reference: int = n_reference) -> Mapping[str, Any]:
                return toy(case, n_reference, settings["yield"], number)

            found = trials(file, settings["toys"], one)
            columns = {name: np.array([each[name] for each in found]) for name in found[0]}
            for i, name in enumerate(parameters.names):
                pull = (columns["theta"][:, i] - truth[i]) / columns["error"][:, i]
                row = [case, f"{n_reference:,}", name, f"{pull.mean():+.2f}, {pull.std():.2f}"]
                for level in LEVELS:
                    threshold = float(chi2.ppf(level, 1))
                    inside = int((columns["q"][:, i] <= threshold * columns["widening"][:, i]).sum())
                    plain = float((columns["q"][:, i] <= threshold).mean())
                    low, high = clopper_pearson(inside, len(found))
                    row += [f"{inside / len(found):.3f}", f"{plain:.3f}"]
                    three = 3 * np.sqrt(level * (1 - level) / len(found))
                    what = f"coverage, {case}, {n_reference:,} reference events, {name}, {level:g}"
                    share, error = inside / len(found), (high - low) / 2
                    checks.append(Check(what, share, error, level - three, level + three, f"{level:g}"))
                rows.append([*row, f"{columns['seconds'].mean():.2f}"])
    head = ["case", "reference", "parameter", "pull: mean, sd", "68.27%", "Wilks alone", "95%", "Wilks alone", "CPU s"]
    text = (
        f"**Coverage** of profile intervals in {settings['toys']} toys of {settings['yield']} expected events, each"
        " with its own reference, beside those with Wilks's threshold alone, which takes the reference as exact.\n\n"
        + markdown_table(head, rows)
    )
    return text, checks
