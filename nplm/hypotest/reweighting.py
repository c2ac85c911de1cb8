"""The reference as a picture needs it: scaled to the expected yield, with f at each event, nuisances as fitted."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from nplm.hypotest.result import Result
from nplm.nuisance.ratios.base import log_ratio
from nplm.statistic import LikelihoodRatio


def expected_weights(test: LikelihoodRatio, result: Result) -> Float64[np.ndarray, " n"]:
    """The reference's weights, adding up to the yield it predicts (in a shape-only test, the data's); shape (n,).

    With nuisances they are those at the nu that describes the data best without f.
    """
    nu = None if result.nuisances is None else result.nuisances.nu
    return _as_given(test, result) * _moved(test, nu)


def reweighted(test: LikelihoodRatio, result: Result, f: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """The reference's weights times e^f; with nuisances at the nu that was fitted together with f. Shape (n,)."""
    nu = None if result.nuisances is None else result.nuisances.nu_tau
    # An infinite weight has no place in a picture.
    with np.errstate(over="ignore", invalid="ignore"):
        return _as_given(test, result) * _moved(test, nu) * np.exp(f)


def reference_log_ratio(test: LikelihoodRatio, result: Result) -> Float64[np.ndarray, " n"]:
    """f at each reference event; shape (n,)."""
    return test.log_ratio(result, test.reference.events)


def _as_given(test: LikelihoodRatio, result: Result) -> Float64[np.ndarray, " n"]:
    return test.reference.weights * (result.expected_yield / test.reference.total_weight)


def _moved(test: LikelihoodRatio, nu: Float64[np.ndarray, " k"] | None) -> Float64[np.ndarray, " n"] | float:
    """r(x; nu) at each reference event; 1 without nuisances."""
    if nu is None or test.nuisances is None:
        return 1.0
    return np.exp(log_ratio(test.nuisances.ratio, test.reference.events, nu))
