"""What all that says where needs to know: two samples, and the log-ratio at their events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nplm.data.sample import Sample, require_same_features
from nplm.hypotest.result import Result
from nplm.hypotest.reweighting import expected_weights, reference_log_ratio
from nplm.io.tables import sample_like
from nplm.nuisance.ratios.base import log_ratio as log_r
from nplm.statistic import LikelihoodRatio

# Sums of e^f must not overflow.
_LARGEST = 600.0


@dataclass(frozen=True, eq=False)
class Comparison:
    """Data, what is expected, and the log-ratio f = log(fitted density / expected density) at the events of both.

    Arguments:
        data: the observed events.
        f_data: f at each of them, shape (n_D,); -inf where the fit wants no events.
        reference: the expected events; their weights add up to the expected yield.
        f_reference: f at each of them, shape (n_R,).

    Raises:
        ValueError: if the features or the lengths do not match, or f is NaN or +inf.
    """

    data: Sample
    f_data: Float64[np.ndarray, " n_d"]
    reference: Sample
    f_reference: Float64[np.ndarray, " n_r"]

    def __post_init__(self) -> None:
        require_same_features(self.reference, self.data)
        for name, sample in (("f_data", self.data), ("f_reference", self.reference)):
            object.__setattr__(self, name, require_log_ratio(sample, getattr(self, name)))

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features."""
        return self.reference.features

    @property
    def fitted(self) -> Float64[np.ndarray, " n_r"]:
        """w e^f: the weights with which the reference follows the fit, shape (n_R,)."""
        return self.reference.weights * _ratio(self.f_reference)

    @property
    def divergence(self) -> float:
        """2 sum_R w (f e^f - e^f + 1): what t would be if the data followed the fit without fluctuating."""
        f, ratio = self.f_reference, _ratio(self.f_reference)
        product = np.where(ratio > 0, np.where(np.isfinite(f), f, 0.0) * ratio, 0.0)
        return float(2 * self.reference.weights @ (product - ratio + 1))


def compared(
    test: LikelihoodRatio, data: Sample, result: Result, *, log_ratio: Float64[np.ndarray, " n"] | None = None
) -> Comparison:
    """The comparison that a result is about.

    The reference has the yield it predicts (in a shape-only test, that of the data). With nuisances it is the reference
    at the nu that describes the data best without f, and f is log of (n(x|R) r(x; nu_tau) e^f) over that: then, as
    without nuisances if the reference is taken as exact, t = 2 [sum_D f - sum_R w (e^f - 1)], but for the constraint of
    nu.

    Arguments:
        test: what ran.
        data: the tested sample.
        result: of that test.
        log_ratio: f of the model at each reference event, shape (n,), if it is known already.

    Raises:
        ValueError: if the result is not that of these data.
    """
    data = sample_like(test.reference, data, "data")
    if len(result.log_ratio) != len(data):
        raise ValueError(
            f"the result is about {len(result.log_ratio)} events, but {data.name} has {len(data)}: give the sample that"
            " was tested"
        )
    given = test.reference
    seen = test.within(data)
    f = reference_log_ratio(test, result) if log_ratio is None else log_ratio
    return Comparison(
        data,
        result.log_ratio + _moved_by_fit(test, result, seen.events),
        Sample(given.events, expected_weights(test, result), given.features, given.name),
        f + _moved_by_fit(test, result, given.events),
    )


def require_log_ratio(sample: Sample, f: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """f as an array.

    Raises:
        ValueError: if there is not one for each event, or one is NaN or +inf.
    """
    values = np.asarray(f, dtype=np.float64)
    if values.shape != (len(sample),):
        raise ValueError(
            f"the log-ratio at the events of {sample.name} must have shape ({len(sample)},), one for each event, not"
            f" {values.shape}"
        )
    bad = np.flatnonzero(np.isnan(values) | np.isposinf(values))
    if len(bad):
        raise ValueError(
            f"the log-ratio is {values[bad[0]]} at event {bad[0]} of {sample.name}: the fit failed, and says not where"
        )
    return values


def _ratio(f: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """e^f, below the largest float."""
    return np.exp(np.minimum(f, _LARGEST))


def _moved_by_fit(test: LikelihoodRatio, result: Result, events: Float64[np.ndarray, "n d"]) -> np.ndarray | float:
    """log r(x; nu_tau) - log r(x; nu_Delta); 0 without nuisances."""
    if result.nuisances is None or test.nuisances is None:
        return 0.0
    ratio = test.nuisances.ratio
    with_f, without = (log_r(ratio, events, nu) for nu in (result.nuisances.nu_tau, result.nuisances.nu))
    return np.asarray(with_f - without)
