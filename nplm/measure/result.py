"""The result of a measurement, frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64
from scipy.stats import chi2

from nplm._util.json_values import json_value
from nplm.hypotest.saved import SavedResult
from nplm.measure.information import FisherInformation
from nplm.measure.left import GoodnessOfFit
from nplm.measure.limits import UpperLimit
from nplm.measure.result_text import measure_text
from nplm.measure.toys import ToyFits

SCHEMA = "nplm-measure/1"


@dataclass(frozen=True, eq=False)
class Interval:
    """Where one parameter may be.

    Arguments:
        name: of the parameter.
        level: of confidence.
        low, high: ends; infinite, or a bound, where the profile does not reach its threshold.
        threshold: of q, see `nplm.measure.intervals`: asymptotic, or the larger one of both ends by toys.
        by_toys: whether toys gave the threshold.
        coverage: share of toys of the fitted values that the interval with the asymptotic threshold covers, with its
            68% interval; None without toys.
        ends: by toys: thresholds at the low and at the high end, which may differ; None without toys.
    """

    name: str
    level: float
    low: float
    high: float
    threshold: float
    by_toys: bool = False
    coverage: tuple[float, float, float] | None = None
    ends: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Contour:
    """Where two parameters may be.

    Arguments:
        names: of both.
        level: of confidence.
        points: of the closed line, shape (p, 2).
        by_toys: whether toys gave the thresholds.
    """

    names: tuple[str, str]
    level: float
    points: Float64[np.ndarray, "p 2"]
    by_toys: bool = False


@dataclass(frozen=True, eq=False)
class MeasureResult(SavedResult):
    """A parametric model that was fitted to data, or to what is expected before there are any.

    Arguments:
        names: all parameters, those of interest first, then the nuisances.
        of_interest: how many are of interest.
        values: theta^ and nu^, shape (k,).
        covariance: of the fit, with the fluctuation of a reference of finite size, shape (k, k).
        of_data: the same if the reference were exact, shape (k, k).
        deviance: 2 [min over nu of L at theta = 0, less min L]: how much better the best member describes the data than
            the reference as given.
        intervals: of each parameter of interest, at each level.
        contours: of pairs of them.
        limits: one-sided ones, where asked for.
        sigma, measured: of the constraints of nuisances, shape (k - of_interest,).
        impact: how far each parameter of interest moves if a nuisance is moved by its error, shape (of_interest,
            k - of_interest).
        others: other minima, with twice the difference of L.
        information: what is expected at the fitted point.
        expected_yield, observed_yield: of the fitted model, and of the data; None without data.
        reference_yield: N(R).
        goodness_of_fit: whether anything is left; None if it was not asked.
        toys: fits of toys at the fitted point; None without.
        expected: whether it stands for what is expected, without data.
        sizes: number of events of reference and data.
        sample_names: of both.
        features: of the events.
        seconds: wall time by stage.
        seed: of toys and resamples.
        versions: of nplm, Python and the packages that compute.
        configuration: settings.
        notes: cautions.
        toy_points: number of values of parameters at which toys were drawn.
    """

    names: tuple[str, ...]
    of_interest: int
    values: Float64[np.ndarray, " k"]
    covariance: Float64[np.ndarray, "k k"]
    of_data: Float64[np.ndarray, "k k"]
    deviance: float
    intervals: tuple[Interval, ...]
    contours: tuple[Contour, ...]
    limits: tuple[UpperLimit, ...]
    sigma: Float64[np.ndarray, " n"]
    measured: Float64[np.ndarray, " n"]
    impact: Float64[np.ndarray, "i n"]
    others: tuple[tuple[Float64[np.ndarray, " k"], float], ...]
    information: FisherInformation
    expected_yield: float
    observed_yield: float | None
    reference_yield: float
    goodness_of_fit: GoodnessOfFit | None
    toys: ToyFits | None
    expected: bool
    sizes: tuple[int, int]
    sample_names: tuple[str, str]
    features: tuple[str, ...]
    seconds: Mapping[str, float]
    seed: int
    versions: Mapping[str, str]
    configuration: Mapping[str, Any]
    notes: tuple[str, ...]
    toy_points: int = 0

    def __getitem__(self, name: str) -> float:
        """The fitted value of a parameter or nuisance.

        Raises:
            KeyError: if there is none of that name.
        """
        if name not in self.names:
            raise KeyError(f"there is no parameter '{name}': {', '.join(self.names)}")
        return float(self.values[self.names.index(name)])

    @property
    def errors(self) -> Float64[np.ndarray, " k"]:
        """Standard deviations, by observed information and, of the reference's own fluctuation, by the sandwich."""
        return np.sqrt(np.maximum(np.diag(self.covariance), 0.0))

    @property
    def errors_of_reference(self) -> Float64[np.ndarray, " k"]:
        """What the finite size of the reference has in them."""
        return np.sqrt(np.maximum(np.diag(self.covariance - self.of_data), 0.0))

    @property
    def correlation(self) -> Float64[np.ndarray, "k k"]:
        """Of all parameters."""
        size = np.where(self.errors > 0, self.errors, 1.0)
        return self.covariance / np.outer(size, size)

    @property
    def pulls(self) -> Float64[np.ndarray, " n"]:
        """(nu - measured) / sigma of each nuisance."""
        return (self.values[self.of_interest :] - self.measured) / self.sigma

    @property
    def p_reference(self) -> float:
        """p of the deviance by a chi2 with as many degrees of freedom as parameters of interest; NaN without any."""
        return float(chi2.sf(max(self.deviance, 0.0), self.of_interest)) if self.of_interest else float("nan")

    @property
    def order_of_nuisances(self) -> Int64[np.ndarray, " n"]:
        """The nuisances, those of the largest impact over a parameter's error first, or of the largest pull."""
        k = self.of_interest
        size = np.abs(self.impact / self.errors[:k, None]).max(axis=0) if k else np.abs(np.nan_to_num(self.pulls))
        return np.argsort(-size, kind="stable")

    def interval(self, name: str, level: float | None = None) -> Interval:
        """The interval of a parameter at a level; the first one by default.

        Raises:
            KeyError: if there is none.
        """
        for each in self.intervals:
            if each.name == name and (level is None or abs(each.level - level) < 1e-6):
                return each
        raise KeyError(f"there is no interval of '{name}'{'' if level is None else f' at {level:g}'}")

    def to_dict(self) -> dict[str, Any]:
        """The result as JSON values, following the schema nplm-measure/1; numbers that are not finite become None."""
        k = self.of_interest
        fitted = [
            {
                "name": name,
                "value": self.values[i],
                "error": self.errors[i],
                "error_of_data": np.sqrt(max(self.of_data[i, i], 0.0)),
                "error_of_reference": self.errors_of_reference[i],
            }
            for i, name in enumerate(self.names)
        ]
        nuisances = [
            {
                **fitted[k + j],
                "sigma": self.sigma[j],
                "measured": self.measured[j],
                "pull": self.pulls[j],
                "impacts": dict(zip(self.names[:k], self.impact[:, j], strict=False)),
            }
            for j in range(len(self.names) - k)
        ]
        found: dict[str, Any] = json_value(
            {
                "schema": SCHEMA,
                "expected": self.expected,
                "parameters": fitted[:k],
                "nuisances": nuisances,
                "correlation": self.correlation,
                "intervals": [
                    {
                        "name": each.name,
                        "level": each.level,
                        "low": each.low,
                        "high": each.high,
                        "threshold": each.threshold,
                        "by_toys": each.by_toys,
                        "coverage": None if each.coverage is None else list(each.coverage),
                        "threshold_at_ends": None if each.ends is None else list(each.ends),
                    }
                    for each in self.intervals
                ],
                "contours": [
                    {"names": list(each.names), "level": each.level, "points": each.points, "by_toys": each.by_toys}
                    for each in self.contours
                ],
                "limits": [
                    {
                        "name": each.name,
                        "level": each.level,
                        "plain": each.plain,
                        "cls": each.cls,
                        "expected_cls": list(each.expected),
                        "by_toys": each.by_toys,
                        "error_of_cls": each.error,
                        "asymptotic_cls": each.asymptotic_cls,
                    }
                    for each in self.limits
                ],
                "reference_as_given": {"deviance": self.deviance, "p_value": self.p_reference},
                "other_minima": [{"values": point, "deviance": higher} for point, higher in self.others],
                "information": self.information.to_dict(),
                "yields": {
                    "reference": self.reference_yield,
                    "fitted": self.expected_yield,
                    "observed": self.observed_yield,
                },
                "goodness_of_fit": None if self.goodness_of_fit is None else self.goodness_of_fit.to_dict(),
                "toys": None
                if self.toys is None
                else {"count": self.toys.count, "failed": self.toys.failed, "points": self.toy_points},
                "samples": list(self.sample_names),
                "events": list(self.sizes),
                "features": list(self.features),
                "seconds": sum(self.seconds.values()),
                "seconds_by_stage": self.seconds,
                "seed": self.seed,
                "versions": self.versions,
                "configuration": self.configuration,
                "notes": list(self.notes),
            }
        )
        return found

    def __repr__(self) -> str:
        return measure_text(self)
