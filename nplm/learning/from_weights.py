"""Log-ratios from events that carry weights for several values of the nuisances."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import jax
import numpy as np
from jaxtyping import Float64
from numpy.typing import ArrayLike

from nplm.data.fingerprint import summary
from nplm.data.sample import Sample, require_varying
from nplm.data.scaler import Scaler
from nplm.learning.checks import validate_ratio
from nplm.learning.learned_ratio import LearnedLogRatio, LearnedTerms, Yields
from nplm.learning.learner import Learner
from nplm.learning.loss import Rows, in_chunks
from nplm.learning.network import RatioNetwork
from nplm.learning.relative_weights import absolute
from nplm.learning.settings import RatioSettings, effects_of, groups_of, held_out, inputs_of
from nplm.learning.training import FitRecord, fit_rows
from nplm.nuisance.ratios.quadratic_fit import Term

Nu = Mapping[str, float]
# dw/dnu_i, d^2 w/dnu_i^2 and d^2 w/dnu_i dnu_j of each event at nu = 0.
Derivatives = dict[Term, Float64[np.ndarray, " n"]]


def learn_from_weights(
    central: Sample,
    varied: Sequence[tuple[Nu, ArrayLike]],
    *,
    relative: bool | None = None,
    inputs: Mapping[str, Sequence[str]] | None = None,
    yields: Yields = "keep",
    yield_effect: Mapping[str, float] | None = None,
    settings: RatioSettings | None = None,
) -> LearnedLogRatio:
    """Learns log r(x; nu) from the weights w(nu) that the same events have at several points nu.

    The ratio of weights that events carry depends on more than x; what x knows of it is its mean,

        r(x; nu_m) = E_w[w(nu_m) / w | x],

    which is where the loss of `learn_from_samples` has its minimum, the central events serving as the varied sample
    too. Through two points of a nuisance log r = nu d1 + nu^2 d2 / 2 passes exactly; of one point it is linear; through
    more it passes as closely as it can.

    Arguments:
        central: the events with their weights at nu = 0.
        varied: points nu by name, with the weights of the events there, shape (n,): two values or more for each
            nuisance alone (one, of a one-sided systematic), and, for cross terms, points that move two nuisances.
        relative: whether the weights are given relative to those at nu = 0, as NanoAOD's LHEScaleWeight is; None to
            tell by their sums and signs, see `nplm.learning.relative_weights`.
        inputs, yields, yield_effect, settings: see `learn_from_samples`.

    Returns:
        The log-ratio, validated on events that were held out.

    Raises:
        ValueError: if weights have another shape or are not finite, do not add up to a positive yield, or the points
            do not determine the terms.
    """
    settings = settings or RatioSettings()
    names, groups = groups_of(varied)
    effects = effects_of(names, yields, yield_effect)
    central.require_yield()
    require_varying(central)
    seen = inputs_of(names, central.features, inputs)
    moved = []
    for nu, given in varied:
        values = _of_events(central, given, f"weights at nu = {dict(nu)}")
        weights = absolute(central, values, relative)
        if np.array_equal(weights, central.weights):
            warnings.warn(f"the weights at nu = {dict(nu)} are those of {central.name}: no effect there", stacklevel=2)
        moved.append((nu, replace(central, weights=weights, name=f"{central.name} at {dict(nu)}").require_yield()))
    samples = [central, *(sample for _, sample in moved)]
    if yields == "factor-out":
        samples = [sample.scaled_to(central.total_weight) for sample in samples]
    rows = [settings.split(central, 0)] * len(samples)
    parts = Learner(names, samples, rows, seen, settings, paired=True).learn_all(groups)
    ratio = LearnedLogRatio(names, central.features, parts, yields, effects, summary(central)).converged_only()
    return ratio.with_validation(validate_ratio(ratio, *held_out(central, moved, settings, paired=True), paired=True))


def learn_from_scores(
    central: Sample,
    first: Mapping[str, ArrayLike],
    second: Mapping[str, ArrayLike],
    scales: Mapping[str, float],
    *,
    cross: Mapping[tuple[str, str], ArrayLike] | None = None,
    inputs: Mapping[str, Sequence[str]] | None = None,
    yields: Yields = "keep",
    yield_effect: Mapping[str, float] | None = None,
    settings: RatioSettings | None = None,
) -> LearnedLogRatio:
    """Learns log r(x; nu) from derivatives that a generator knows for each event, as from its latent variables.

    t = d log p(x, z | nu)/dnu at nu = 0 is the joint score (arXiv:1805.00013). It depends on more than x; by least
    squares on what x knows of it

        d1 = E_w[w'/w | x],   d2 = E_w[w''/w | x] - d1^2,   d_ij = E_w[w_ij/w | x] - d1_i d1_j,

    so that E_w[w''/w | x] = E[dt/dnu + t^2 | x] with t = w'/w: the variance of the score at given x is part of d2. What
    is regressed for d2 is w''/w - d1 (2 t - d1), whose mean is the same, and to which an error of d1 matters little.

    Arguments:
        central: the events with their weights at nu = 0.
        first: t = w'/w of each event, for each nuisance.
        second: w''/w = dt/dnu + t^2 of each event, for each nuisance.
        scales: size of nu that matters, such as sigma, for each nuisance; the validation moves weights by as much.
        cross: w_ij/w = dt_i/dnu_j + t_i t_j of each event, for pairs on request.
        inputs, yields, yield_effect, settings: see `learn_from_samples`.

    Raises:
        ValueError: if a nuisance lacks something, or values have another shape or are not finite.
    """
    names = tuple(first)
    for what, given in (("second", second), ("scales", scales)):
        if set(given) != set(names):
            raise ValueError(f"{what} is for {', '.join(given)}, but first is for {', '.join(names)}: they must match")
    if not names:
        raise ValueError("first names no nuisance: give the score of one or more")
    for name, scale in scales.items():
        if not (np.isfinite(scale) and scale > 0):
            raise ValueError(f"the scale of '{name}' must be a positive number, not {scale}")
    w = central.weights
    derivatives: Derivatives = {}
    for i, name in enumerate(names):
        derivatives[i, -1] = w * _of_events(central, first[name], f"the first derivative of '{name}'")
        derivatives[i, i] = w * _of_events(central, second[name], f"the second derivative of '{name}'")
    for (a, b), values in (cross or {}).items():
        if a == b or a not in names or b not in names:
            raise ValueError(f"cross names the pair {a}, {b}, which must be two of {', '.join(names)}")
        i, j = sorted((names.index(a), names.index(b)))
        derivatives[i, j] = w * _of_events(central, values, f"the cross derivative of '{a}' and '{b}'")
    moved = []
    for i, name in enumerate(names):
        for nu in (scales[name], -scales[name]):
            weights = w + nu * derivatives[i, -1] + nu**2 / 2 * derivatives[i, i]
            moved.append(({name: nu}, replace(central, weights=weights).require_yield()))
    return _learn(central, names, derivatives, scales, moved, inputs, yields, yield_effect, settings)


def _learn(
    central: Sample,
    names: tuple[str, ...],
    derivatives: Derivatives,
    scales: Mapping[str, float],
    moved: Sequence[tuple[Nu, Sample]],
    inputs: Mapping[str, Sequence[str]] | None,
    yields: Yields,
    yield_effect: Mapping[str, float] | None,
    settings: RatioSettings | None,
) -> LearnedLogRatio:
    settings = settings or RatioSettings()
    if settings.form == "positive":
        raise ValueError(
            "scores are learned from by least squares, in the exponential form; form='positive' is for samples, and for"
            " weights at several nu"
        )
    effects = effects_of(names, yields, yield_effect)
    central.require_yield()
    require_varying(central)
    seen = inputs_of(names, central.features, inputs)
    if yields == "factor-out":
        derivatives = _of_shapes(central, derivatives)
    groups: list[tuple[Term, ...]] = [((i, -1), (i, i)) for i in range(len(names))]
    groups += [(term,) for term in derivatives if term[1] > term[0]]
    with jax.enable_x64(True):
        parts: tuple[LearnedTerms, ...] = ()
        for terms in groups:
            parts = (*parts, _fit(central, names, terms, derivatives, scales, seen, settings, parts))
    ratio = LearnedLogRatio(names, central.features, parts, yields, effects, summary(central)).converged_only()
    kept = held_out(central, moved, settings, paired=True)
    return ratio.with_validation(validate_ratio(ratio, *kept, paired=True))


def _fit(
    central: Sample,
    names: tuple[str, ...],
    terms: tuple[Term, ...],
    derivatives: Derivatives,
    scales: Mapping[str, float],
    inputs: Mapping[str, tuple[str, ...]],
    settings: RatioSettings,
    parts: tuple[LearnedTerms, ...],
) -> LearnedTerms:
    """d1 and then d2 of one nuisance, or d_ij of a pair on top of their d1, one network each."""
    moved = sorted({i for term in terms for i in term if i >= 0})
    seen = tuple(dict.fromkeys(name for i in moved for name in inputs[names[i]]))
    columns = [central.features.index(name) for name in seen]
    scaler = Scaler.fit(Sample(central.events[:, columns], central.weights, seen, central.name))
    x = scaler(central.events[:, columns])
    scale = np.array([scales[names[i]] * (1.0 if j < 0 else scales[names[j]]) for i, j in terms])
    network = RatioNetwork(len(seen), settings.hidden)
    unit = len(central) / np.abs(central.weights).sum()
    train, held = settings.split(central, 0)
    order = settings.generator(3).permutation(len(train))
    thetas = np.zeros((settings.members, len(terms), network.parameters))
    records: list[FitRecord] = []
    part = LearnedTerms(terms, seen, scaler, scale, network, thetas, "exponential", ())
    linear = _Linear(central, (*parts, part))
    for member in range(settings.members):
        drawn = settings.times(member, 0, len(train))[order]
        for t, term in enumerate(terms):
            moments = linear.reduced(term, derivatives, member) * scale[t]

            def rows_of(rows: np.ndarray, drawn: np.ndarray, moments: np.ndarray = moments) -> Rows:
                w, v, zeros = unit * central.weights[rows], unit * moments[rows], np.zeros(len(rows))
                return in_chunks(x[rows], np.ones((len(rows), 1)), zeros, w, v, drawn)

            theta, record = fit_rows(
                network,
                "regression",
                "exponential",
                1,
                rows_of(train[order], drawn),
                rows_of(held, np.ones(len(held))),
                settings.generator(2, member, term[0], term[1] + 1),
                settings.iterations,
                settings.tolerance,
            )
            thetas[member, t] = theta[0]
            records.append(record)
            # The derivatives of the yield are known exactly.
            found = part.only(member).values(central.events, central.features)[0, :, t]
            missing = linear.total(term, derivatives, member) - central.weights @ found
            thetas[member, t, network.layout.parameters - 1] += scale[t] * missing / central.total_weight
    return replace(part, records=tuple(records))


@dataclass(frozen=True, eq=False)
class _Linear:
    """d1 of the members, as far as they are learned, at the central events."""

    central: Sample
    parts: tuple[LearnedTerms, ...]

    def d1(self, i: int, member: int) -> Float64[np.ndarray, " n"]:
        """d1 of a nuisance."""
        (part,) = (part for part in self.parts if part.terms[0] == (i, -1))
        return part.only(member).values(self.central.events, self.central.features)[0, :, 0]

    def reduced(self, term: Term, derivatives: Derivatives, member: int) -> Float64[np.ndarray, " n"]:
        """What is regressed, times w: w' for d1, else w_ij - d1_i w'_j - d1_j w'_i + w d1_i d1_j."""
        i, j = term
        if j < 0:
            return derivatives[term]
        of_i, of_j = self.d1(i, member), self.d1(j, member)
        change = of_i * derivatives[j, -1] + of_j * derivatives[i, -1]
        return derivatives[term] - change + self.central.weights * of_i * of_j

    def total(self, term: Term, derivatives: Derivatives, member: int) -> float:
        """sum w d that makes the derivative of the yield exact."""
        i, j = term
        known = float(derivatives[term].sum())
        return known if j < 0 else known - float(self.central.weights @ (self.d1(i, member) * self.d1(j, member)))


def _of_shapes(central: Sample, derivatives: Derivatives) -> Derivatives:
    """Derivatives of w(nu) W(0) / W(nu), with W the total: those of the shape alone."""
    w, total = central.weights, central.total_weight
    y = {term: values.sum() / total for term, values in derivatives.items()}
    found: Derivatives = {}
    for (i, j), values in derivatives.items():
        if j < 0:
            found[i, j] = values - w * y[i, j]
        else:
            of_i, of_j = derivatives[i, -1], derivatives[j, -1]
            found[i, j] = values - of_i * y[j, -1] - of_j * y[i, -1] - w * (y[i, j] - 2 * y[i, -1] * y[j, -1])
    return found


def _of_events(central: Sample, given: ArrayLike, what: str) -> Float64[np.ndarray, " n"]:
    values = np.asarray(given, dtype=np.float64)
    if values.shape != (len(central),):
        raise ValueError(
            f"{what} must have shape ({len(central)},), one value for each event of {central.name}, not {values.shape}"
        )
    if not np.isfinite(values).all():
        row = int(np.argmin(np.isfinite(values)))
        raise ValueError(
            f"{what} is {values[row]} for event {row} of {central.name}: leave out the event, or repair it"
        )
    return values
