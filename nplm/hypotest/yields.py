"""Yield and shape of the data apart: what each of them says on its own beside t of both together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtri_exp

from nplm.data.averaged_weights import event_weight_of
from nplm.data.equal_weights import has_equal_weights
from nplm.data.sample import Sample
from nplm.statistic import LikelihoodRatio
from nplm.stats.asymptotic import AsymptoticNull, with_scale_of
from nplm.stats.chi2 import Chi2Null
from nplm.stats.null import Null
from nplm.stats.weighted_chi2 import FittedWeightedChi2Null
from nplm.stats.yields import Rate, binomial_root, log_p_of_binomial, log_p_of_poisson, poisson_root

if TYPE_CHECKING:
    from nplm.calibration.record import Calibration


@dataclass(frozen=True)
class OwnRate(Rate):
    """The yield of the data against that of the reference, as the sums of their weights.

    Arguments:
        of_t: t of a model that sees nothing but the yield.
    """

    of_t: float = 0.0

    @property
    def z(self) -> float:
        """One-sided Z-score of the two-sided p-value."""
        return rate_z(self)

    def to_dict(self) -> dict[str, float]:
        """The numbers by name."""
        return {**super().to_dict(), "t": self.of_t}


@dataclass(frozen=True)
class Shape:
    """What is left without the yield: the test of the reference scaled to the data.

    Arguments:
        t: its test statistic.
        p_value, z: from `null`.
        null: the asymptotic null that they are read from.
    """

    t: float
    p_value: float
    z: float
    null: str

    def to_dict(self) -> dict[str, float | str]:
        """The numbers, by the names that they have in files."""
        return {"t": self.t, "p_value": self.p_value, "z": self.z, "law": self.null}


def rate_z(rate: Rate) -> float:
    """One-sided Z-score of the two-sided p-value of a yield."""
    return float(-ndtri_exp(min(rate.log_p, -1e-16)))


def own_rate(test: LikelihoodRatio, data: Sample) -> OwnRate | None:
    """The yield on its own; None in a test of the shape, and with nuisances, which say what yields are possible.

    The number of the data's events is binomial given that of both samples, and Poisson where the expected yield is
    known or the reference is taken as exact; with weights these are numbers of effective events.
    """
    if test.shape_only or test.nuisances is not None:
        return None
    expected, observed = test.reference.total_weight, data.total_weight
    # Each event stands for so much; none is as one of unit weight.
    weight = event_weight_of(data) if len(data) else 1.0
    k, mean, events = observed / weight, expected / weight, test.reference.effective_size
    if k < 0:
        return None
    share = mean / (mean + events)
    known, finite = poisson_root(k, mean), binomial_root(k, k + events, share)
    of_t = known if test.reference_exact else finite
    whole = not len(data) or has_equal_weights(data)
    if test.normalized or test.reference_exact:
        root, counted = known, log_p_of_poisson(k, mean) if whole else None
    else:
        whole = whole and has_equal_weights(test.reference)
        root, counted = finite, log_p_of_binomial(k, k + events, share) if whole else None
    return OwnRate(observed, expected, root, counted, weight * of_t**2)


def own_shape(
    test: LikelihoodRatio, data: Sample, t: float, rate: OwnRate | None, calibration: Calibration, standing: Null
) -> Shape | None:
    """The shape on its own, from one more fit of kernels or bins, or from what the yield leaves of a network's t.

    A network has a constant, and where one is free the likelihood ratio of the yield is a term of its own. None without
    a rate, without events, and where the toys refuse the asymptotic null: then nothing is known without toys of the
    shape.

    Arguments:
        test: that the data went through.
        data: that were tested.
        t: theirs.
        rate: `own_rate(test, data)`.
        calibration: of t.
        standing: the null that its p-value stands on.
    """
    fitted = calibration.kind.endswith("fitted")
    if rate is None or not len(data) or (calibration.asymptotic_accepted is False and not fitted):
        return None
    prepared, parameters = test.prepared, calibration.asymptotic.mean
    asymptotic: AsymptoticNull
    if prepared.shape_by == "refit":
        if not calibration.asymptotic.derived and parameters < 2:
            return None
        scale = data.total_weight / test.reference.total_weight
        left = float(prepared.fit([data.scaled_to(test.reference.total_weight)]).t[0]) * scale
        asymptotic = prepared.null(data, shape_only=True, normalized=test.normalized)
    elif prepared.shape_by == "unknown" or calibration.asymptotic.derived or parameters <= 1:
        return None
    else:
        left, asymptotic = max(t - rate.of_t, 0.0), Chi2Null(parameters - 1)
    if isinstance(standing, FittedWeightedChi2Null) and asymptotic.derived:
        asymptotic = with_scale_of(standing, asymptotic)
    elif calibration.kind == "chi2 fitted":
        asymptotic = Chi2Null(max(standing.mean - 1, 0.5))
    if not np.isfinite(left):
        return None
    return Shape(left, asymptotic.pvalue(left), asymptotic.z(left), asymptotic.name)
