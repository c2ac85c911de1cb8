"""The density at theta beside that of a reference: what tests of an operator's power stand on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64

from nplm.data.sample import Sample
from nplm.learning.learned_polynomial import LearnedPolynomialRatio
from nplm.nuisance.ratios.base import LogRatio, log_ratio
from nplm.nuisance.ratios.polynomial import PolynomialLogRatio


def log_ratio_at(ratio: LogRatio, reference: Sample, theta: Mapping[str, float]) -> Float64[np.ndarray, " n"]:
    """log r(x; theta) at the events of a reference.

    Raises:
        ValueError: if theta is 0, has a name that the ratio does not know, or is out of its reach.
    """
    if not any(theta.values()):
        raise ValueError("at theta = 0 there is nothing to see: give values other than 0")
    if isinstance(ratio, PolynomialLogRatio | LearnedPolynomialRatio):
        return ratio.log_ratio(reference.events, theta)
    return log_ratio(ratio, reference.events, theta)


def require_for_operator(reference: Sample, ratio: LogRatio, *, allow_failed: bool) -> None:
    """Makes sure that data at theta can be expected from a reference and a ratio.

    Raises:
        ValueError: if the reference has negative weights or is another one than that of the ratio, or the ratio failed
            its checks and that is not allowed.
    """
    ratio.require_reference(reference)
    if not allow_failed:
        ratio.require_valid()
    if reference.has_negative_weights:
        raise ValueError(f"{reference.name} has negative weights: data cannot be expected from them event by event")
