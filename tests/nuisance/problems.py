"""An exponential reference whose scale and normalization are not well known, with exact log-ratios."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nplm import GaussianConstraint, Sample
from nplm.nuisance import Normalization, SeparableLogRatio, SumOfLogRatios
from nplm.nuisance.nuisances import Nuisances

SIGMA = 0.15
EXPECTED = 2000.0


def scale() -> SeparableLogRatio:
    """x -> x e^nu: log r = -nu - x (e^-nu - 1)."""

    def c(nu: Float[Array, " 1"]) -> Float[Array, " 2"]:
        return jnp.array([-nu[0], -jnp.expm1(-nu[0])])

    return SeparableLogRatio("scale", c, lambda events: events[:, :1])


def scale_and_normalization(sigma: float = SIGMA) -> Nuisances:
    ratio = SumOfLogRatios([scale(), Normalization("normalization")])
    return Nuisances(ratio, GaussianConstraint(("scale", "normalization"), sigma))


def draw_reference(rng: np.random.Generator, events: int) -> Sample:
    return Sample(rng.exponential(size=events), np.full(events, EXPECTED / events), name="reference")


def draw_data(
    rng: np.random.Generator, moved: float = 0.0, more: float = 0.0, sigma: float = SIGMA, expected: float = EXPECTED
) -> Sample:
    """Data at a point (scale, normalization), with auxiliary measurements that fluctuate around it."""
    x = np.exp(moved) * rng.exponential(size=rng.poisson(expected * np.exp(more)))
    return Sample(x, name="data").with_auxiliary(np.array([moved, more]) + sigma * rng.standard_normal(2))


def loss(
    nuisances: Nuisances,
    reference: Sample,
    data: Sample,
    nu: np.ndarray,
    f: tuple[np.ndarray, np.ndarray] | None = None,
) -> float:
    """sum_R w (e^(f + log r) - 1) - sum_D (f + log r) - log [L(nu|A) / L(0|A)], written out for one sample.

    Arguments:
        nuisances: scale and normalization with Gaussian constraints.
        reference, data: samples.
        nu: scale and normalization.
        f: at the events of the reference and of the data; None for 0.
    """
    of_reference, of_data = _fitted(reference, data, nu, f)
    value = reference.weights @ np.expm1(of_reference) - data.weights @ of_data
    return float(value - _log_auxiliary(nuisances, data, nu))


def finite_loss(
    nuisances: Nuisances,
    reference: Sample,
    data: Sample,
    nu: np.ndarray,
    f: tuple[np.ndarray, np.ndarray] | None = None,
) -> float:
    """The same with the density of the reference profiled out, for equal weights w and data of unit weight:

    sum_R,D log [(1 + w e^(f + log r)) / (1 + w)] - sum_D (f + log r) - log [L(nu|A) / L(0|A)].
    """
    w = reference.weights[0]
    of_reference, of_data = _fitted(reference, data, nu, f)
    both = np.concatenate([of_reference, of_data])
    value = np.log((1 + w * np.exp(both)) / (1 + w)).sum() - of_data.sum()
    return float(value - _log_auxiliary(nuisances, data, nu))


def _fitted(
    reference: Sample, data: Sample, nu: np.ndarray, f: tuple[np.ndarray, np.ndarray] | None
) -> tuple[np.ndarray, np.ndarray]:
    """f + log r at the events of both."""
    log_r = [-nu[0] - sample.events[:, 0] * np.expm1(-nu[0]) + nu[1] for sample in (reference, data)]
    of_reference, of_data = (0.0, 0.0) if f is None else f
    return log_r[0] + of_reference, log_r[1] + of_data


def _log_auxiliary(nuisances: Nuisances, data: Sample, nu: np.ndarray) -> float:
    """log [L(nu|A) / L(0|A)]."""
    a = nuisances.auxiliary if data.auxiliary is None else data.auxiliary
    return float(-(((a - nu) ** 2 - a**2) / (2 * nuisances.sigma**2)).sum())
