"""How well a test finds a signal: the Z of toys with signal, and how often it reaches a threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from scipy.stats import norm

from nplm._util.floating_point import usual_errors
from nplm._util.json_values import json_value
from nplm.stats.empirical import EmpiricalNull
from nplm.stats.intervals import clopper_pearson, quantile_ranks
from nplm.stats.null import Kind, Null
from nplm.stats.precision import toys_to_reach

THRESHOLDS = (2.0, 3.0, 5.0)


@dataclass(frozen=True)
class PowerAt:
    """The probability that a toy with signal reaches a Z-score.

    Arguments:
        z: the threshold.
        t: the least t that has this Z; None if the null cannot show it.
        power: share of the signal toys that reach it; None if the null cannot show it.
        interval: 68% interval of the power from counting signal toys (Clopper and Pearson); None without power.
        null_interval: the power at the ends of the 68% interval that the null leaves for t; twice the power for a chi2
            with given degrees of freedom, which has no such uncertainty; None without power.
        needs_toys: null toys needed to show this Z, if there are too few; None if there are enough, or if failing null
            toys keep any number from showing it.
    """

    z: float
    t: float | None
    power: float | None
    interval: tuple[float, float] | None
    null_interval: tuple[float, float] | None
    needs_toys: int | None


@dataclass(frozen=True)
class Power:
    """Z-scores of signal toys against a null.

    Arguments:
        kind: what the Z-scores stand on: "empirical", or a chi2 or weighted chi2, given or fitted.
        null: the null in words.
        toys: number of signal toys.
        failed: number of those without t; they reach no threshold, and have Z = -inf.
        median_z: median of their Z.
        median_interval: 68% interval of the median, from order statistics; an infinite end is unknown.
        median_is_limit: whether at least half of the signal toys exceed all null toys: the median is then the largest Z
            that the null can show, and a lower limit.
        band: the Z of the 16% and 84% quantiles: how Z scatters from toy to toy.
        band_is_limit: whether the upper end of the band is such a lower limit.
        at: the power at each threshold.
        ideal_z: median Z of a test that knows the signal, for comparison; None if nobody said.
    """

    kind: Kind
    null: str
    toys: int
    failed: int
    median_z: float
    median_interval: tuple[float, float]
    median_is_limit: bool
    band: tuple[float, float]
    band_is_limit: bool
    at: tuple[PowerAt, ...]
    ideal_z: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values; infinite numbers become None."""
        plain: dict[str, Any] = json_value({**vars(self), "at": [vars(at) for at in self.at]})
        return plain


@usual_errors()
def signal_power(
    null: Null,
    t: Float64[np.ndarray, " n"],
    thresholds: Sequence[float] = THRESHOLDS,
    *,
    ideal_z: float | None = None,
) -> Power:
    """Median Z of signal toys, and the share of them that reach each threshold.

    Against an empirical null the Z of a toy is at most that of p = 1 / (1 + n), reached when it exceeds all n null
    toys. Thresholds beyond have no power but the number of null toys that they need, and a median there is a lower
    limit. A threshold that the null can show still lies between two of its toys, and moves with them: `null_interval`
    says by how much.

    Arguments:
        null: the null distribution.
        t: test statistics of toys with signal, shape (n,); NaN (failed) reaches no threshold.
        thresholds: Z-scores to be reached.
        ideal_z: median Z of a test that knows the signal, carried along.

    Raises:
        ValueError: if there is no signal toy.
    """
    if len(t) == 0:
        raise ValueError("the power needs at least one toy with signal")
    failed = np.isnan(t)
    p = np.ones(len(t))
    p[~failed] = null.pvalues(t[~failed])
    z = np.sort(np.where(failed, -np.inf, norm.isf(p)))
    largest = float(norm.isf(null.smallest_p)) if isinstance(null, EmpiricalNull) else np.inf
    tail = float(norm.sf(1))
    low, high = (float(np.quantile(z, q, method="inverted_cdf")) for q in (tail, 1 - tail))
    first, last = quantile_ranks(len(z), 0.5)
    padded = np.concatenate([[-np.inf], z, [np.inf]])
    return Power(
        kind=null.kind,
        null=null.describe(),
        toys=len(t),
        failed=int(failed.sum()),
        median_z=float(np.median(z)),
        # A Z that is the largest the null can show bounds nothing from above.
        median_interval=(float(padded[first]), float(padded[last]) if padded[last] < largest else np.inf),
        median_is_limit=bool(z[len(z) // 2] >= largest),
        band=(low, high),
        band_is_limit=high >= largest,
        at=tuple(_power_at(null, t, float(threshold)) for threshold in thresholds),
        ideal_z=ideal_z,
    )


def _power_at(null: Null, t: np.ndarray, z: float) -> PowerAt:
    p = float(norm.sf(z))
    threshold = null.threshold(p)
    if threshold is None:
        failing = null.failed / len(null.t) if isinstance(null, EmpiricalNull) else 0.0
        return PowerAt(z, None, None, None, None, toys_to_reach(z, failing))

    # NaN is never at or above a threshold, so failed toys do not reach any.
    def reaching(least: float) -> int:
        return int((t >= least).sum())

    near, far = null.threshold_interval(p)
    return PowerAt(
        z=z,
        t=threshold,
        power=reaching(threshold) / len(t),
        interval=clopper_pearson(reaching(threshold), len(t)),
        null_interval=(reaching(far) / len(t), reaching(near) / len(t)),
        needs_toys=None,
    )
