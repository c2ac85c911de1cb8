"""The result of a comparison of two samples, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from nplm._util.json_values import json_value
from nplm.hypotest.saved import SavedResult
from nplm.stats.yields import Rate
from nplm.two_sample.calibration import TwoSampleCalibration
from nplm.two_sample.kept import Kept
from nplm.two_sample.result_text import two_sample_text

if TYPE_CHECKING:
    from nplm.data.sample import Sample

SCHEMA = "nplm-two-sample/1"


@dataclass(frozen=True, eq=False)
class TwoSampleResult(SavedResult):
    """The answer of `validate`.

    Arguments:
        names: of the K tests.
        t: of each test, the log-likelihood ratio of the labels, shape (K,).
        local_p: p-value of each test alone, from its asymptotic null, shape (K,).
        expected_t: mean of each t without a difference, shape (K,).
        statistic: -log of the smallest p-value of all tests, by a quick approximation that resamplings undergo too.
        calibration: the p-value of the statistic, and what it stands on.
        asymptotic: that of the asymptotic null, for comparison; None if it was left out.
        null: statistics of the resamplings, shape (n,); None if there were none.
        leading: which test has the smallest local p-value.
        leading_shape: which test of shapes has.
        log_ratio_a, log_ratio_b: f, the log of the density of B over that of A, at the events of A, shape (n_A,), and
            of B, shape (n_B,): the minimum of the cross-entropy in the leading test of shapes.
        fit_converged: whether that fit converged.
        sample_names, sizes, yields, effective_sizes: names, numbers of events, sums of weights and Kish's effective
            numbers of A and B.
        features: names of the features.
        seconds: wall time by stage: prepare, fit, null, log-ratio.
        seed: of centres and resampling.
        versions: of nplm, Python and the packages that compute.
        configuration: settings.
        notes: cautions that belong beside the numbers.
        leading_words: what the leading test of shapes looks at, and where it finds most, as part of a sentence.
        leading_features: which features it looks at.
        leading_interval: of one feature, where it finds most: the smallest and the largest value there; of an
            angle the first and the last, with its cut between them if the first is larger.
        shape: the p-value of the shapes alone, where yields are compared apart from them.
        rate: the yields, where they are compared apart from the shapes.
        of_test: whether A is the reference of a test and B the data, to those who read of it.
        kept: what each threshold of an anomaly score keeps, from the largest share to the smallest; empty without one.
    """

    names: tuple[str, ...]
    t: Float64[np.ndarray, " k"]
    local_p: Float64[np.ndarray, " k"]
    expected_t: Float64[np.ndarray, " k"]
    statistic: float
    calibration: TwoSampleCalibration
    asymptotic: TwoSampleCalibration | None
    null: Float64[np.ndarray, " n"] | None
    leading: int
    leading_shape: int
    log_ratio_a: Float64[np.ndarray, " n_a"]
    log_ratio_b: Float64[np.ndarray, " n_b"]
    fit_converged: bool
    sample_names: tuple[str, str]
    sizes: tuple[int, int]
    yields: tuple[float, float]
    effective_sizes: tuple[float, float]
    features: tuple[str, ...]
    seconds: Mapping[str, float]
    seed: int
    versions: Mapping[str, str]
    configuration: Mapping[str, Any]
    notes: tuple[str, ...]
    leading_words: str = ""
    leading_features: tuple[str, ...] = ()
    leading_interval: tuple[float, float] | None = None
    shape: TwoSampleCalibration | None = None
    rate: Rate | None = None
    of_test: bool = False
    kept: tuple[Kept, ...] = ()
    _of: tuple[Sample, Sample] | None = field(default=None, repr=False)

    @property
    def p_value(self) -> float:
        """The p-value that accounts for all tests."""
        return self.calibration.p_value

    @property
    def pvalue(self) -> float:
        """`p_value` under the name that scipy.stats uses."""
        return self.calibration.p_value

    @property
    def z(self) -> float:
        """Its one-sided Z-score; a lower limit if `calibration.limit`."""
        return self.calibration.z

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values, following the schema nplm-two-sample/1, without what belongs to single events.

        Numbers that are not finite become None.
        """
        tests = zip(self.names, self.t, self.local_p, self.expected_t, strict=True)
        plain: dict[str, Any] = json_value(
            {
                "schema": SCHEMA,
                "p_value": self.p_value,
                "z": self.z,
                "statistic": self.statistic,
                "calibration": calibration_dict(self.calibration),
                "analytic": None if self.asymptotic is None else calibration_dict(self.asymptotic),
                "leading": self.names[self.leading],
                "leading_shape": self.names[self.leading_shape],
                "leading_words": self.leading_words,
                "leading_features": self.leading_features,
                "leading_interval": self.leading_interval,
                "shape": None if self.shape is None else calibration_dict(self.shape),
                "rate": None if self.rate is None else self.rate.to_dict(),
                "kept": [each.to_dict() for each in self.kept],
                "tests": [
                    {"name": name, "t": t, "local_p": p, "expected_t": expected} for name, t, p, expected in tests
                ],
                "fit_converged": self.fit_converged,
                "samples": [
                    {"name": name, "events": size, "yield": total, "effective_events": effective}
                    for name, size, total, effective in zip(
                        self.sample_names, self.sizes, self.yields, self.effective_sizes, strict=True
                    )
                ],
                "features": self.features,
                "seconds": sum(self.seconds.values()),
                "seconds_by_stage": self.seconds,
                "seed": self.seed,
                "versions": self.versions,
                "configuration": self.configuration,
                "notes": self.notes,
            }
        )
        return plain

    def __repr__(self) -> str:
        return two_sample_text(self)


def calibration_dict(calibration: TwoSampleCalibration) -> dict[str, Any]:
    """A calibration by name."""
    return {
        "kind": calibration.kind,
        "null": calibration.null,
        "p_value": calibration.p_value,
        "p_interval": calibration.p_interval,
        "z": calibration.z,
        "z_interval": calibration.z_interval,
        "resamples": calibration.resamples,
        "exceeding": calibration.exceeding,
        "limit": calibration.limit,
    }
