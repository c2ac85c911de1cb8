"""Many nuisances at once: the kernel model in two features with 10 to 100 of them, each quadratic in nu."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from experiments.benchmarks.measure import measured
from nplm import GaussianConstraint, KernelModel, NPLMTest, Nuisances, Sample
from nplm.nuisance import SeparableLogRatio
from nplm.wording.markdown import markdown_table

NUMBERS = (10, 30, 100)
N_REFERENCE, EXPECTED, TOYS = 50_000, 5000, 8


def run() -> str:
    """A table: seconds to prepare, of a first fit with its compilation, and of a toy."""
    rng = np.random.default_rng(1)
    weights = np.full(N_REFERENCE, EXPECTED / N_REFERENCE)
    reference = Sample(rng.normal(size=(N_REFERENCE, 2)), weights, ["x", "y"], "reference")
    toys = [Sample(rng.normal(size=(EXPECTED, 2)), features=["x", "y"]) for _ in range(TOYS)]
    rows = []
    for count in NUMBERS:
        ratio = _ratio(rng, count)
        nuisances = Nuisances(ratio, GaussianConstraint(ratio.nuisances, np.ones(count)))
        with measured() as prepared:
            test = NPLMTest(reference, KernelModel(), nuisances=nuisances)
        with measured() as first:
            one = test.fit(toys[:1])
        test.fit(toys)  # compiles for as many
        with measured() as batch:
            fits = test.fit(toys)
        converged = bool(one.converged.all() and fits.converged.all())
        seconds = (prepared.cpu, first.cpu, batch.cpu / TOYS)
        rows.append([str(count), *(f"{value:.2g}" for value in seconds), "yes" if converged else "NO"])
    return (
        f"{N_REFERENCE:,} reference events for {EXPECTED:,} that are expected; both are in Delta and in tau.\n\n"
        + markdown_table(["nuisances", "CPU s to prepare", "of the first fit", "of a toy", "converged"], rows)
    )


def _ratio(rng: np.random.Generator, count: int) -> SeparableLogRatio:
    """Effects of about 3% with a shape of their own, and a tenth of that in the square of nu."""
    slopes, shifts = rng.normal(size=(2, count)), rng.normal(size=count)

    def c(nu: Float[Array, " k"]) -> Float[Array, " e"]:
        return jnp.concatenate([jnp.zeros(1), nu, nu**2 / 2])

    def g(events: Float64[np.ndarray, "n 2"]) -> Float64[np.ndarray, "n q"]:
        shape = np.tanh(events @ slopes + shifts)
        return np.concatenate([0.03 * shape, 0.003 * shape], axis=1)

    return SeparableLogRatio(tuple(f"nuisance {i}" for i in range(count)), c, g)
