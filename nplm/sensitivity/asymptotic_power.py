"""What a test could see before there are data: the Z that a signal would have, without toys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import norm

from nplm._util.floating_point import usual_errors
from nplm._util.json_values import json_value
from nplm.data.sample import require_same_features
from nplm.io.tables import Tabular, sample_like
from nplm.models.kernel.noncentral import ExpectedT
from nplm.models.linear import PreparedLinear
from nplm.statistic import LikelihoodRatio
from nplm.stats.asymptotic import AsymptoticNull
from nplm.stats.power import THRESHOLDS


@dataclass(frozen=True)
class ExpectedPower:
    """Z-scores that data with a signal would have.

    Arguments:
        events: N_S, the number of signal events that is expected.
        t: of the expectation itself, reference and signal without fluctuations (the Asimov data).
        median_z: median of Z.
        band: the 16% and 84% quantiles of Z.
        power: for each threshold of Z, the probability to reach it.
        null: the null that Z is read from, in words.
    """

    events: float
    t: float
    median_z: float
    band: tuple[float, float]
    power: dict[float, float]
    null: str

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values; thresholds and powers as a list."""
        at = [{"z": z, "power": power} for z, power in self.power.items()]
        plain: dict[str, Any] = json_value({**vars(self), "power": at})
        return plain


@usual_errors()
def expected_power(
    test: LikelihoodRatio,
    signal: Tabular,
    events: Sequence[float],
    thresholds: Sequence[float] = THRESHOLDS,
    *,
    data: Tabular | None = None,
) -> tuple[ExpectedPower, ...]:
    """The Z that signals of given sizes would have, without toys, see `nplm.models.kernel.noncentral`.

    t is expanded to second order in the fluctuations about the fit to the expectation, which is done in full; so it
    holds for strong signals, but not where a few events decide.

    Arguments:
        test: of a kernel model, shape and yield.
        signal: events of the signal, a Sample or a table; their weights are scaled to each number of events.
        events: N_S, numbers of signal events that are expected.
        thresholds: Z-scores whose probability to be reached is wanted.
        data: for whose event weights the answer is; None for unit weights.

    Raises:
        ValueError: if the model is no kernel model, the test one of the shape only, a number of events not positive or
            too large to compute with, or the signal has negative weights or other features.
    """
    kernel = require_for_power(test)
    signal = sample_like(test.reference, signal, "signal")
    data = None if data is None else sample_like(test.reference, data, "data")
    require_same_features(test.reference, signal)
    if signal.has_negative_weights:
        raise ValueError(f"{signal.name} has negative weights: give a signal whose events can be drawn")
    for number in events:
        if not number > 0:
            raise ValueError(f"the number of signal events must be positive, not {number:g}")
    null = test.asymptotic_null(data)
    found = []
    for number in events:
        distribution = kernel.with_signal(signal.scaled_to(number), data, normalized=test.normalized)
        found.append(power_at(number, distribution, null, thresholds))
    return tuple(found)


def require_for_power(test: LikelihoodRatio) -> PreparedLinear:
    """The kernel model of a test, whose power is known without toys.

    Raises:
        ValueError: if the model is another one, or the test one of the shape only.
    """
    kernel = test.prepared.linear
    if kernel is None or kernel.solver != "ml":
        raise ValueError(
            "the expected power without toys is that of a kernel model fitted by maximum likelihood; for others run"
            " toys with a signal"
        )
    if test.shape_only:
        raise ValueError("the expected power without toys is that of a test of shape and yield, not of the shape only")
    return kernel


def power_at(
    number: float, distribution: ExpectedT, null: AsymptoticNull, thresholds: Sequence[float]
) -> ExpectedPower:
    """Median, band and power of t that is distributed like this, read from the null.

    Raises:
        ValueError: if the signal is too strong for that.
    """
    try:
        low, middle, high = (null.z(distribution.quantile(float(norm.cdf(x)))) for x in (-1, 0, 1))
        power = {float(z): distribution.sf(null.threshold(float(norm.sf(z)))) for z in thresholds}
    except ArithmeticError as error:
        raise ValueError(
            f"{number:g} signal events make t so large that its distribution cannot be computed: give fewer"
        ) from error
    return ExpectedPower(number, distribution.t_expected, middle, (low, high), power, null.describe())
