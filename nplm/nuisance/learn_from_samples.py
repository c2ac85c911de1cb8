"""Log-ratios from samples that were simulated at several values of the nuisances."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float64, Int64

from nplm.ensemble.plan import summary
from nplm.nuisance.learned_ratio import LearnedLogRatio, LearnedTerms, Yields
from nplm.nuisance.quadratic_fit import term_values
from nplm.nuisance.ratio_loss import Rows, in_chunks
from nplm.nuisance.ratio_network import RatioNetwork
from nplm.nuisance.ratio_settings import Group, RatioSettings, effects_of, groups_of, held_out, inputs_of
from nplm.nuisance.ratio_training import fit_rows
from nplm.nuisance.validate_ratio import validate_ratio
from nplm.sample import Sample, Scaler, require_same_features, require_varying

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

    The classifier c(x) = 1 / (1 + r(x; nu)) minimises, summed over the varied samples m (arXiv:2111.13633, section
    3.2; arXiv:2007.10356),

        sum_central w [1 - c(x; nu_m)]^2 + sum_varied w c(x; nu_m)^2,

    or the cross-entropy of the same c; at the minimum r is the ratio of the densities of weight. d1 and d2 of each
    nuisance are networks of their own, and so is d_ij of each pair that some samples vary together. At given points
    the yields are made exact: a constant in d1, d2 and d_ij sees to it that sum w r is the varied sample's total.

    Arguments:
        central: the sample at nu = 0; its weights add up to its yield.
        varied: points nu by name, with independent samples there: at least two different values for each nuisance
            alone, and, for cross terms, points that move two nuisances.
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
    if settings.form == "positive" and any(len(group.moved) > 1 for group in groups):
        raise ValueError(
            "the positive form has no cross terms: leave out samples that vary two nuisances, or learn the"
            " exponential form"
        )
    for nu, sample in varied:
        require_same_features(central, sample.require_yield())
        _warn_of_copies(central, nu, sample)
    samples = [central, *(sample for _, sample in varied)]
    scaled = [s.scaled_to(central.total_weight) for s in samples] if yields == "factor-out" else samples
    rows = [settings.split(sample, number) for number, sample in enumerate(scaled)]
    learner = _Learner(names, scaled, rows, seen, settings)
    parts: tuple[LearnedTerms, ...] = ()
    with jax.enable_x64(True):
        for group in groups:
            part = learner.learn(group, parts)
            parts = (*parts, part if settings.form == "positive" else learner.with_exact_yields(group, part, parts))
    ratio = LearnedLogRatio(names, central.features, parts, yields, effects, summary(central))
    return ratio.with_validation(validate_ratio(ratio, *held_out(central, varied, settings)))


@dataclass(frozen=True, eq=False)
class _Learner:
    """Learns one group of points after the other.

    Arguments:
        names: of the nuisances.
        samples: the central one, and the varied ones in their order.
        rows: of each for training, and held out.
        inputs: features of each nuisance.
        settings: how to learn.
    """

    names: tuple[str, ...]
    samples: Sequence[Sample]
    rows: Sequence[tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " m"]]]
    inputs: Mapping[str, tuple[str, ...]]
    settings: RatioSettings

    def learn(self, group: Group, parts: tuple[LearnedTerms, ...]) -> LearnedTerms:
        """The networks of the group's terms; those of a pair on top of what its two nuisances do alone."""
        settings, central = self.settings, self.samples[0]
        seen = tuple(dict.fromkeys(name for i in group.moved for name in self.inputs[self.names[i]]))
        columns = [central.features.index(name) for name in seen]
        scaler = Scaler.fit(Sample(central.events[:, columns], central.weights, seen, central.name))
        reach = np.abs(group.nu).max(axis=0)
        factors = _factors(group, reach, settings)
        network = RatioNetwork(len(seen), settings.hidden)
        unit = len(central) / np.abs(central.weights).sum()
        thetas, records = [], []
        for member in range(settings.members):
            train, held = (
                self._stacked(group, factors, scaler, columns, unit, parts, member, which) for which in (0, 1)
            )
            theta, record = fit_rows(
                network,
                settings.loss,
                settings.form,
                factors.shape[1],
                train,
                held,
                settings.generator(2, member, *group.moved),
                settings.iterations,
                settings.tolerance,
            )
            thetas.append(theta)
            records.append(record)
        scale = _scale(group, reach)
        return LearnedTerms(group.terms, seen, scaler, scale, network, np.stack(thetas), settings.form, tuple(records))

    def with_exact_yields(self, group: Group, part: LearnedTerms, parts: tuple[LearnedTerms, ...]) -> LearnedTerms:
        """Constants added to d so that sum w r is the varied total, at each point or by least squares over them."""
        central = self.samples[0]
        design = term_values(group.terms, _full(group, len(self.names)))
        values = part.values(central.events, central.features)
        missing = np.empty((len(values), len(design)))
        for m, (v, number) in enumerate(zip(design, group.numbers, strict=True)):
            for member, g in enumerate(values):
                log_r = g @ v + self._alone(group, m, parts, member, central.events)
                missing[member, m] = np.log(self.samples[number].total_weight / (central.weights @ np.exp(log_r)))
        return part.shifted(np.linalg.lstsq(design, missing.T, rcond=None)[0].T)

    def _stacked(
        self,
        group: Group,
        factors: Float64[np.ndarray, "m T"],
        scaler: Scaler,
        columns: Sequence[int],
        unit: float,
        parts: tuple[LearnedTerms, ...],
        member: int,
        held: int,
    ) -> Rows:
        """Rows of the central sample and of a varied one, for each point, in an order at random."""
        x, terms, offset, zero, one, times = [], [], [], [], [], []
        for m, number in enumerate(group.numbers):
            for which in (0, number):
                sample, rows = self.samples[which], self.rows[which][held]
                events, weights = sample.events[rows], unit * sample.weights[rows]
                x.append(scaler(events[:, columns]))
                terms.append(np.tile(factors[m], (len(rows), 1)))
                offset.append(self._alone(group, m, parts, member, events))
                zero.append(weights if which == 0 else np.zeros(len(rows)))
                one.append(weights if which != 0 else np.zeros(len(rows)))
                times.append(np.ones(len(rows)) if held else self.settings.times(member, which, len(rows)))
        order = self.settings.generator(3).permutation(sum(map(len, x)))
        return in_chunks(*(np.concatenate(values)[order] for values in (x, terms, offset, zero, one, times)))

    def _alone(
        self,
        group: Group,
        m: int,
        parts: tuple[LearnedTerms, ...],
        member: int,
        events: Float64[np.ndarray, "n d"],
    ) -> Float64[np.ndarray, " n"]:
        """For a pair: log r of a member from each nuisance alone."""
        total = np.zeros(len(events))
        if len(group.moved) == 1:
            return total
        for i, value in zip(group.moved, group.nu[m], strict=True):
            (alone,) = (part for part in parts if part.terms[0] == (i, -1))
            of_member = alone.only(member)
            total += of_member.values(events, self.samples[0].features)[0] @ np.array([value, value**2 / 2])
        return total


def _full(group: Group, count: int) -> Float64[np.ndarray, "m k"]:
    full = np.zeros((len(group.nu), count))
    full[:, group.moved] = group.nu
    return full


def _scale(group: Group, reach: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, " T"]:
    """Sizes of nu that outputs are divided by: those of nu and nu^2, or of nu_i nu_j."""
    return np.array([reach[0], reach[0] ** 2]) if len(group.moved) == 1 else np.array([reach[0] * reach[1]])


def _factors(group: Group, reach: Float64[np.ndarray, " k"], settings: RatioSettings) -> Float64[np.ndarray, "m T"]:
    """What multiplies the networks' outputs at each point, in units of the largest nu."""
    u = group.nu / reach
    if len(group.moved) == 2:
        return u.prod(axis=1, keepdims=True)
    return np.column_stack([u[:, 0], u[:, 0] if settings.form == "positive" else u[:, 0] ** 2 / 2])


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
