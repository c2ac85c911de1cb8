"""What nuisances cost in sensitivity: the kernel model beside the best test that knows the signal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.experiment import Check
from nplm import GaussianConstraint, KernelModel, NPLMTest, Sample
from nplm.models.kernel.with_nuisances import PreparedKernelWithNuisances
from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.profile import PreparedNuisances
from nplm.wording.markdown import markdown_table
from toys import exponential
from toys.exponential_nuisances import NUISANCES, draw_data, exact_ratio

# What nuisances take from t and from the best test is the same to second order in the signal only: they may differ by
# this share of it, and by so much. Where the best test loses less than COMPARED such a check
# could not fail, and there is none.
AGREES, SMALL = 0.15, 1.0
COMPARED = 3.0


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """A signal with constraints of one size, or without nuisances.

    Arguments:
        signal: its name.
        sigma: of both constraints; 0 for a reference that is known.
        ideal: q of the Asimov sample for the known signal, nuisances profiled: its root is the median Z.
        excess: t of toys with the signal less that of others without, shape (toys,).
        z: median Z of the toys with the signal.
    """

    signal: str
    sigma: float
    ideal: float
    excess: np.ndarray
    z: float

    def lost(self, without: Sensitivity) -> tuple[float, float]:
        """What nuisances take from the mean t, and its error: the toys have the same events."""
        difference = without.excess - self.excess
        return float(difference.mean()), float(difference.std() / np.sqrt(len(difference)))


def sensitivities(config: dict[str, Any]) -> list[Sensitivity]:
    """Every signal of set-up A, without nuisances first."""
    reference = exponential.draw_reference(np.random.default_rng(1), config["n_reference"])
    kernel = KernelModel(width=config["kernel"]["width"], centers=config["kernel"]["centers"], reference_exact=True)
    found = []
    for sigma in (0.0, *config["sigmas"]):
        nuisances = Nuisances(exact_ratio(), GaussianConstraint(NUISANCES, sigma)) if sigma else None
        test = NPLMTest(reference, kernel, coordinates="raw", nuisances=nuisances)
        null, _ = _toys(test, None, sigma, config["signal_toys"])
        for name, signal in exponential.SIGNALS.items():
            t, z = _toys(test, signal, sigma, config["signal_toys"])
            ideal = _ideal(reference, signal, nuisances)
            found.append(Sensitivity(name, sigma, ideal, t - null, float(np.median(z))))
    return found


def _toys(test: NPLMTest, signal: Any, sigma: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """t and Z of toys at nu = 0; the same events with and without nuisances."""
    rng = np.random.default_rng(77)
    toys = []
    for _ in range(count):
        data = draw_data(rng, signal=signal)
        auxiliary = rng.standard_normal(2)
        toys.append(data.with_auxiliary(sigma * auxiliary) if sigma else data)
    size = test.prepared.batch_size
    t = np.concatenate([test.fit(toys[start : start + size]).t for start in range(0, count, size)])
    if not isinstance(test.prepared, PreparedKernelWithNuisances):
        asymptotic = test.asymptotic_null()
        return t, np.array([asymptotic.z(value) for value in t])
    return t, np.array([test.asymptotic_null(toy).z(value) for toy, value in zip(toys, t, strict=True)])


def _ideal(reference: Sample, signal: Any, nuisances: Nuisances | None) -> float:
    """2 [sum n log(n / b) - n + b] of the expectation n with the signal, less its Delta."""
    f = exponential.log_ratio(reference.events, signal)
    n = Sample(reference.events, reference.weights * np.exp(f), reference.features)
    known = 2 * float(n.weights @ f - n.total_weight + reference.total_weight)
    if nuisances is None:
        return known
    profile = PreparedNuisances.of(nuisances, nuisances.columns(reference.events), reference.weights)
    return known - float(profile.fit([n]).delta[0])


def sensitivity_table(found: list[Sensitivity]) -> str:
    """A row for each signal and sigma: what the nuisances take from t, and from the best test."""
    head = ["signal", "sigma", "ideal Z (Asimov)", "median Z", "mean t - null", "lost of it", "lost of ideal q"]
    without = {one.signal: one for one in found if one.sigma == 0}
    rows = []
    for one in found:
        lost, error = one.lost(without[one.signal])
        of_ideal = without[one.signal].ideal - one.ideal
        rows.append(
            [
                one.signal,
                f"{one.sigma:g}" if one.sigma else "none",
                f"{np.sqrt(one.ideal):.2f}",
                f"{one.z:.2f}",
                f"{one.excess.mean():.2f} +- {one.excess.std() / np.sqrt(len(one.excess)):.2f}",
                f"{lost:.2f} +- {error:.2f}" if one.sigma else "",
                f"{of_ideal:.2f}" if one.sigma else "",
            ]
        )
    return markdown_table(head, rows)


def sensitivity_checks(found: list[Sensitivity]) -> list[Check]:
    """The nuisances take from t what they take from the best test."""
    without = {one.signal: one for one in found if one.sigma == 0}
    checks = []
    for one in found:
        lost, error = one.lost(without[one.signal])
        ideal = without[one.signal].ideal - one.ideal
        if ideal < COMPARED:
            continue
        reach = AGREES * ideal + SMALL + 3 * error
        what = f"{one.signal}, sigma {one.sigma:g}: lost of the excess of t"
        checks.append(Check(what, lost, error, ideal - reach, ideal + reach, f"{ideal:.2f}, lost by the best test"))
    return checks
