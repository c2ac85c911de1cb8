"""Cautions that can be given before anything is fitted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from nplm.calibration.methods import Method
from nplm.data.sample import Sample
from nplm.data.support import support_remarks, yields_apart
from nplm.data.without_copies import renamed
from nplm.models.base import LARGEST_FOR_EXACT, PreparedWithNuisances
from nplm.nuisance.non_monotonic import turning_remarks
from nplm.statistic import LikelihoodRatio
from nplm.stats.asymptotic import AsymptoticNull
from nplm.toys.no_toys import why_no_toys
from nplm.toys.pulls import Truth
from nplm.toys.samplers import LARGEST_POOL_SHARE

if TYPE_CHECKING:
    from nplm.calibration.null_toys import NullToys

# Ratio of standard deviations from which on one width of a kernel hardly serves two features.
LARGEST_SPREAD = 30.0
# Ratio of a feature's standard deviation to that of a normal distribution with the same middle from which on a few
# events far out make the scale that models see, and the share of events beyond the middle on either side.
LARGEST_TAIL, _BEYOND = 5.0, 0.01
# Standard deviations of a nuisance's constraint that toys may be drawn away from the data.
LARGEST_DISTANCE = 1.0
# N(R) over effective reference events up to which the asymptotic null of a kernel model was seen to hold with a finite
# reference.
LARGEST_FOR_KERNELS = 0.6


def cautions_of(
    test: LikelihoodRatio,
    data: Sample,
    given: Sample,
    asymptotic: AsymptoticNull,
    null: NullToys | None,
    pool: Sample | None,
    method: Method,
) -> tuple[str, ...]:
    """What a reader of the result must know beside its numbers.

    Arguments:
        test: that the data go through.
        data: to be tested.
        given: the same before features were taken to the range of the reference.
        asymptotic: `test.asymptotic_null(data)`.
        null: toys that will be counted; None without.
        pool: that they are drawn from; None for the reference.
        method: what the p-value shall stand on.
    """
    expected, observed = test.expected_yield(data), data.total_weight
    apart = None if test.shape_only else yields_apart(expected, observed)
    notes = [] if apart is None else [apart]
    if apart is None and not test.shape_only and not test.reference.is_weighted and not 0.5 < observed / expected < 2:
        notes.append(
            f"the reference has unit weights and so expects {expected:g} events, but the data have {observed:g}:"
            " give the expected yield, or test the shape only"
        )
    reference = renamed(test.reference, "the reference")
    notes += support_remarks(reference, renamed(given, "the data"), test.support)
    if test.coordinate_kind != "normal-scores" and test.model.depends_on_scale:
        notes += _far_events(test.reference)
    if null is None and not method.weighted:
        why = why_no_toys(test.reference, data, pool, shape_only=test.shape_only)
        notes.append(
            f"no toys: {why}, so nothing has checked the asymptotic null ({asymptotic.name}) for this test; toys from a"
            " pool would"
            if why
            else f"no toys: nothing has checked the asymptotic null ({asymptotic.name}) for this test"
        )
    if test.coordinate_kind == "raw" and asymptotic.derived:
        notes += _unlike_scales(test)
    if test.nuisances is not None:
        notes += turning_remarks(test.nuisances, test.reference)
    profiled = test.prepared.profiled
    if null is not None and null.truth is not None and profiled is not None and asymptotic.derived:
        notes += _toys_elsewhere(profiled, data, null.truth)
    # The asymptotic null of a kernel model is for these weights, and has the fluctuation of the reference in it.
    if method.may_trust and asymptotic.derived:
        return (*notes, *(_asymptotic_of_small_reference(test, expected) if null is None else []))
    source = pool or test.reference
    inflation = 1 + expected / source.effective_size if null is None else null.inflation
    if null is None and not test.reference_exact:
        inflation = 1.0  # the fluctuation of the reference is in the likelihood
    if inflation > 1 + LARGEST_POOL_SHARE:
        notes.append(_small_pool(expected, inflation, pool))
    if data.is_weighted:
        notes.append(
            "the data are weighted: toy events carry weights drawn from the data's, whatever their features"
            if null is not None
            else "the data are weighted, so t is not chi2: it grows with sum v^2 / sum v. Run with toys"
        )
    return tuple(notes)


def _asymptotic_of_small_reference(test: LikelihoodRatio, expected: float) -> list[str]:
    """It holds for many events: in five dimensions 19% of null samples had p < 5% where n_R = n_D.

    Of twice as many it is 3%. With a reference that is taken as exact it is 96, 67, 30 and 10% of 1, 2, 5 and 10 times
    as many.
    """
    effective = test.reference.effective_size
    most = LARGEST_FOR_EXACT if test.reference_exact else LARGEST_FOR_KERNELS
    if expected <= most * effective:
        return []
    taken = " and is taken as exact" if test.reference_exact else ""
    return [
        f"the reference ({effective:.0f} effective events) is small for an expected yield of {expected:g}{taken}: the"
        " asymptotic null is not vouched for, and p may be too small. Run with toys"
    ]


def _far_events(reference: Sample) -> list[str]:
    """A few events far from all others make the standard deviation of a feature, and so all scales that a model sees:
    one of 5001 at a thousand times the others' spread takes a network from Z = 8.4 to none.
    """
    notes = []
    for name, x in zip(reference.features, reference.events.T, strict=True):
        low, high = np.quantile(x, (_BEYOND, 1 - _BEYOND))
        spread, of_middle = x.std(), (high - low) / (2 * norm.isf(_BEYOND))
        if spread > LARGEST_TAIL * of_middle > 0:
            far = x[np.abs(x - np.median(x)).argmax()]
            notes.append(
                f"feature '{name}' of the reference has events so far out, such as {far:g}, that its standard deviation"
                f" ({spread:.3g}) is {spread / of_middle:.3g} times that of the middle 98%, in which the model then"
                " hardly sees anything: use --coordinates normal-scores, or cut them away"
            )
    return notes


def _unlike_scales(test: LikelihoodRatio) -> list[str]:
    """Kernels have one width for all features, so features of very different spread should be standardized."""
    seen = test.coordinates(test.reference.events).std(axis=0)
    spread = np.array([seen[test.coordinates.columns(j)].mean() for j in range(test.reference.dimension)])
    narrow, wide = int(spread.argmin()), int(spread.argmax())
    if spread[wide] < LARGEST_SPREAD * spread[narrow]:
        return []
    names = test.reference.features
    return [
        f"feature '{names[wide]}' spreads {spread[wide] / spread[narrow]:.3g} times as widely as '{names[narrow]}', and"
        " kernels have one width for both: standardize the features"
    ]


def _toys_elsewhere(prepared: PreparedWithNuisances, data: Sample, truth: Truth) -> list[str]:
    """The null of a kernel model moves with nu, a little, so toys should be drawn near the nu that fits the data."""
    fitted = prepared.profile.fit([data]).nu[0]
    distance = (fitted - truth.nu) / truth.sigma
    return [
        f"the toys were drawn at {name} = {truth.nu[i]:.3g}, {abs(distance[i]):.1f} standard deviations of its"
        f" constraint from {fitted[i]:.3g}, which fits the data: if they are counted, run them there (--nu)"
        for i, name in enumerate(truth.names)
        if abs(distance[i]) > LARGEST_DISTANCE
    ]


def _small_pool(expected: float, inflation: float, pool: Sample | None) -> str:
    small = (
        f"the sample that toys are drawn from ({expected / (inflation - 1):.0f} effective events) is small for an"
        f" expected yield of {expected:g}: its own fluctuation widens t by about {100 * (inflation - 1):.0f}%"
    )
    if pool is None:
        return (
            f"{small}, which toys drawn from one reference lack, so p is too small. Give a larger reference or a pool"
        )
    return f"{small} in all toys, so p is too large. Give a larger pool"
