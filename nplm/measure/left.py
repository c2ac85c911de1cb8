"""Whether anything is left once a model has been fitted: the family of tests with the parameters projected out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float64

from nplm._util.blas import blas_threads
from nplm.data.sample import Sample
from nplm.family.calibration import calibrated
from nplm.family.draws import null_draws
from nplm.family.fit import MemberFit, fit_rows
from nplm.family.intervals import Interval, largest_root
from nplm.family.member import Part
from nplm.family.pvalue import FamilyNull
from nplm.family.settings import CLASSES, YIELD, FamilySettings
from nplm.family.spread import Spread, equal_masses
from nplm.family.statistic import Family, Members, combined
from nplm.family.words import leading_interval, leading_words, number_of, scaled_words, test_names
from nplm.measure.projected_intervals import Drawn, ProjectedIntervals
from nplm.measure.projection import Fitted, ProjectedPart, projected
from nplm.two_sample.calibration import Kind, TwoSampleCalibration
from nplm.two_sample.pooled import Pool

_STREAM = 0x6C656674
# Events that are drawn one by one in all samples without a difference together: of a large reference bags are enough;
# of data there are more, so that counts in intervals have their law.
_MOST_DRAWN, _MOST_OF_DATA = 4_000_000, 10_000_000


@dataclass(frozen=True, eq=False)
class PointOfFit:
    """A fitted model at the events of a sample of it and of the data.

    Arguments:
        sample: events that the fitted model expects: the reference with weights w r, or a sample from the fit.
        data: the data.
        of_sample, of_data: scores, the derivatives of log density (or of log r) by the parameters, at their events.
        yields: whether the parameters move the yield, which is compared too.
        stiffness: second derivatives of -log L(nu | A), what is known of parameters from elsewhere, shape (K, K).
        gradient: of minus the log-likelihood at the parameters, auxiliary measurements included, shape (K,), which is 0
            at a maximum; None to take the scores of these samples.
        noise_of_yield: variance of the sample's yield by its own fluctuation.
    """

    sample: Sample
    data: Sample
    of_sample: Float64[np.ndarray, "n K"]
    of_data: Float64[np.ndarray, "m K"]
    yields: bool
    stiffness: Float64[np.ndarray, "K K"]
    gradient: Float64[np.ndarray, " K"] | None = None
    noise_of_yield: float = 0.0


@dataclass(frozen=True, eq=False)
class LeftFamily(Members):
    """The family of tests with parameters projected out.

    Arguments:
        base: the family of both samples, whose parts are those before.
        fitted: what was fitted.
        yield_left: what the yields differ by, in the units of scores.
    """

    base: Family
    fitted: Fitted
    yield_left: float

    @classmethod
    @blas_threads()
    def of(cls, at: PointOfFit, settings: FamilySettings, seed: int) -> LeftFamily:
        """Prepares it.

        Raises:
            ValueError: if samples cannot be compared, or the parameters can absorb every test there is.
        """
        pool = Pool.of(at.sample, at.data)
        family = Family.of(pool, settings, seed=seed)
        fitted, yield_left = _fitted(at, pool, family.spread)
        parts = projected(family.parts, fitted)
        found = [ProjectedIntervals.of_those(each, fitted) for each in family.intervals]
        intervals = tuple(each for each in found if each is not None)
        if not parts and not intervals:
            raise ValueError("the parameters can describe whatever the tests look at: nothing is left to be compared")
        # Rows beyond the events stand for fluctuations of yields and measurements.
        beyond = np.full(fitted.beyond.shape[1], fitted.unit)
        fourth, positive = (np.append(each, 0 * beyond) for each in (family.spread.fourth, family.spread.positive))
        spread = Spread(np.append(fitted.second, beyond), fourth, positive)
        base = replace(family, intervals=intervals)
        return cls(spread, tuple(parts), intervals, family.q, base, fitted, yield_left)

    @property
    def kind(self) -> tuple[Kind, str]:
        """Samples drawn from both, in which the fit follows to first order."""
        return "resampling", "pairs of samples drawn anew from both, whose fits follow to first order"

    def null(self, count: int, seed: int) -> Any:
        """Samples without a difference."""
        fitted = self.fitted
        rng = np.random.default_rng([seed, _STREAM])
        of_data = int(1.1 * self.base.pool.total_b * count)
        most = max(_MOST_DRAWN, min(of_data, _MOST_OF_DATA))
        drawn = null_draws(self.base.pool, self.base.spread, self.q, count, seed, most=most)
        noise = rng.standard_normal((count, fitted.beyond.shape[1]))
        of_parameters = Part(None, fitted.scores, np.ones(fitted.scores.shape[1]), ())
        (y_s,) = drawn.scores([of_parameters])
        own = np.zeros(count) if fitted.own is None else noise @ fitted.own
        return Drawn(drawn, y_s + noise @ fitted.beyond.T, own)

    @blas_threads()
    def t(self, draws: Any) -> Float64[np.ndarray, "L k"]:
        """t of each pair of samples in each member."""
        bases = [part.base for part in self.parts if isinstance(part, ProjectedPart) and part.base is not None]
        scores = draws.events.scores(bases)
        found = [np.zeros((draws.events.count, 0))]
        for part in self.parts:
            assert isinstance(part, ProjectedPart)
            y = draws.of_yield[:, None] if part.base is None else next(scores)
            found.append(part.of_scores(y, draws.y_s) ** 2 @ part.filters)
        return np.concatenate(found, axis=1)

    @cached_property
    def observed(self) -> Float64[np.ndarray, "one k"]:
        """t of the samples as they are, in each member, shape (1, k)."""
        return self.t(Drawn(self.base.observed(), self.fitted.left[None], np.array([self.yield_left])))

    # What follows makes it the samples as they are, see `nplm.family.statistic.Seen`.
    @property
    def root(self) -> Float64[np.ndarray, " one"] | None:
        """The largest of all intervals, in absolute value."""
        return largest_root(self.intervals)

    @property
    def names(self) -> tuple[str, str]:
        """The fitted model and the data."""
        return "the fit", "the data"

    @property
    def unit_masses(self) -> bool:
        """Whether masses of the data are numbers of events."""
        return bool(np.allclose(self.base.pool.masses[self.base.pool.in_b], 1.0))

    def edges(self, interval: Interval) -> tuple[float, float]:
        """The smallest and the largest value of the feature in an interval."""
        return self.base.edges(interval)

    def width(self, feature: int, scale: float) -> float:
        """A scale in the units of a feature."""
        return self.base.width(feature, scale)

    def fit(self, member: int) -> MemberFit:
        """The fit of one member to the samples, in the directions that are left."""
        part, chosen = self.members[member]
        if chosen.kind == YIELD:
            return MemberFit(np.zeros(len(self.base.pool)), 1.0, 1.0, True)
        pool = self.base.pool
        phi = part.phi_in_pool(np.arange(len(pool)))[:, chosen.used]
        # f = b . phi has no mean in either sample's favour: the constant of the fit takes it.
        mass = self.base.spread.positive
        return fit_rows(part, chosen, self.q, phi, mass, np.where(pool.in_b, pool.masses, 0.0))


def _fitted(at: PointOfFit, pool: Pool, spread: Spread) -> tuple[Fitted, float]:
    """The parameters in the units of the family's scores, y = (1 - q) sum_B m phi - q sum_A m phi."""
    scores = np.concatenate([at.of_sample, at.of_data])[pool.order]
    q, n_b = pool.share, pool.total_b
    v0 = float(at.data.weights @ at.data.weights) / at.data.total_weight
    of_a, of_b = np.where(pool.in_b, 0.0, pool.masses), np.where(pool.in_b, pool.masses, 0.0)
    mean = pool.masses @ scores / pool.total
    # The yield moves with the mean of the fitted model.
    moved = of_a @ scores / of_a.sum() if at.yields else np.zeros(scores.shape[1])
    centred = scores - mean
    positive = pool.masses * q * (1 - q)
    same = equal_masses(pool.masses) and np.allclose(spread.second, positive)
    signed = spread.second if same else positive
    second = np.asarray(spread.second)
    signed = second if same else signed
    information = (centred * signed[:, None]).T @ centred
    expected = at.sample.total_weight
    information = information + (1 - q) * (expected / v0 * np.outer(moved, moved) + at.stiffness / v0)
    columns, own = [], None
    difference, of_yield = 0.0, np.zeros(scores.shape[1])
    if at.yields:
        deviation = np.sqrt(n_b + at.noise_of_yield / v0**2)
        columns.append((1 - q) * deviation * moved)
        difference = (1 - q) * (at.data.total_weight - expected) / v0
        of_yield = (1 - q) * expected / v0 * moved
    if at.stiffness.any():
        values, vectors = np.linalg.eigh(at.stiffness)
        kept = values > 1e-12 * values[-1]
        columns += list(((1 - q) / v0 * vectors[:, kept] * np.sqrt(values[kept])).T)
    beyond = np.array(columns).T if columns else np.zeros((scores.shape[1], 0))
    if at.yields:
        own = np.zeros(beyond.shape[1])
        own[0] = (1 - q) * np.sqrt(n_b + at.noise_of_yield / v0**2)
    if at.gradient is None:
        left = (1 - q) * of_b @ centred - q * of_a @ centred + difference * moved
    else:
        left = -(1 - q) / v0 * at.gradient
    return Fitted(centred, information, second, signed, beyond, own, of_yield, left), difference


@dataclass(frozen=True, eq=False)
class GoodnessOfFit:
    """Whether anything is left once a model has been fitted to the data.

    Arguments:
        statistic: T, the largest of -log(number of independent tests times smallest p) over the classes of tests.
        calibration: the p-value and what it stands on.
        tests: names of all tests.
        t: tau - Delta of each, to second order, shape (k,).
        expected_t: its mean under the null, shape (k,).
        log_p: local log p of each, shape (k,).
        leading: number of the test that leads.
        leading_words: where that is, in words.
        leading_features: features that it looks at.
        null: T of samples without a difference, shape (L,).
        parameters: that were projected out.
        classes: of the tests.
        toys: T of toys of the fitted model, each with its own fit, shape (n,); None without.
        notes: cautions.
    """

    statistic: float
    calibration: TwoSampleCalibration
    tests: tuple[str, ...]
    t: Float64[np.ndarray, " k"]
    expected_t: Float64[np.ndarray, " k"]
    log_p: Float64[np.ndarray, " k"]
    leading: int
    leading_words: str
    leading_features: tuple[str, ...]
    null: Float64[np.ndarray, " L"]
    parameters: tuple[str, ...]
    classes: tuple[str, ...] = CLASSES
    toys: Float64[np.ndarray, " n"] | None = None
    notes: tuple[str, ...] = ()

    def with_toys(self, toys: Float64[np.ndarray, " n"]) -> GoodnessOfFit:
        """With T of toys, each of which was fitted."""
        return replace(self, toys=toys)

    @property
    def settings(self) -> FamilySettings:
        """The members that were looked at."""
        return FamilySettings(classes=tuple(name for name in self.classes if name != YIELD))

    @property
    def p_value(self) -> float:
        """p of all tests together."""
        return self.calibration.p_value

    @property
    def z(self) -> float:
        """Its one-sided Z-score."""
        return self.calibration.z

    @property
    def toy_p_value(self) -> float | None:
        """(1 + #{T >= T_observed}) / (1 + n) of toys that were fitted; None without."""
        if self.toys is None:
            return None
        return float((1 + (self.toys >= self.statistic - 1e-9).sum()) / (1 + len(self.toys)))

    def __repr__(self) -> str:
        stands = f"p = {self.p_value:.3g}, Z = {self.z:.2f}"
        counted = "" if self.toys is None else f"; {self.toy_p_value:.3g} of {len(self.toys)} toys that were fitted"
        words = [f"goodness of fit: {stands}{counted}", f"  {self.calibration.null}"]
        words.append(f"  largest difference {self.leading_words}")
        return "\n".join([*words, *(f"  caution: {note}" for note in self.notes)])

    def to_dict(self) -> dict[str, Any]:
        """The numbers as JSON values."""
        order = np.argsort(self.log_p)[:20]
        return {
            "p_value": self.p_value,
            "z": self.z,
            "p_interval": list(self.calibration.p_interval),
            "stands_on": self.calibration.null,
            "statistic": self.statistic,
            "leading": {
                "words": self.leading_words,
                "features": list(self.leading_features),
                "t": float(self.t[self.leading]),
                "expected_t": float(self.expected_t[self.leading]),
                "local_p": float(np.exp(self.log_p[self.leading])),
            },
            "tests": [
                {"name": self.tests[i], "t": float(self.t[i]), "local_p": float(np.exp(self.log_p[i]))} for i in order
            ],
            "parameters": list(self.parameters),
            "toys": None if self.toys is None else {"count": len(self.toys), "p_value": self.toy_p_value},
            "notes": list(self.notes),
        }


USUAL = FamilySettings()


def look_for_more(
    at: PointOfFit,
    parameters: tuple[str, ...],
    *,
    settings: FamilySettings = USUAL,
    resamples: int = 999,
    seed: int = 1,
    notes: tuple[str, ...] = (),
) -> tuple[GoodnessOfFit, LeftFamily, FamilyNull]:
    """The goodness of fit of a fitted model; see `GoodnessOfFit`."""
    family = LeftFamily.of(at, settings, seed)
    t = family.observed
    null = FamilyNull(family, family.surprise(family.null(resamples, seed)), seed)
    statistic = float(combined(family.by_class(t, family.root), null.log_tests)[0])
    calibration, statistic, leading = calibrated(null, family, t[0], statistic)
    features = at.data.features
    number, looked_at = number_of(family, leading)
    words = leading_words(family, leading, features)
    if at.yields and leading_interval(family, leading) is not None:
        words += scaled_words(at.data.total_weight, at.sample.total_weight, "the data")
    of_tests, expected_t, log_p = (np.array(each) for each in family.told(t[0], seed))
    found = GoodnessOfFit(
        statistic,
        calibration,
        tuple(test_names(family, features)),
        of_tests,
        expected_t,
        log_p,
        number,
        words,
        tuple(dict.fromkeys(features[j] for j in looked_at)),
        null.statistics,
        parameters,
        family.classes,
        None,
        notes,
    )
    return found, family, null


def statistic_of(family: LeftFamily, log_tests: Float64[np.ndarray, " c"], classes: tuple[str, ...]) -> float:
    """T of a toy, with the numbers of independent tests of the samples that it is a toy of."""
    tests = dict(zip(classes, log_tests.tolist(), strict=True))
    own = family.by_class(family.observed, family.root)[0]
    return float(max(value - tests[name] for name, value in zip(family.classes, own, strict=True) if name in tests))
