"""The shape of a window in all members of a family: features alone, in pairs and together, with one p-value."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from scipy.special import ndtri

from nplm._util.blas import blas_threads
from nplm.data.equal_weights import has_equal_weights
from nplm.data.periods import Circular, periods_of
from nplm.data.sample import Sample, require_varying
from nplm.family.calibration import ENOUGH, calibrated, likelihood_bound
from nplm.family.intervals import Interval
from nplm.family.pvalue import FamilyNull
from nplm.family.settings import FamilySettings
from nplm.family.statistic import combined
from nplm.family.test import RESAMPLES, FamilyTest
from nplm.family.window import ReferenceFamily, Window
from nplm.family.words import leading_words
from nplm.monitor.shape_result import USUAL, ShapeResult

# A reference of more events is looked at in so many of them, drawn by chance, and in this many windows at least.
_MOST, _MOST_WINDOWS = 100_000, 10
# Sizes of windows that are prepared, for each factor of ten, and how many of them are kept.
_SIZES, _KEPT = 5, 6
# Statistics at which the joint distribution is evaluated: so far apart, or by this share; it is interpolated between
# them.
_APART, _SHARE = 0.5, 0.05


@dataclass(frozen=True, eq=False)
class TabulatedNull(FamilyNull):
    """A null whose joint distribution is evaluated where windows need it, and then known for those that follow."""

    family: ReferenceFamily
    _known: dict[int, float] = field(default_factory=dict, repr=False)

    def log_p(self, statistic: float) -> float:
        """log P(T >= statistic), linear between the knots of `_knot`."""
        number = int(np.floor(_number(statistic)))
        low, high = _knot(number), _knot(number + 1)
        share = (statistic - low) / (high - low)
        return (1 - share) * self._at(number) + share * self._at(number + 1)

    def _at(self, number: int) -> float:
        if number not in self._known:
            self._known[number] = super().log_p(_knot(number))
        return self._known[number]


def _number(statistic: float) -> float:
    """The number of knots below a statistic: steps of `_APART` up to `_APART / _SHARE`, and by a factor beyond."""
    first = 1 / _SHARE
    steps = statistic / _APART
    return steps if steps <= first else first + float(np.log(steps / first) / np.log1p(_SHARE))


def _knot(number: int) -> float:
    first = 1 / _SHARE
    return _APART * (number if number <= first else first * (1 + _SHARE) ** (number - first))


@dataclass(frozen=True, eq=False)
class FamilyShape:
    """A reference, prepared for each size of windows once, that windows are compared with in shape.

    The statistic is T of `nplm.family`: the smallest p-value of all members, those of each class shared evenly. Its
    null are windows drawn from the reference, which fluctuates as well, as each window and its reference are two finite
    samples. Far out p comes from the joint normal distribution of all scores, where these windows follow it, and t is
    no larger than the likelihood ratio allows. A window with weights is compared with the reference by `FamilyTest`.

    Arguments:
        reference: what is expected.
        settings: which members there are.
        window: events of a window; None if windows differ.
        seed: of centres and of samples without a difference.
        periods: of features that are angles.
    """

    reference: Sample
    settings: FamilySettings
    window: int | None
    seed: int = 1
    periods: Mapping[str, float] = field(default_factory=dict)
    _nulls: OrderedDict[int, TabulatedNull] = field(default_factory=OrderedDict, repr=False)

    @classmethod
    def of(
        cls,
        reference: Sample,
        settings: FamilySettings,
        window: int | None,
        seed: int = 1,
        circular: Circular = (),
    ) -> FamilyShape:
        """Takes a reference.

        Raises:
            ValueError: if it cannot serve.
        """
        reference.require_yield()
        require_varying(reference)
        return cls(reference, settings, window, seed, periods_of((reference,), circular))

    def warm_up(self) -> None:
        """Prepares what the first window would have to wait for, where its size is known."""
        if self.window is not None:
            null = self.null(self.window)
            events = self.reference.events[: self.window]
            self._judge(null, null.family.see(events), float(null.statistics.max()))

    def null(self, events: int) -> TabulatedNull:
        """The null of windows of about so many events: of the nearest of five sizes for each factor of ten.

        Raises:
            ValueError: if windows of that size have no member.
        """
        usual = self.window or max(1, round(self.reference.effective_size / USUAL))
        size = max(1, round(usual * 10 ** (round(_SIZES * np.log10(events / usual)) / _SIZES)))
        if size not in self._nulls:
            family = ReferenceFamily.of(
                self._looked_at(size), size, self.settings, periods=self.periods, seed=self.seed
            )
            draws = family.null(RESAMPLES, self.seed)
            with blas_threads():
                self._nulls[size] = TabulatedNull(family, family.surprise(draws), self.seed)
            while len(self._nulls) > _KEPT:
                self._nulls.popitem(last=False)
        self._nulls.move_to_end(size)
        return self._nulls[size]

    def __call__(self, window: Sample) -> ShapeResult:
        """Tests one window, whose weights add up to a positive number.

        Raises:
            ValueError: if windows of that size have no member, or the weights are too far apart.
        """
        if not has_equal_weights(window):
            return self._weighted(window)
        null = self.null(len(window))
        seen = null.family.see(window.events)
        return self._judge(null, seen, float(combined(seen.surprise, null.log_tests)[0]))

    @blas_threads()
    def _judge(self, null: TabulatedNull, seen: Window, statistic: float) -> ShapeResult:
        exceeding = null.exceeding(statistic)
        if exceeding >= ENOUGH:
            p, z = (1 + exceeding) / (1 + len(null.statistics)), middle_z(exceeding, len(null.statistics))

            def words() -> str:
                return self._words(seen, likelihood_bound(null.family, seen, null.log_tests, seen.t)[1])

            return self._result(null, statistic, p, z, words)
        found, statistic, leading = calibrated(null, seen, seen.t, statistic)
        z = found.z if found.kind == "analytic" else middle_z(found.exceeding, found.resamples)
        return self._result(null, statistic, found.p_value, z, lambda: self._words(seen, leading))

    def _words(self, seen: Window, leading: int | Interval) -> str:
        """The leading member or interval."""
        return leading_words(seen, leading, self.reference.features)

    def _result(self, null: FamilyNull, statistic: float, p: float, z: float, words: Callable[[], str]) -> ShapeResult:
        mean, sd = float(null.statistics.mean()), float(null.statistics.std())
        return ShapeResult(statistic, mean, sd, p, z, "", words)

    def _weighted(self, window: Sample) -> ShapeResult:
        result = self.compared(window).run()
        null, found = result.null, result.calibration
        assert null is not None
        z = middle_z(found.exceeding, found.resamples) if found.kind != "analytic" else found.z
        mean, sd = float(null.mean()), float(null.std())
        return ShapeResult(result.statistic, mean, sd, found.p_value, z, "", lambda: result.leading_words)

    def compared(self, window: Sample, expected: float | None = None, *, exact_rate: bool = False) -> FamilyTest:
        """The test of two samples: the reference, and a window.

        Arguments:
            window: the events.
            expected: yield of the window, which is then compared apart from the shape; None to compare shapes only.
            exact_rate: whether that is known from elsewhere, and not from the number of events of the reference.
        """
        reference = self._looked_at(len(window))
        if expected is not None:
            reference = reference.scaled_to(expected)
        return FamilyTest(
            reference,
            window,
            settings=self.settings,
            expected_ratio=None if expected is None else 1.0,
            exact_yield=exact_rate,
            circular=self.periods,
            seed=self.seed,
        )

    def shared_fluctuation(self, n: float) -> float:
        """The correlation of T, and so of Z, of two windows of n unit weights, which share the reference, at most.

        The scores of two windows have the correlation q = n / (n + n_R). T is an even function of them, so that its
        expansion in Hermite polynomials begins with the second order, and its correlation is q^2 at most.
        """
        return float((n / (n + self.reference.effective_size)) ** 2)

    def _looked_at(self, window: int) -> Sample:
        """The reference, or events of it that are drawn by chance if it has more than are needed."""
        most = max(_MOST, _MOST_WINDOWS * window)
        if len(self.reference) <= most:
            return self.reference
        rows = np.random.default_rng([self.seed, 0x6D6F7374]).choice(len(self.reference), most, replace=False)
        rows.sort()
        sample = self.reference
        return replace(sample, events=sample.events[rows], weights=sample.weights[rows])


def middle_z(exceeding: int, count: int) -> float:
    """Z of the middle of the step of a counted p-value, whose mean is zero without a difference."""
    return float(-ndtri((exceeding + 0.5) / (count + 1)))
