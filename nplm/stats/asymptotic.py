"""Asymptotic nulls: what they share, and how they are fitted to toys and compared with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float64

from nplm.stats.chi2 import Chi2Null, fit_chi2
from nplm.stats.goodness_of_fit import SIMULATIONS, Compatibility, chi2_compatibility
from nplm.stats.goodness_of_fit_weighted_chi2 import weighted_chi2_compatibility
from nplm.stats.null import Null
from nplm.stats.weighted_chi2 import FittedWeightedChi2Null, WeightedChi2Null, fit_weighted_chi2


class AsymptoticNullError(ValueError):
    """Raised when samples have no null distribution that can be computed."""


class AsymptoticNull(Null, Protocol):
    """The null distribution that t tends to for many events: a chi2, or a weighted sum of chi2 variables."""

    @property
    def name(self) -> str:
        """A short name: chi2(13)."""
        ...

    @property
    def mean(self) -> float:
        """Mean of t."""
        ...

    @property
    def sd(self) -> float:
        """Standard deviation of t."""
        ...

    @property
    def derived(self) -> bool:
        """Whether it follows from the reference, so that toys only check it; a chi2 is what t is regularized for."""
        ...

    def log_pvalue(self, t: float) -> float:
        """log P(T >= t), natural, which does not underflow."""
        ...

    def z(self, t: float) -> float:
        """Z-score of the p-value, from its logarithm."""
        ...

    def threshold(self, p: float) -> float:
        """The t with P(T >= t) = p."""
        ...

    def threshold_of_z(self, z: float) -> float:
        """The t with this Z-score, however far out."""
        ...

    def thresholds(self, p: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """The t with P(T >= t) = p, for each p between 0 and 1, shape (m,)."""
        ...


def as_asymptotic_null(given: AsymptoticNull | float | None) -> AsymptoticNull | None:
    """A number stands for a chi2 with so many degrees of freedom."""
    return Chi2Null(given) if isinstance(given, int | float) else given


def asymptotic_document(asymptotic: AsymptoticNull) -> dict[str, Any]:
    """The asymptotic null as JSON values, for a store of toys."""
    if isinstance(asymptotic, WeightedChi2Null):
        return {"kind": asymptotic.kind, "weights": asymptotic.weights.tolist()}
    return {"kind": asymptotic.kind, "degrees_of_freedom": asymptotic.mean}


def read_asymptotic_null(document: Mapping[str, Any]) -> AsymptoticNull:
    """The asymptotic null that `asymptotic_document` wrote."""
    if "weights" in document:
        return WeightedChi2Null(np.array(document["weights"], dtype=np.float64))
    return Chi2Null(document["degrees_of_freedom"])


def fit_asymptotic_null(t: Float64[np.ndarray, " n"], asymptotic: AsymptoticNull | None) -> AsymptoticNull:
    """The asymptotic null with its one parameter fitted to toys: the scale of a weighted chi2, or degrees of freedom.

    Raises:
        ValueError: if there are too few toys.
    """
    return fit_weighted_chi2(t, asymptotic) if isinstance(asymptotic, WeightedChi2Null) else fit_chi2(t)


def asymptotic_compatibility(
    t: Float64[np.ndarray, " n"],
    asymptotic: AsymptoticNull | None,
    *,
    fitted: bool,
    simulations: int = SIMULATIONS,
    seed: int = 1,
) -> Compatibility:
    """Whether toys follow an asymptotic null as it is, or as `fit_asymptotic_null` fits it to them.

    Raises:
        ValueError: if there are too few toys.
    """
    how = {"simulations": simulations, "seed": seed}
    if isinstance(asymptotic, WeightedChi2Null):
        return weighted_chi2_compatibility(t, asymptotic, scaled=fitted, **how)
    return chi2_compatibility(t, None if fitted or asymptotic is None else asymptotic.mean, **how)


def with_scale_of(fitted: AsymptoticNull, asymptotic: AsymptoticNull) -> AsymptoticNull:
    """An asymptotic null that was fitted to toys, for data whose own is another one of the same kind.

    Toys of a fixed reference follow a narrower weighted chi2 than data, whose reference could have been another one;
    by how much the asymptotic null has to be scaled is what both share.
    """
    if isinstance(fitted, FittedWeightedChi2Null) and isinstance(asymptotic, WeightedChi2Null):
        return FittedWeightedChi2Null(asymptotic, fitted.scale, fitted.error, fitted.toys, fitted.failed)
    return fitted
