"""What a user reads about a learned log-ratio: does the reweighted reference look like the varied samples?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float64
from scipy.stats import chi2

Kind = Literal["feature", "term", "yield", "calibration"]
_KINDS: Mapping[Kind, str] = {
    "feature": "reweighted reference against varied sample in",
    "term": "learned against binned",
    "yield": "yield",
    "calibration": "calibration of c",
}


@dataclass(frozen=True)
class Check:
    """One comparison, as a chi2.

    Arguments:
        kind: "feature": yields in bins of a feature; "term": the term of a ratio in those bins; "yield": the total;
            "calibration": of the classifier c = 1 / (1 + r).
        subject: the feature, or the term and the feature; empty for the others.
        nu: where, by name; empty for a term, which is from all points.
        chi2: of the difference.
        dof: number of degrees of freedom.
    """

    kind: Kind
    subject: str
    nu: Mapping[str, float]
    chi2: float
    dof: int

    @property
    def p_value(self) -> float:
        """Probability of such a chi2 or a larger one if the ratio is right."""
        return float(chi2.sf(self.chi2, self.dof)) if self.dof > 0 else 1.0

    def describe(self) -> str:
        """The check in words."""
        where = f" at {described(self.nu)}" if self.nu else ""
        what = " ".join(filter(None, (_KINDS[self.kind], self.subject)))
        return f"{what}{where}: chi2 = {self.chi2:.1f} for {self.dof}, p = {self.p_value:.2g}"


@dataclass(frozen=True, eq=False)
class Curve:
    """Yields in the bins of a feature at one point nu; arrays have shape (bins,).

    Arguments:
        feature: its name.
        nu: the point.
        edges: of the bins, shape (bins + 1,).
        central: yields at nu = 0.
        varied, varied_error: yields of the varied sample.
        reweighted, reweighted_error: sum of w r, with the error of the central sample and, if there is one, of the
            ensemble.
    """

    feature: str
    nu: Mapping[str, float]
    edges: Float64[np.ndarray, " e"]
    central: Float64[np.ndarray, " bins"]
    varied: Float64[np.ndarray, " bins"]
    varied_error: Float64[np.ndarray, " bins"]
    reweighted: Float64[np.ndarray, " bins"]
    reweighted_error: Float64[np.ndarray, " bins"]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Share of central events among central and varied ones, in bins of the predicted share c = 1 / (1 + r).

    Arguments:
        nu: the point of the varied sample.
        predicted: mean of c in the bins.
        observed, error: share of the weights.
    """

    nu: Mapping[str, float]
    predicted: Float64[np.ndarray, " bins"]
    observed: Float64[np.ndarray, " bins"]
    error: Float64[np.ndarray, " bins"]


@dataclass(frozen=True, eq=False)
class RatioValidation:
    """How a learned log-ratio fares, if possible on events that it was not learned from; see `validate_ratio`.

    Arguments:
        checks: all comparisons.
        curves: yields in bins, for plots.
        calibrations: of c, for plots.
        level: chance that one check or another fails although the ratio is right; each may fail with this chance
            divided by the number of checks.
    """

    checks: tuple[Check, ...]
    curves: tuple[Curve, ...]
    calibrations: tuple[Calibration, ...]
    level: float

    @property
    def failures(self) -> tuple[Check, ...]:
        """Checks whose p-value is too small."""
        return tuple(check for check in self.checks if not check.p_value >= self.level / len(self.checks))

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    def describe_failures(self) -> str:
        """The checks that failed, in words, the worst first."""
        return "; ".join(check.describe() for check in sorted(self.failures, key=lambda check: check.p_value))

    def to_dict(self) -> dict[str, Any]:
        """The values for JSON."""
        return {
            "checks": [asdict(check) for check in self.checks],
            "curves": [_plain(curve) for curve in self.curves],
            "calibrations": [_plain(calibration) for calibration in self.calibrations],
            "level": self.level,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RatioValidation:
        """What `to_dict` gave."""
        return cls(
            tuple(Check(**check) for check in values["checks"]),
            tuple(Curve(**_arrays(curve)) for curve in values["curves"]),
            tuple(Calibration(**_arrays(calibration)) for calibration in values["calibrations"]),
            values["level"],
        )


def described(nu: Mapping[str, float]) -> str:
    """A point in words: "scale = 0.15"."""
    return ", ".join(f"{name} = {value:g}" for name, value in nu.items()) or "nu = 0"


def _plain(record: Curve | Calibration) -> dict[str, Any]:
    return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(record).items()}


def _arrays(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: np.array(value) if isinstance(value, list) else value for name, value in values.items()}
