"""The p-value of a family: counted where samples without a difference suffice, else from the joint distribution."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri_exp
from scipy.stats import beta

from nplm.family.intervals import Interval, log_p_of_root, standing_out
from nplm.family.pvalue import FamilyNull
from nplm.family.settings import INTERVALS
from nplm.family.statistic import Members, Seen
from nplm.two_sample.calibration import TwoSampleCalibration

# With at least so many samples without a difference beyond the statistic its p-value is counted.
ENOUGH = 10
# The joint distribution is set aside if so few of them would have had to be beyond the statistic with less than this
# probability.
_UNLIKELY = 0.025


def likelihood_bound(family: Members, seen: Seen, log_tests: np.ndarray, t: np.ndarray) -> tuple[float, int | Interval]:
    """T with each t no larger than the likelihood ratio allows, and the member or interval that leads.

    Where a score is large because of a few events its normal distribution does not hold, and neither does p; the
    likelihood ratio of two finite samples rises no faster than those events can tell. So t is taken times t / t of one
    step at the maximum, where that is smaller than one. Members are fitted in the order of their p-values until no
    other can lead.
    """
    tests = dict(zip(family.classes, log_tests.tolist(), strict=True))
    best = -np.inf
    found: int | Interval | None = standing_out(seen.intervals)
    if isinstance(found, Interval):
        best = float(-log_p_of_root(np.array(found.root)) - tests[INTERVALS])
    least = np.array([tests[member.kind] for _, member in family.members])
    surprise = -family.log_p(t[None])[0] - least
    bounded = t.copy()
    for k in np.argsort(-surprise).tolist():
        if surprise[k] <= best:
            break
        fit = seen.fit(k)
        if fit.t < fit.t_one_step:
            bounded[k] *= fit.t / fit.t_one_step
        now = float(-family.log_p(bounded[None])[0, k] - least[k])
        if now > best:
            best, found = now, k
    assert found is not None
    return best, found


def counted(null: FamilyNull, statistic: float) -> TwoSampleCalibration:
    """p = (1 + #{T >= T_observed}) / (1 + L)."""
    kind, words = null.family.kind
    return TwoSampleCalibration.counted(kind, words, statistic, null.statistics)


def from_asymptotic(null: FamilyNull, statistic: float) -> TwoSampleCalibration:
    """p of the joint normal distribution, times what it misses where it is checked, but no less than it is."""
    log_p = null.log_p(statistic) + max(0.0, float(np.log(null.checked_share / null.check[1])))
    log_p = min(log_p, 0.0)
    p, z = float(np.exp(log_p)), float(-ndtri_exp(min(log_p, -1e-16)))
    family = null.family
    scores = sum(part.modes for part in family.parts)
    tests = np.exp(null.log_tests).sum()
    checked = "follow" if null.asymptotic_holds else f"do not follow at their {100 * null.checked_share:.2g}% point"
    words = (
        f"joint normal distribution of {scores:,} scores (as many as {tests:,.0f} independent tests), which"
        f" {len(null.surprise):,} samples without a difference {checked}"
    )
    return TwoSampleCalibration("analytic", words, p, (p, p), z, (z, z), len(null.surprise), 0, False)


def calibrated(
    null: FamilyNull, seen: Seen, t: np.ndarray, statistic: float
) -> tuple[TwoSampleCalibration, float, int | Interval]:
    """The p-value of the shapes, the statistic it belongs to, and the member or interval that leads.

    Arguments:
        null: of the family.
        seen: the samples.
        t: of each member.
        statistic: T of these t, without the bound of the likelihood ratio.
    """
    bound, leading = likelihood_bound(null.family, seen, null.log_tests, t)
    if null.exceeding(statistic) >= ENOUGH:
        return counted(null, statistic), statistic, leading
    statistic = min(bound, statistic)
    exceeding = null.exceeding(statistic)
    few = not isinstance(leading, Interval) and seen.members[leading][0].few
    if exceeding < ENOUGH and not few and null.asymptotic_holds:
        found = from_asymptotic(null, statistic)
        least = beta.ppf(_UNLIKELY, exceeding, len(null.surprise) - exceeding + 1) if exceeding else 0.0
        if found.p_value >= least:
            return found, statistic, leading
    return counted(null, statistic), statistic, leading
