"""What a test that knows nothing of an operator would see of it, next to the test that is made for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nplm._util.floating_point import usual_errors
from nplm.data.sample import Sample
from nplm.learning.at_theta import log_ratio_at, require_for_operator
from nplm.nuisance.ratios.base import LogRatio
from nplm.sensitivity.asymptotic_power import ExpectedPower, power_at, require_for_power
from nplm.statistic import LikelihoodRatio
from nplm.stats.neyman_pearson import median_expected_z
from nplm.stats.power import THRESHOLDS
from nplm.wording.tables import aligned


@dataclass(frozen=True)
class OperatorPower:
    """Z-scores at one theta.

    Arguments:
        theta: values by name.
        yield_ratio: N(theta) / N(0).
        blind: of the test that knows nothing of theta; its number of events is what theta adds to the yield, of either
            sign.
        dedicated_z: median Z of the most powerful test of 0 against this theta, sum_D log r(x; theta).
    """

    theta: Mapping[str, float]
    yield_ratio: float
    blind: ExpectedPower
    dedicated_z: float

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        return {
            "theta": dict(self.theta),
            "yield_ratio": self.yield_ratio,
            "blind": self.blind.to_dict(),
            "dedicated_z": self.dedicated_z,
        }


@usual_errors()
def operator_power(
    test: LikelihoodRatio,
    ratio: LogRatio,
    thetas: Sequence[Mapping[str, float]],
    thresholds: Sequence[float] = THRESHOLDS,
    *,
    allow_failed: bool = False,
) -> tuple[OperatorPower, ...]:
    """The Z that a test would have of data at several theta, without toys, whose density and yield are those of w r.

    What theta changes is a signal of w (r - 1), which interference may make negative: no events need to be drawn from
    it, see `nplm.models.kernel.noncentral`. Beside it the most powerful test of 0 against each theta, by
    `nplm.stats.neyman_pearson.median_expected_z`: what a search for just this theta would see.

    Arguments:
        test: of a kernel model, shape and yield.
        ratio: log r(x; theta), such as that of `learn_from_morphing`, for the reference of the test.
        thetas: values by name; those that are not named are 0.
        thresholds: Z-scores whose probability to be reached is wanted.
        allow_failed: use a learned ratio that failed its checks.

    Raises:
        ValueError: if the model is no kernel model, the test one of the shape only, the reference has negative weights
            or is another one than that of the ratio, or theta is 0, or out of the reach of the ratio.
    """
    kernel = require_for_power(test)
    reference = test.reference
    require_for_operator(reference, ratio, allow_failed=allow_failed)
    null = test.asymptotic_null()
    found = []
    for theta in thetas:
        r = np.exp(log_ratio_at(ratio, reference, theta))
        changed = Sample(reference.events, reference.weights * (r - 1), reference.features, "what theta changes")
        distribution = kernel.with_signal(changed, None, normalized=test.normalized)
        blind = power_at(changed.total_weight, distribution, null, thresholds)
        dedicated = median_expected_z(np.log(r), reference.weights * r)
        total = 1 + changed.total_weight / reference.total_weight
        found.append(OperatorPower(dict(theta), total, blind, dedicated))
    return tuple(found)


def operator_power_text(found: Sequence[OperatorPower]) -> str:
    """A table, one line for each theta."""
    head = ("at", "N / N(0)", "Z, this test", "band", "Z, dedicated test")
    rows = [
        (
            ", ".join(f"{name} = {value:g}" for name, value in each.theta.items()),
            f"{each.yield_ratio:.4g}",
            f"{each.blind.median_z:.2f}",
            f"{each.blind.band[0]:.2f} to {each.blind.band[1]:.2f}",
            f"{each.dedicated_z:.2f}",
        )
        for each in found
    ]
    return "\n".join(aligned([head, *rows]))
