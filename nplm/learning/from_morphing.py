"""Log-ratios of effective theories, learned from events whose weights are known at any couplings, or from samples."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from jaxtyping import Float64, Int64
from numpy.typing import ArrayLike

from nplm.data.fingerprint import summary
from nplm.data.sample import Sample, require_same_features, require_varying
from nplm.learning.checks import LEVEL, Evaluated, compared
from nplm.learning.learned_polynomial import LearnedPolynomialRatio, PolynomialForm
from nplm.learning.morphed_sample import MorphedSample
from nplm.learning.morphing import Morphing
from nplm.learning.regression import Moments, Regression, RegressionSettings, regress
from nplm.learning.settings import held_out
from nplm.learning.validation import RatioValidation, described
from nplm.nuisance.ratios.monomials import monomials, powers_of
from nplm.nuisance.ratios.polynomial import MOST_FUNCTIONS, ORDERS, TOLERANCE, PolynomialLogRatio
from nplm.nuisance.values import nu_of, positive, values_of

Nu = Mapping[str, float]
# Events at which the order of the expansion is chosen, beside the extreme ones of each feature.
_LOOKED_AT = 5000


def learn_from_morphing(
    morphed: MorphedSample,
    *,
    form: PolynomialForm = "positive",
    reach: ArrayLike | None = None,
    inputs: Sequence[str] | None = None,
    settings: RegressionSettings | None = None,
    checked: Sequence[Nu] = (),
) -> LearnedPolynomialRatio:
    """Learns r(x; theta) = E[w(theta) | x] / E[w(0) | x] as a polynomial in theta at each x.

    What an event weighs depends on more than x; its mean given x is what x knows of theta. By least squares, which
    minimizes sum w f^2 / 2 - w_a f, each coefficient is R_a(x) = E_w[w_a / w | x]. The positive form is nowhere
    negative, see `LearnedPolynomialRatio`; weights must be of an even degree for it. The yield is exact at every theta.

    Arguments:
        morphed: the events.
        form: "positive" or "polynomial".
        reach: the |theta| up to which r is wanted, one number or one for each parameter; default: five standard
            deviations by the information that latent values carry, or where the basis points end, if that is less.
        inputs: features that r depends on; default: all.
        settings: how to learn.
        checked: theta by name, within the reach, where r times the weights at 0 is held against the weights there of
            events that were held out (closure), beside both ends of each axis and points between two.

    Returns:
        The log-ratio, validated on events that were held out.

    Raises:
        ValueError: if there are too few events, a reach is not positive or beyond where morphing is accurate, the
            positive form is wanted of an odd degree, or r is to be checked at 0 or out of its reach.
    """
    settings = settings or RegressionSettings()
    central, names, powers = morphed.sample, morphed.parameters, morphed.morphing.powers[1:]
    _require(central, form, morphed.morphing.degree)
    ends = reach_of(names, morphed, reach)
    for theta in checked:
        point = nu_of(names, theta)
        if not point.any() or not (np.abs(point) <= ends).all():
            raise ValueError(f"r is checked within its reach, and not at 0: not at {described(theta)}")
    found = regress(
        central, [Moments(central, morphed.coefficients[:, 1:] * powers_of(ends, powers))], inputs, settings
    )
    totals = morphed.coefficients.sum(axis=0)
    ratio = _made(names, powers, form, found, ends, totals[1:] / totals[0], central)
    points = [
        {name: value for name, value in zip(names, u * ends, strict=True) if value} for u in checked_points(len(names))
    ]
    points += [{name: value for name, value in theta.items() if value} for theta in checked]
    kept = held_out(central, [(point, morphed.at(point)) for point in points], settings.splitting, paired=True)
    return ratio.with_validation(_validated(ratio, *kept, paired=True))


def learn_polynomial_from_samples(
    central: Sample,
    varied: Sequence[tuple[Nu, Sample]],
    *,
    degree: int = 2,
    form: PolynomialForm = "positive",
    inputs: Sequence[str] | None = None,
    settings: RegressionSettings | None = None,
) -> LearnedPolynomialRatio:
    """Learns r(x; theta) from samples that were simulated at basis points, without weights for others.

    The density is n(x; theta) = sum_c W_c(theta) n(x; theta_c) by morphing, so that the coefficient of each monomial is
    a sum of these densities with factors of either sign, whose ratio to that of the central sample is regressed.
    Weights of the same events, where there are any, say more: see `learn_from_morphing`.

    Arguments:
        central: the sample at theta = 0; its weights add up to its yield.
        varied: points theta by name, with independent samples there, whose weights add up to their yields; with
            theta = 0 enough to determine a polynomial of that degree.
        degree: of the polynomial.
        form: "positive" or "polynomial".
        inputs: features that r depends on; default: all.
        settings: how to learn.

    Raises:
        ValueError: if samples have other features or no yield, or the points do not determine the polynomial.
    """
    settings = settings or RegressionSettings()
    if not varied:
        raise ValueError("there is nothing to learn from: give samples at several points")
    _require(central.require_yield(), form, degree)
    for _, sample in varied:
        require_same_features(central, sample.require_yield())
    names = tuple(dict.fromkeys(name for nu, _ in varied for name in nu))
    morphing = Morphing(names, [{}, *(nu for nu, _ in varied)], degree)
    ends, powers = morphing.largest, morphing.powers[1:]
    samples = [central, *(sample for _, sample in varied)]
    # Column c of this is what a sample at the basis point c adds to each coefficient.
    factors = morphing.fit(np.eye(len(samples)))[:, 1:] * powers_of(ends, powers)
    moments = [Moments(s, s.weights[:, None] * row) for s, row in zip(samples, factors, strict=True)]
    found = regress(central, moments, inputs, settings)
    totals = morphing.fit(np.array([[sample.total_weight for sample in samples]]))[0]
    ratio = _made(names, powers, form, found, ends, totals[1:] / totals[0], central)
    return ratio.with_validation(_validated(ratio, *held_out(central, varied, settings.splitting), paired=False))


def checked_points(k: int) -> Float64[np.ndarray, "m k"]:
    """Where r is held against weights, in units of the reach: both ends of each axis, and points between two."""
    found = [sign * row for row in np.eye(k) for sign in (1.0, -1.0)]
    for i, j in combinations(range(k), 2):
        for first, second in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            point = np.zeros(k)
            point[[i, j]] = first, second
            found.append(point / np.sqrt(2))
    return np.array(found)


def _made(
    names: tuple[str, ...],
    powers: Int64[np.ndarray, "T k"],
    form: PolynomialForm,
    regression: Regression,
    reach: Float64[np.ndarray, " k"],
    yields: Float64[np.ndarray, " T"],
    central: Sample,
) -> LearnedPolynomialRatio:
    first = LearnedPolynomialRatio(names, powers, form, regression, reach, 1, yields, yields, summary(central))
    r = first.polynomial(central.events)
    mean = central.weights @ r / central.total_weight
    order = _order(first, central, r)
    return replace(first, mean=mean, order=order)


def _order(ratio: LearnedPolynomialRatio, central: Sample, r: Float64[np.ndarray, "n T"]) -> int:
    """The smallest order whose expansion is accurate at the reference; 0 and a warning if r is not positive there."""
    k, found = len(ratio.nuisances), 0
    extremes = np.concatenate([central.events.argmin(axis=0), central.events.argmax(axis=0), r.argmin(0), r.argmax(0)])
    some = np.union1d(extremes, np.linspace(0, len(central) - 1, min(len(central), _LOOKED_AT)).astype(np.int64))
    events, known = central.events[some], r[some]
    try:
        for order in ORDERS:
            if len(monomials(k, order)) - 1 > MOST_FUNCTIONS:
                break
            trial = PolynomialLogRatio(
                ratio.nuisances, ratio.powers, lambda x: known, ratio.reach, order, tolerance=np.inf
            )
            rows = trial.rows(events, known)
            found = order
            # Half of what is accepted, as other events may be more extreme.
            if trial.error_of_expansion(events, known, rows)[0] < TOLERANCE / 2:
                break
    except ValueError as error:
        warnings.warn(f"{error}; fits take r as 0 there, and nuisances cannot be made of it", stacklevel=4)
        return 0
    return found


def _validated(
    ratio: LearnedPolynomialRatio, central: Sample, moved: Sequence[tuple[Nu, Sample]], *, paired: bool
) -> RatioValidation:
    members, r = ratio.member_polynomial(central.events), ratio.polynomial(central.events)

    def evaluated(nu: Nu, sample: Sample) -> Evaluated:
        mean = ratio.log_of(r, nu)
        here = mean if paired else ratio.log_of(ratio.polynomial(sample.events), nu)
        return Evaluated(mean, np.stack([ratio.log_of(member, nu) for member in members]), here)

    checks, curves, calibrations = compared(central, moved, evaluated, paired=paired)
    return RatioValidation(tuple(checks), tuple(curves), tuple(calibrations), LEVEL)


def reach_of(names: tuple[str, ...], morphed: MorphedSample, reach: ArrayLike | None) -> Float64[np.ndarray, " k"]:
    """The |theta| up to which log-ratios are wanted: as given, or the usual one.

    Raises:
        ValueError: if it is not positive, or morphing is not accurate there.
    """
    if reach is None:
        found = morphed.usual_reach()
        if not (np.isfinite(found).all() and (found > 0).all()):
            raise ValueError(f"the weights at 0 say nothing about some of {', '.join(names)}: give their reach")
        return found
    ends = positive(names, values_of(names, reach, "the reach"), "the reach")
    for u in checked_points(len(names)):
        morphed.morphing.factors(u * ends)
    return ends


def _require(central: Sample, form: PolynomialForm, degree: int) -> None:
    require_varying(central)
    if form not in ("positive", "polynomial"):
        raise ValueError(f"the form must be 'positive' or 'polynomial', not '{form}'")
    if form == "positive" and degree % 2:
        raise ValueError(
            f"the positive form is of an even degree, as squares are, not {degree}: learn the polynomial form"
        )
