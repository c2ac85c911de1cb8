"""Networks for the terms of log r, learned by a classifier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float64, Int64

from nplm.data.sample import Sample
from nplm.data.scaler import Scaler
from nplm.learning.learned_ratio import LearnedTerms
from nplm.learning.loss import Rows, in_chunks
from nplm.learning.network import RatioNetwork
from nplm.learning.settings import Group, RatioSettings
from nplm.learning.training import fit_rows
from nplm.nuisance.ratios.quadratic_fit import term_values


@dataclass(frozen=True, eq=False)
class Learner:
    """Learns log r by telling varied samples from the central one, one group of points after the other.

    Arguments:
        names: of the nuisances.
        samples: the central one, and the varied ones in their order.
        rows: of each for training, and held out.
        inputs: features of each nuisance.
        settings: how to learn.
        paired: whether the varied samples are the central events with other weights. Then what an event adds to the
            loss vanishes, with its noise, where r(x) is the ratio of its own weights.
    """

    names: tuple[str, ...]
    samples: Sequence[Sample]
    rows: Sequence[tuple[Int64[np.ndarray, " _"], Int64[np.ndarray, " _"]]]
    inputs: Mapping[str, tuple[str, ...]]
    settings: RatioSettings
    paired: bool = False

    def learn_all(self, groups: Sequence[Group]) -> tuple[LearnedTerms, ...]:
        """The networks of all groups, those of pairs last."""
        parts: tuple[LearnedTerms, ...] = ()
        with jax.enable_x64(True):
            for group in groups:
                part = self.learn(group, parts)
                exact = self.settings.form == "exponential"
                parts = (*parts, self.with_exact_yields(group, part, parts) if exact else part)
        return parts

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
                with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
                    total = central.weights @ np.exp(log_r)
                    missing[member, m] = np.log(self.samples[number].total_weight / total)
        if not np.isfinite(missing).all():
            raise ValueError(
                f"the log-ratio of {', '.join(self.names[i] for i in group.moved)} that the networks found makes no"
                " positive yield of the central sample: learn it with fewer neurons, from more events, or from"
                " variations of another size"
            )
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
            for which in (0,) if self.paired else (0, number):
                sample, rows = self.samples[which], self.rows[which][held]
                events, weights = sample.events[rows], unit * sample.weights[rows]
                nothing = np.zeros(len(rows))
                x.append(scaler(events[:, columns]))
                terms.append(np.tile(factors[m], (len(rows), 1)))
                offset.append(self._alone(group, m, parts, member, events))
                zero.append(weights if which == 0 else nothing)
                there = unit * self.samples[number].weights[rows] if self.paired else weights
                one.append(there if self.paired or which != 0 else nothing)
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
            powers = np.array([value, value**2 / 2])[: len(alone.terms)]
            total += of_member.values(events, self.samples[0].features)[0] @ powers
        return total


def _full(group: Group, count: int) -> Float64[np.ndarray, "m k"]:
    full = np.zeros((len(group.nu), count))
    full[:, group.moved] = group.nu
    return full


def _scale(group: Group, reach: Float64[np.ndarray, " k"]) -> Float64[np.ndarray, " T"]:
    """Sizes of nu that outputs are divided by: those of nu and nu^2, or of nu_i nu_j."""
    return (
        np.array([reach[0], reach[0] ** 2])[: len(group.terms)] if len(group.moved) == 1 else reach.prod(keepdims=True)
    )


def _factors(group: Group, reach: Float64[np.ndarray, " k"], settings: RatioSettings) -> Float64[np.ndarray, "m T"]:
    """What multiplies the networks' outputs at each point, in units of the largest nu."""
    u = group.nu / reach
    if len(group.moved) == 2:
        return u.prod(axis=1, keepdims=True)
    second = u[:, 0] if settings.form == "positive" else u[:, 0] ** 2 / 2
    return np.column_stack([u[:, 0], second])[:, : len(group.terms)]
