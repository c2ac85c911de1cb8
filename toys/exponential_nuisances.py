"""Set-up A with an imperfect reference: the scale of the exponential and its yield are not well known.

At nu the background is N(B) e^norm events of x ~ Exp(e^scale); nu = 0 is the problem of `toys.exponential`. Signals do
not move (arXiv:2111.13633, section 4).
"""

from __future__ import annotations

from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from nplm.data.sample import Sample, concatenate
from nplm.nuisance.constraints.gaussian import GaussianConstraint
from nplm.nuisance.nuisances import Nuisances
from nplm.nuisance.ratios.separable import Normalization, SeparableLogRatio, SumOfLogRatios
from nplm.nuisance.values import nu_of
from toys import exponential
from toys.exponential import EXPECTED_YIELD, FEATURES, SIGNALS, Signal

__all__ = ["EXPECTED_YIELD", "NUISANCES", "SIGNALS", "draw_data", "draw_reference", "exact_ratio", "nuisances"]

NUISANCES = ("scale", "norm")
# How well each of them is known.
SIGMA = 0.15
CENTRAL: Mapping[str, float] = {}


def scale_ratio() -> SeparableLogRatio:
    """The exact log r = -nu - x (e^-nu - 1) of the scale, with d1 = x - 1 and d2 = -x."""
    return SeparableLogRatio("scale", _scale_coefficients, _first_feature, "exponential of scale e^nu")


def exact_ratio() -> SumOfLogRatios:
    """The exact log-ratio of both nuisances, in the order of NUISANCES."""
    return SumOfLogRatios((scale_ratio(), Normalization("norm")))


def nuisances() -> Nuisances:
    """Both nuisances, known to SIGMA each: for `nplm toys run --nuisances toys.exponential_nuisances:nuisances`."""
    return Nuisances(exact_ratio(), GaussianConstraint(NUISANCES, SIGMA))


def draw_reference(
    rng: np.random.Generator,
    n_reference: int,
    expected_yield: float = EXPECTED_YIELD,
    nu: Mapping[str, float] = CENTRAL,
) -> Sample:
    """n_reference events at nu, whose weights add up to expected_yield e^norm: what ratios are learned from."""
    scale, norm = nu_of(NUISANCES, nu)
    central = exponential.draw_reference(rng, n_reference, expected_yield * np.exp(norm))
    return Sample(central.events * np.exp(scale), central.weights, FEATURES, _name("reference", nu))


def draw_data(
    rng: np.random.Generator,
    expected_yield: float = EXPECTED_YIELD,
    signal: Signal | None = None,
    signal_yield: float | None = None,
    nu: Mapping[str, float] = CENTRAL,
) -> Sample:
    """Data at the true nu, followed by the signal's events.

    Arguments:
        rng: where the randomness comes from.
        expected_yield: mean number of background events at nu = 0.
        signal: what to add; None for data that follow the reference at nu.
        signal_yield: mean number of signal events; default: the signal's own.
        nu: the truth, by name; 0 for those that are not named.
    """
    scale, norm = nu_of(NUISANCES, nu)
    background = exponential.draw_data(rng, expected_yield * np.exp(norm))
    moved = Sample(background.events * np.exp(scale), features=FEATURES, name="data")
    if signal is None:
        return moved
    return concatenate([moved, exponential.draw_data(rng, 0.0, signal, signal_yield)], "data")


def _scale_coefficients(nu: Float[Array, " 1"]) -> Float[Array, " 2"]:
    return jnp.stack([-nu[0], -jnp.expm1(-nu[0])])


def _first_feature(events: np.ndarray) -> np.ndarray:
    return events[:, 0]


def _name(what: str, nu: Mapping[str, float]) -> str:
    return " ".join([what, *(f"{name}={value:g}" for name, value in nu.items())])
