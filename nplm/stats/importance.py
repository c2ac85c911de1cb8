"""The null distribution of t in its far tail, as weighted toys give it: p = mean(weight [t_toy >= t])."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float64, Int64

from nplm._util.json_values import json_value
from nplm.stats.asymptotic import AsymptoticNull
from nplm.stats.null import Kind
from nplm.stats.significance import z_score
from nplm.stats.weighted_chi2 import WeightedChi2Null

# Effective number of exceeding toys that a p-value needs: it is known to some 14% then.
LEAST_EFFECTIVE = 50.0
_REMEDY = "run more toys, or take another calibration"
# Neighbouring rungs must agree within so many standard deviations, and be compared with this relative error at most.
_AGREEING, _LARGEST_ERROR = 4.0, 0.25


class ImportanceError(RuntimeError):
    """Raised when toys drawn by importance sampling do not give a p-value that can be trusted."""


@dataclass(frozen=True, eq=False)
class ImportanceNull:
    """The null distribution of t near a threshold, from weighted toys.

    The toys are drawn while the reference is held fixed, but data would have come with another one. A t is therefore
    compared with the toys at the t' of equal p-value by the asymptotic null, asymptotic_for_toys.pvalue(t') =
    asymptotic.pvalue(t); for equal weights t' = t / (1 + N(R) / n_R).

    Arguments:
        t: of the toys, shape (n,); infinite where the fit failed or did not converge: such toys exceed any t.
        weights: of the toys; their mean is 1 within its error, shape (n,).
        rung: which of the rungs each toy was drawn from, 0 being the null, shape (n,).
        overlaps: for each rung but the first, an expectation as its toys and as those of the rung below give it: the
            ratio of the two, and the error of the ratio, shape (rungs - 1, 2).
        asymptotic: the asymptotic null of data.
        asymptotic_for_toys: that of the toys.
    """

    t: Float64[np.ndarray, " n"]
    weights: Float64[np.ndarray, " n"]
    rung: Int64[np.ndarray, " n"]
    overlaps: Float64[np.ndarray, "pairs 2"]
    asymptotic: AsymptoticNull
    asymptotic_for_toys: WeightedChi2Null

    @property
    def kind(self) -> Kind:
        """Counted from toys with weights."""
        return "rare"

    @property
    def mean(self) -> float:
        """NaN: these toys say little about the bulk."""
        return np.nan

    @property
    def sd(self) -> float:
        """NaN, as the mean."""
        return np.nan

    @property
    def failed(self) -> int:
        """How many toys have no t, and count as exceeding."""
        return int(np.isinf(self.t).sum())

    @property
    def mean_weight(self) -> tuple[float, float]:
        """Mean of the weights, which is 1 but for its error, and that error."""
        return float(self.weights.mean()), _error(self.weights)

    def exceeding(self, t: float) -> int:
        """How many toys lie at t or beyond, failed ones included, whatever their weights."""
        return int(self._beyond(t).sum())

    def effective(self, t: float) -> float:
        """Effective number of exceeding toys: (sum weight)^2 / sum weight^2."""
        weights = self.weights[self._beyond(t)]
        square = float(weights @ weights)
        return float(weights.sum()) ** 2 / square if square > 0 else 0.0

    def error(self, t: float) -> float:
        """Standard error of the p-value."""
        return _error(self.weights * self._beyond(t))

    def pvalue(self, t: float) -> float:
        """mean(weight [t_toy >= t']).

        Raises:
            ImportanceError: if the effective number of exceeding toys is below 50: they were drawn for another t.
        """
        effective = self.effective(t)
        if not effective >= LEAST_EFFECTIVE:
            raise ImportanceError(
                f"only {effective:.0f} effective toys lie beyond t = {t:.2f}, and a p-value needs"
                f" {LEAST_EFFECTIVE:.0f}: {_REMEDY}"
            )
        return min(1.0, float((self.weights * self._beyond(t)).mean()))

    def pvalues(self, t: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, " m"]:
        """`pvalue` of each t, shape (m,)."""
        return np.array([self.pvalue(float(value)) for value in t])

    def z(self, t: float) -> float:
        """Z-score of the p-value."""
        return z_score(self.pvalue(t))

    def interval(self, t: float) -> tuple[float, float]:
        """The p-value less and plus its standard error."""
        p, error = self.pvalue(t), self.error(t)
        return max(0.0, p - error), min(1.0, p + error)

    def threshold(self, p: float) -> float | None:
        """The least t whose p-value is at most p; None where the toys do not say, as `pvalue` would refuse it."""
        order = np.argsort(self.t)[::-1]
        tail = np.cumsum(self.weights[order]) / len(order)
        rank = int(np.searchsorted(tail, p, side="right"))
        if rank == len(order) or np.isinf(self.t[order[rank]]):
            return None
        # Just above that toy: by more than the way to data and back may round.
        t = self._for_data(float(self.t[order[rank]])) * (1 + 1e-9)
        return t if self.effective(t) >= LEAST_EFFECTIVE else None

    def threshold_interval(self, p: float) -> tuple[float, float]:
        """The thresholds of the p-values within one standard error; infinite ends where the toys do not say."""
        t = self.threshold(p)
        if t is None:
            return -np.inf, np.inf
        error = self.error(t)
        low, high = self.threshold(p + error), self.threshold(p - error)
        return -np.inf if low is None else low, np.inf if high is None else high

    def describe(self) -> str:
        """What the null stands on, for screen and report."""
        failed = f", {self.failed:,} failed fits counted as exceeding" if self.failed else ""
        mean, error = self.mean_weight
        return f"{len(self.t):,} toys with random signals, weighted (mean weight {mean:.3f} +- {error:.3f}){failed}"

    def to_dict(self, t: float) -> dict[str, Any]:
        """The numbers behind the p-value of one t, as JSON values."""
        mean, error = self.mean_weight
        plain: dict[str, Any] = json_value(
            {
                "mean_weight": mean,
                "mean_weight_error": error,
                "effective_toys": self.effective(t),
                "relative_error": self.error(t) / self.pvalue(t),
                "t_for_toys": self._for_toys(t),
                "toys_by_rung": np.bincount(self.rung, minlength=len(self.overlaps) + 1),
                "overlaps": [{"ratio": ratio, "error": error} for ratio, error in self.overlaps],
            }
        )
        return plain

    def checked(self) -> ImportanceNull:
        """The null itself, once its toys are known to fit together.

        Raises:
            ImportanceError: if toys of neighbouring rungs contradict each other, or do not overlap enough to tell.
        """
        if not np.isfinite(self.weights).all():
            raise ImportanceError(f"the weights of some toys are not finite: {_REMEDY}")
        mean, error = self.mean_weight
        named = [("the mean weight, which should be 1,", mean, error)]
        named += [
            (f"toys of rung {i} and of the rung below, whose ratio should be 1, give", float(ratio), float(error))
            for i, (ratio, error) in enumerate(self.overlaps, start=1)
        ]
        for what, value, error in named:
            if not error <= _LARGEST_ERROR:
                raise ImportanceError(f"{what} {value:.2f} +- {error:.2f}: the toys are too few to check it; {_REMEDY}")
            if not abs(value - 1) <= max(_AGREEING * error, 1e-12):
                raise ImportanceError(
                    f"{what} {value:.3f} +- {error:.3f}: the weights of the toys are not right; {_REMEDY}"
                )
        return self

    def _for_toys(self, t: float) -> float:
        return self.asymptotic_for_toys.threshold_of_z(self.asymptotic.z(t)) if t > 0 else t

    def _for_data(self, t: float) -> float:
        return self.asymptotic.threshold_of_z(self.asymptotic_for_toys.z(t)) if 0 < t < np.inf else t

    def _beyond(self, t: float) -> Bool[np.ndarray, " n"]:
        return np.asarray(self.t >= self._for_toys(t))


def _error(values: Float64[np.ndarray, " n"]) -> float:
    """Standard error of a mean."""
    return float(values.std() / np.sqrt(len(values)))
