"""Log-ratios from samples that were simulated at several values of the nuisances."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from nplm.data.fingerprint import summary
from nplm.data.sample import Sample, require_same_features, require_varying
from nplm.learning.checks import validate_ratio
from nplm.learning.learned_ratio import LearnedLogRatio, Yields
from nplm.learning.learner import Learner
from nplm.learning.settings import RatioSettings, effects_of, groups_of, held_out, inputs_of

Nu = Mapping[str, float]


def learn_from_samples(
    central: Sample,
    varied: Sequence[tuple[Nu, Sample]],
    *,
    inputs: Mapping[str, Sequence[str]] | None = None,
    yields: Yields = "keep",
    yield_effect: Mapping[str, float] | None = None,
    settings: RatioSettings | None = None,
) -> LearnedLogRatio:
    """Learns log r(x; nu) = nu d1(x) + nu^2 d2(x) / 2 by telling varied samples from the central one.

    The classifier c(x) = 1 / (1 + r(x; nu)) minimizes, summed over the varied samples m (arXiv:2111.13633, section
    3.2; arXiv:2007.10356),

        sum_central w [1 - c(x; nu_m)]^2 + sum_varied w c(x; nu_m)^2,

    or the cross-entropy of the same c; at the minimum r is the ratio of the densities of weight. d1 and d2 of each
    nuisance are networks of their own, and so is d_ij of each pair that some samples vary together. At given points
    the yields are made exact: a constant in d1, d2 and d_ij sees to it that sum w r is the varied sample's total.

    Arguments:
        central: the sample at nu = 0; its weights add up to its yield.
        varied: points nu by name, with independent samples there: two different values or more for each nuisance
            alone (of one value, as of a one-sided systematic, log r is linear in nu), and, for cross terms, points
            that move two nuisances.
        inputs: features that the networks of a nuisance see; default: all.
        yields: "keep": the totals of the varied samples relative to the central one are in r; "factor-out": all
            samples are scaled to the central total, and r is a ratio of shapes.
        yield_effect: with "factor-out", what nu = 1 adds to the logarithm of the yield, for each nuisance.
        settings: how to learn.

    Returns:
        The log-ratio, validated on events that were held out.

    Raises:
        ValueError: if samples are empty or have other features, or the points do not determine the terms.
    """
    settings = settings or RatioSettings()
    names, groups = groups_of(varied)
    effects = effects_of(names, yields, yield_effect)
    central.require_yield()
    require_varying(central)
    seen = inputs_of(names, central.features, inputs)
    if settings.form == "positive" and any(len(group.terms) < 2 for group in groups):
        raise ValueError(
            "the positive form has no cross terms and no single variations: give two for each nuisance alone, or learn"
            " the exponential form"
        )
    for nu, sample in varied:
        require_same_features(central, sample.require_yield())
        _warn_of_copies(central, nu, sample)
    samples = [central, *(sample for _, sample in varied)]
    scaled = [s.scaled_to(central.total_weight) for s in samples] if yields == "factor-out" else samples
    rows = [settings.split(sample, number) for number, sample in enumerate(scaled)]
    parts = Learner(names, scaled, rows, seen, settings).learn_all(groups)
    ratio = LearnedLogRatio(names, central.features, parts, yields, effects, summary(central)).converged_only()
    return ratio.with_validation(validate_ratio(ratio, *held_out(central, varied, settings)))


def _warn_of_copies(central: Sample, nu: Nu, sample: Sample) -> None:
    if len(sample) != len(central) or not np.array_equal(sample.events, central.events):
        return
    if np.array_equal(sample.weights, central.weights):
        text = (
            f"{sample.name}, at nu = {dict(nu)}, is identical to {central.name}: the nuisance will have no effect there"
        )
    else:
        text = (
            f"{sample.name}, at nu = {dict(nu)}, holds the events of {central.name} with other weights:"
            " learn_from_weights learns more from them"
        )
    warnings.warn(text, stacklevel=3)
