"""The comparison with a sample of no events: there is no shape to compare, but that none were seen is data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import ndtri_exp

from nplm._util.versions import versions
from nplm.data.sample import Sample
from nplm.stats.yields import Rate, poisson_root
from nplm.two_sample.calibration import TwoSampleCalibration
from nplm.two_sample.result import TwoSampleResult
from nplm.wording.standing import calibration_name


def rate_of_none(a: Sample, expected_ratio: float, *, exact: bool) -> Rate:
    """The yield 0 of a sample B whose events would have unit weight.

    With mu the yield expected from A, P(0) is exp(-mu) if that is known. Else it is the probability that none of
    N_A + 0 events is one of B, (1 - share)^N_A, with N_A Kish's effective number and share that of the masses.
    """
    expected = expected_ratio * a.total_weight
    if exact:
        return Rate(0.0, expected, poisson_root(0.0, expected), min(float(np.log(2.0)) - expected, 0.0))
    log_none = -a.effective_size * float(np.log1p(expected / a.effective_size))
    return Rate(0.0, expected, -float(np.sqrt(-2 * log_none)), min(float(np.log(2.0)) + log_none, 0.0))


def result_of_rate(
    a: Sample,
    b: Sample,
    rate: Rate,
    configuration: Mapping[str, Any],
    notes: Sequence[str],
    seed: int,
    prepare: float,
    of_test: bool,
) -> TwoSampleResult:
    """The p-value of the yield alone as the result of a comparison."""
    p, z = rate.p_value, float(-ndtri_exp(min(rate.log_p, -1e-16)))
    distribution = "Poisson distribution" if configuration["exact_yield"] else "binomial distribution"
    calibration = TwoSampleCalibration(
        "analytic", f"{distribution} of the number of events", p, (p, p), z, (z, z), 0, 0, False
    )
    return TwoSampleResult(
        names=("yield",),
        t=np.array([rate.root**2]),
        local_p=np.array([p]),
        expected_t=np.ones(1),
        statistic=-rate.log_p,
        calibration=calibration,
        asymptotic=None,
        null=None,
        leading=0,
        leading_shape=0,
        log_ratio_a=np.zeros(len(a)),
        log_ratio_b=np.zeros(0),
        fit_converged=True,
        sample_names=(a.name, b.name),
        sizes=(len(a), 0),
        yields=(a.total_weight, 0.0),
        effective_sizes=(a.effective_size, 0.0),
        features=a.features,
        seconds={"prepare": prepare},
        seed=seed,
        versions=versions(),
        configuration={**configuration, "calibrate": calibration_name(calibration.kind), "resamples": 0},
        notes=tuple(notes),
        leading_words=f"in the yield: none where {rate.expected:,.6g} are expected",
        rate=rate,
        of_test=of_test,
        _of=(a, b),
    )
