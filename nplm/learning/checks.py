"""The checks of a learned log-ratio."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float64, Int64

from nplm.data.sample import Sample, require_same_features
from nplm.learning.learned_ratio import LearnedLogRatio
from nplm.learning.validation import Calibration, Check, Curve, RatioValidation, described
from nplm.nuisance.ratios.quadratic_fit import fit_terms, quadratic_terms, term_names, term_values
from nplm.nuisance.values import nu_of

Nu = Mapping[str, float]

MOST_BINS = 20
# Fewest effective events in a bin, of central and varied sample each: chi2 needs yields that are nearly Gaussian.
_BIN_EVENTS = 50.0
LEVEL = 0.01
# Data of the expected yield have some variance in each bin; so small a share of it is added to that of the comparison.
# A bias whose square is a tenth of that variance, summed over the bins, thus adds 5 to chi2: a test does not see it.
_RESOLUTION = 0.02
# The expected yield is the sum of the weights, or what so small a share of the effective events would be.
_LEAST_YIELD = 0.2


def validate_ratio(
    ratio: LearnedLogRatio,
    central: Sample,
    varied: Sequence[tuple[Nu, Sample]],
    *,
    paired: bool = False,
    level: float = LEVEL,
) -> RatioValidation:
    """Compares the central sample, reweighted by r, with varied samples; best on events r was not learned from.

    For each varied sample: yields in bins of each feature, the total yield, and the classifier c = 1 / (1 + r), whose
    sums of w (1 - c) over central events and of w c over varied ones must agree in bins of c. For each feature: the
    terms of log r that a histogram gives, against those of the reweighted central sample. Errors are the statistical
    ones of both samples, whose totals are taken as known, the spread of the ensemble, and a small part of the error
    that data of the expected yield would have: no quadratic form is right to any accuracy, and what such data cannot
    resolve does no harm.

    Arguments:
        ratio: r.
        central: the sample at nu = 0; its weights add up to its yield.
        varied: points nu by name, with the samples there. With yields factored out of r, they are scaled.
        paired: the varied samples are the central events with other weights. What noise they share is left out then,
            and the difference is compared with the error that an independent sample of that size would have.
        level: chance that a right ratio fails.

    Raises:
        ValueError: if samples have other features, or hold too few events.
    """
    moved = [(nu, _scaled(ratio, central, nu, sample)) for nu, sample in varied]
    members = ratio.member_basis(central.events)

    def evaluated(nu: Nu, sample: Sample) -> Evaluated:
        c = _coefficients(ratio, nu)
        log_r = c[0] + members @ c[1:]
        return Evaluated(log_r.mean(axis=0), log_r, _at(ratio, sample, c))

    checks, curves, calibrations = compared(central, moved, evaluated, paired=paired)
    for feature in central.features:
        checks += _of_terms(ratio, [curve for curve in curves if curve.feature == feature], resolution_of(central))
    return RatioValidation(tuple(checks), tuple(curves), tuple(calibrations), level)


class Evaluated(NamedTuple):
    """A log-ratio at one point.

    Arguments:
        mean: log r at the central events, shape (n,).
        of_members: that of each member of the ensemble, shape (members, n).
        of_varied: log r at the events of the varied sample, shape (m,).
    """

    mean: Float64[np.ndarray, " n"]
    of_members: Float64[np.ndarray, "members n"]
    of_varied: Float64[np.ndarray, " m"]


def compared(
    central: Sample,
    moved: Sequence[tuple[Nu, Sample]],
    evaluated: Callable[[Nu, Sample], Evaluated],
    *,
    paired: bool,
) -> tuple[list[Check], list[Curve], list[Calibration]]:
    """The central sample, reweighted by r at each point, against the varied one there.

    Arguments:
        central: the sample at 0.
        moved: the points, with the samples there.
        evaluated: log r at a point, at the central events and at those of the sample there.
        paired: see `validate_ratio`.
    """
    checks: list[Check] = []
    curves: list[Curve] = []
    calibrations: list[Calibration] = []
    edges = {name: _edges(central, [sample for _, sample in moved], name) for name in central.features}
    for nu, sample in moved:
        log_r = evaluated(nu, sample)
        comparison = _Comparison(central, sample, log_r.mean, log_r.of_members, paired)
        for j, feature in enumerate(central.features):
            curve, check = comparison.of_feature(j, feature, edges[feature], nu)
            curves.append(curve)
            checks.append(check)
        checks.append(comparison.of_yield(nu))
        calibration, check = comparison.of_classifier(log_r.of_varied, nu)
        calibrations.append(calibration)
        checks.append(check)
    return checks, curves, calibrations


def resolution_of(central: Sample) -> float:
    """What is added to the variance of a yield, as a multiple of it."""
    expected = max(central.total_weight, _LEAST_YIELD * central.effective_size)
    return _RESOLUTION * central.total_weight / expected


def coverage(
    ratio: LearnedLogRatio,
    events: Float64[np.ndarray, "n d"],
    truth: Float64[np.ndarray, "n q"] | LearnedLogRatio,
) -> Float64[np.ndarray, " q"]:
    """sqrt(mean of squared errors / mean of squared spreads) of each function of the event: 1 if spreads are errors.

    Arguments:
        ratio: learned.
        events: where to look.
        truth: d1, d2 and d_ij there, or another ratio that was learned from other events, such as the other half.
    """
    difference, variance = ratio.basis(events), ratio.spread(events) ** 2
    if isinstance(truth, LearnedLogRatio):
        difference, variance = difference - truth.basis(events), variance + truth.spread(events) ** 2
    else:
        difference = difference - truth
    return np.sqrt((difference**2).mean(axis=0) / variance.mean(axis=0))


class _Comparison:
    """The central sample, reweighted by each member, against a varied one."""

    def __init__(
        self,
        central: Sample,
        varied: Sample,
        log_r: Float64[np.ndarray, " n"],
        of_members: Float64[np.ndarray, "members n"],
        paired: bool,
    ) -> None:
        self.central, self.varied, self.paired = central, varied, paired
        self.resolution = resolution_of(central)
        self.r = np.exp(log_r)
        self.weights = central.weights * self.r
        self.of_members = central.weights * np.exp(of_members) if len(of_members) > 1 else None

    def of_feature(self, column: int, feature: str, edges: Float64[np.ndarray, " e"], nu: Nu) -> tuple[Curve, Check]:
        """Yields in bins of a feature."""
        count = len(edges) - 1
        here, there = (_bins(edges, sample.events[:, column]) for sample in (self.central, self.varied))
        reweighted = np.bincount(here, self.weights, count)
        varied = np.bincount(there, self.varied.weights, count)
        of_central, of_varied = _covariance(here, self.weights, count), _covariance(there, self.varied.weights, count)
        of_ensemble = self._of_ensemble(here, count)
        if self.paired:
            of_central = _covariance(here, self.weights - self.varied.weights, count)
        resolved = np.diag(self.resolution * np.maximum(varied, 0))
        statistic, dof = _chi2(reweighted - varied, of_central + of_varied + of_ensemble + resolved)
        curve = Curve(
            feature=feature,
            nu=nu,
            edges=edges,
            central=np.bincount(here, self.central.weights, count),
            varied=varied,
            varied_error=np.sqrt(np.diag(of_varied)),
            reweighted=reweighted,
            reweighted_error=np.sqrt(np.diag(of_central + of_ensemble)),
        )
        return curve, Check("feature", feature, nu, statistic, dof)

    def of_yield(self, nu: Nu) -> Check:
        """The total."""
        w, r = self.central.weights, self.r
        mean = self.weights.sum() / w.sum()
        variance = float((w**2 * (r - mean) ** 2).sum())
        if self.paired:
            spread = self.weights - self.varied.weights
            variance += float(((spread - w * spread.sum() / w.sum()) ** 2).sum())
        if self.of_members is not None:
            variance += float(self.of_members.sum(axis=1).var(ddof=1))
        variance += self.resolution * self.varied.total_weight
        return Check("yield", "", nu, float((self.weights.sum() - self.varied.total_weight) ** 2 / variance), 1)

    def of_classifier(self, of_varied: Float64[np.ndarray, " m"], nu: Nu) -> tuple[Calibration, Check]:
        """Shares of central events in bins of c."""
        here, there = 1 / (1 + self.r), 1 / (1 + np.exp(of_varied))
        w, v = self.central.weights, self.varied.weights
        edges = _quantile_edges(np.concatenate([here, there]), _count(self.central, self.varied))
        count = len(edges) - 1
        in_here, in_there = _bins(edges, here), _bins(edges, there)
        zero, one = np.bincount(in_here, w, count), np.bincount(in_there, v, count)
        predicted = (np.bincount(in_here, w * here, count) + np.bincount(in_there, v * there, count)) / (zero + one)
        difference = np.bincount(in_here, w * (1 - here), count) - np.bincount(in_there, v * there, count)
        covariance = _covariance(in_here, w * (1 - here), count) + _covariance(in_there, v * there, count)
        covariance += np.diag(self.resolution * np.abs(np.bincount(in_there, v * there, count)))
        if self.of_members is not None:
            share = self.of_members / (w + self.of_members) * np.where(w == 0, 0.0, w)
            binned = np.stack([np.bincount(in_here, row, count) for row in share])
            # Both sums move, in opposite directions, with log r: c (1 - c) of all events, twice that of the central.
            covariance += 4 * np.atleast_2d(np.cov(binned.T))
        statistic, dof = _chi2(difference, covariance)
        error = np.sqrt(np.diag(covariance)) / (zero + one)
        return Calibration(nu, predicted, zero / (zero + one), error), Check("calibration", "", nu, statistic, dof)

    def _of_ensemble(self, bins: Int64[np.ndarray, " n"], count: int) -> Float64[np.ndarray, "bins bins"]:
        if self.of_members is None:
            return np.zeros((count, count))
        binned = np.stack([np.bincount(bins, weights, count) for weights in self.of_members])
        return np.atleast_2d(np.cov(binned.T))


def _of_terms(ratio: LearnedLogRatio, curves: Sequence[Curve], resolution: float) -> list[Check]:
    """What is left of log r after reweighting, as terms of the quadratic form in each bin."""
    points = np.stack([nu_of(ratio.nuisances, curve.nu) for curve in curves])
    try:
        terms = quadratic_terms(ratio.nuisances, points)
    except ValueError:
        # Fewer variations than were learned from: there is nothing that they determine.
        return []
    varied, reweighted = (np.stack([getattr(c, name) for c in curves]) for name in ("varied", "reweighted"))
    if not ((varied > 0) & (reweighted > 0)).all():
        return []
    variances = np.stack([(c.varied_error / c.varied) ** 2 + resolution / c.varied for c in curves])
    common = np.mean([(c.reweighted_error / c.reweighted) ** 2 for c in curves], axis=0)
    values, errors = fit_terms(term_values(terms, points), np.log(varied / reweighted), variances, common)
    assert errors is not None
    return [
        Check("term", f"{name} in {curves[0].feature}", {}, float((row**2 / error**2).sum()), len(row))
        for name, row, error in zip(term_names(ratio.nuisances, terms), values, errors, strict=True)
    ]


def _scaled(ratio: LearnedLogRatio, central: Sample, nu: Nu, sample: Sample) -> Sample:
    require_same_features(central, sample)
    sample.require_yield()
    if ratio.yields == "keep":
        return sample
    return sample.scaled_to(central.total_weight * float(np.exp(_coefficients(ratio, nu)[0])))


def _coefficients(ratio: LearnedLogRatio, nu: Nu) -> Float64[np.ndarray, " q_plus_1"]:
    with jax.enable_x64(True):
        return np.asarray(ratio.coefficients(jnp.asarray(nu_of(ratio.nuisances, nu))))


def _at(ratio: LearnedLogRatio, sample: Sample, c: Float64[np.ndarray, " q_plus_1"]) -> Float64[np.ndarray, " n"]:
    return c[0] + ratio.basis(sample.events) @ c[1:]


def _count(*samples: Sample) -> int:
    return int(np.clip(min(sample.effective_size for sample in samples) / _BIN_EVENTS, 1, MOST_BINS))


def _edges(central: Sample, varied: Sequence[Sample], feature: str) -> Float64[np.ndarray, " e"]:
    column = central.features.index(feature)
    together = np.concatenate([sample.events[:, column] for sample in (central, *varied)])
    return _quantile_edges(together, _count(central, *varied))


def _quantile_edges(values: Float64[np.ndarray, " n"], count: int) -> Float64[np.ndarray, " e"]:
    """Edges of bins with equal numbers of events; fewer bins where values repeat."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, count + 1)))
    return edges if len(edges) > 1 else np.array([edges[0], edges[0] + 1.0])


def _bins(edges: Float64[np.ndarray, " e"], values: Float64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    return np.searchsorted(edges[1:-1], values, side="right")


def _covariance(
    bins: Int64[np.ndarray, " n"], weights: Float64[np.ndarray, " n"], count: int
) -> Float64[np.ndarray, "bins bins"]:
    """Of the yields in bins of a sample whose number of events is fixed."""
    total = np.bincount(bins, weights, count)
    return np.diag(np.bincount(bins, weights**2, count)) - np.outer(total, total) / max(len(weights), 1)


def _chi2(difference: Float64[np.ndarray, " bins"], covariance: Float64[np.ndarray, "bins bins"]) -> tuple[float, int]:
    """d^T C^-1 d, and its degrees of freedom: directions that cannot fluctuate, such as a total, do not count."""
    values, vectors = np.linalg.eigh(covariance)
    known = values > 1e-9 * values.max()
    return float(((vectors.T @ difference)[known] ** 2 / values[known]).sum()), int(known.sum())


def describe_checks(validation: RatioValidation) -> list[tuple[str, str, str, str]]:
    """The checks as rows of a table: what, where, chi2 / degrees of freedom, p-value with a verdict."""
    limit = validation.level / len(validation.checks)
    return [
        (
            f"{check.kind} {check.subject}".strip(),
            described(check.nu) if check.nu else "all points",
            f"{check.chi2:.1f} / {check.dof}",
            f"{check.p_value:.2g}" + ("" if check.p_value >= limit else " FAILED"),
        )
        for check in validation.checks
    ]
