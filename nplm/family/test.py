"""The test of two finite samples by a family: features alone, in pairs and together, at several scales, one p-value."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np

from nplm._util.blas import blas_threads
from nplm._util.floating_point import usual_errors
from nplm._util.seed_range import require_seed
from nplm._util.versions import versions
from nplm._util.whole_numbers import require_whole
from nplm.data.periods import periods_of, within_periods
from nplm.data.sample import require_same_features
from nplm.data.support import remarks_on_two, yields_apart
from nplm.family.build import Progress, unseen
from nplm.family.calibration import calibrated, counted, from_asymptotic
from nplm.family.intervals import Interval
from nplm.family.pvalue import FamilyNull
from nplm.family.rarity import Rarity
from nplm.family.settings import FamilySettings
from nplm.family.statistic import Family, combined
from nplm.family.subsets import Subset
from nplm.family.words import leading_interval, leading_words, number_of, scaled_words, test_names, words_of_test
from nplm.io.tables import Tabular, two_samples
from nplm.stats.yields import Rate
from nplm.two_sample.calibration import Calibrate, TwoSampleCalibration
from nplm.two_sample.cautions import notes_on
from nplm.two_sample.no_events import rate_of_none, result_of_rate
from nplm.two_sample.pooled import Pool
from nplm.two_sample.rate import rate_of
from nplm.two_sample.resampling import require_exchangeable
from nplm.two_sample.result import TwoSampleResult
from nplm.two_sample.with_rate import with_rate
from nplm.wording.standing import calibration_name

CALIBRATIONS: tuple[Calibrate, ...] = ("permutation", "asymptotic")
RESAMPLES, FEWEST, MOST = 999, 99, 1_000_000
RATE = "yield"
USUAL = FamilySettings()


class FamilyTest:
    """Compares two samples A and B, each finite and weighted, of any relative size, in all members of a family.

    Members look at single features, pairs, products and all features at several scales and penalties, and at single
    intervals of a feature; `nplm.family.settings.FamilySettings` has them. Features reach them as normal scores of both
    samples together, so neither units nor heavy tails matter, and nothing but the labels tells A from B. The statistic
    is the smallest p-value; samples without a difference, in which both are drawn anew, say how many independent tests
    each class of members amounts to, and calibrate it.

    Arguments:
        a, b: the samples; of tables features are found by name, and arrays of events are samples of unit weights.
        settings: which members there are.
        expected_ratio: yield of B / yield of A that is expected, and then compared apart from the shapes; None compares
            shapes only, whatever the yields.
        exact_yield: whether the yield of A is known from elsewhere, and not from the number of its events. With an
            expected ratio B may have no events: then the yield alone is compared, as of events of unit weight.
        circular: features that are angles, which are looked at as points on a circle, each with its period; None for
            one that is recognized, 2 pi or 360.
        subsets: of the events, chosen by themselves and not by their sample, whose number, kernels and products are
            looked at too.
        thinned: whether the events are what a threshold has kept of more, as subsets are: tests of few of them have no
            more degrees of freedom than a fifth of the smaller sample's events, and of fewer than 100 p is counted.
        rarity: a score by which kernels of all features are weighted too, so that rare events count more.
        seed: of centres and samples.
        progress: told what is done next, and which share of all that takes time is about done.
        of_test: whether results speak of A as the reference and of B as the data; else of two samples alike.

    Raises:
        ValueError: for bad input or settings; the message names it.
    """

    @usual_errors()
    @blas_threads()
    def __init__(
        self,
        a: Tabular,
        b: Tabular,
        *,
        settings: FamilySettings = USUAL,
        expected_ratio: float | None = None,
        exact_yield: bool = False,
        circular: Mapping[str, float | None] | None = None,
        subsets: Sequence[Subset] = (),
        thinned: bool = False,
        rarity: Rarity | None = None,
        seed: int = 1,
        progress: Progress = unseen,
        of_test: bool = True,
    ) -> None:
        began = time.perf_counter()
        self.a, self.b = two_samples(a, b)
        # Before anything is held in memory beside the samples.
        self._remarks = remarks_on_two(self.a, self.b)
        self.seed = require_seed(seed)
        periods = periods_of((self.a, self.b), circular or {})
        self._progress, self._of_test = progress, of_test
        self._configuration = {
            "family": list(settings.classes),
            "expected_ratio": expected_ratio,
            "exact_yield": exact_yield,
            "circular": periods,
            "seed": seed,
        }
        if len(self.b) == 0 and expected_ratio is not None:
            require_same_features(self.a, self.b)
            self.a.require_yield()
            self.rate: Rate | None = rate_of_none(self.a, expected_ratio, exact=exact_yield)
        else:
            self.pool = Pool.of(
                within_periods(self.a, periods), within_periods(self.b, periods), expected_ratio=expected_ratio
            )
            circles = tuple(name in periods for name in self.a.features)
            self.family = Family.of(
                self.pool,
                settings,
                circular=circles,
                subsets=subsets,
                thinned=thinned,
                rarity=rarity,
                seed=seed,
                progress=progress,
            )
            self.rate = rate_of(self.pool, exact=exact_yield)
        self.prepare_seconds = time.perf_counter() - began

    @cached_property
    @blas_threads()
    def t(self) -> np.ndarray:
        """t of each member of kernels and products, shape (k,)."""
        self._require_shapes()
        return np.asarray(self.family.t(self.family.observed())[0])

    @blas_threads()
    def null(self, resamples: int = RESAMPLES) -> FamilyNull:
        """Samples without a difference: permutations of the labels where these are exchangeable."""
        self._require_shapes()
        return FamilyNull(self.family, self.family.surprise(self.family.null(resamples, self.seed)), self.seed)

    @usual_errors()
    @blas_threads()
    def run(
        self,
        calibrate: Calibrate | None = None,
        resamples: int = RESAMPLES,
        *,
        notify: Callable[[str], None] = lambda message: None,
    ) -> TwoSampleResult:
        """Compares the samples.

        Arguments:
            calibrate: "permutation" counts samples without a difference and nothing else; "asymptotic" reads p from the
                joint normal distribution of all scores, whatever these samples say of it. Default: counted where enough
                of them lie beyond the statistic, and else from that distribution where they follow it.
            resamples: number of samples without a difference.
            notify: called with cautions.

        Raises:
            ValueError: if the calibration is unknown, or the samples are too few.
        """
        calibrate = calibration_name(calibrate)
        if calibrate not in (None, *CALIBRATIONS):
            raise ValueError(f"the family is not calibrated with '{calibrate}': choose {' or '.join(CALIBRATIONS)}")
        if calibrate == "permutation":
            self._require_shapes()
            require_exchangeable(self.pool)
        if require_whole(resamples, "samples without a difference") < FEWEST:
            raise ValueError(
                f"{resamples} samples without a difference do not say how many independent tests the family has:"
                f" take {FEWEST} or more"
            )
        if resamples > MOST:
            raise ValueError(
                f"{resamples} samples without a difference are more than a family draws: take {MOST} at most"
            )
        if len(self.b) == 0 and self.rate is not None:
            words = f"{self.b.name} has no events, so that shapes are not compared: the p-value is that of the yield"
            alone = [words, *self._yields_apart()]
            for note in alone:
                notify(note)
            seconds = self.prepare_seconds
            return result_of_rate(
                self.a, self.b, self.rate, self._configuration, alone, self.seed, seconds, self._of_test
            )
        notes = [*self._yields_apart(), *notes_on(self.a, self.b, self.pool), *self._remarks]
        for note in notes:
            notify(note)
        began = time.perf_counter()
        family = self.family
        self._progress("the samples in all members", 0.75)
        surprise = family.by_class(self.t[None], family.root)
        fitted = time.perf_counter()
        self._progress(f"{resamples:,} samples without a difference", 0.8)
        null = self.null(resamples)
        statistic = float(combined(surprise, null.log_tests)[0])
        calibration, statistic, leading = calibrated(null, family, self.t, statistic)
        if calibrate == "permutation":
            calibration = counted(null, statistic)
        elif calibrate == "asymptotic":
            calibration = from_asymptotic(null, statistic)
        drawn = time.perf_counter()
        return self._result(
            null, calibration, statistic, leading, notes, {"fit": fitted - began, "null": drawn - fitted}
        )

    def _require_shapes(self) -> None:
        if len(self.b) == 0:
            raise ValueError(f"{self.b.name} has no events, and so no shape: only its yield can be compared, by run()")

    def _yields_apart(self) -> list[str]:
        if self.rate is None:
            return []
        words = yields_apart(self.rate.expected, self.rate.observed)
        return [] if words is None else [words]

    def _result(
        self,
        null: FamilyNull,
        calibration: TwoSampleCalibration,
        statistic: float,
        leading: int | Interval,
        notes: list[str],
        seconds: dict[str, float],
    ) -> TwoSampleResult:
        began = time.perf_counter()
        family, features = self.family, self.a.features
        names = test_names(family, features)
        t, expected, log_p = family.told(self.t, self.seed)
        number, looked_at = number_of(family, leading)
        shape_number, shape = number, calibration
        words, found = leading_words(family, leading, features), leading_interval(family, leading)
        if self._of_test:
            words = words_of_test(words, whole=self.b.effective_size > (1 - 1e-9) * len(self.b))
        if self.rate is not None and found is not None:
            words += scaled_words(self.rate.observed, self.rate.expected, "the data" if self._of_test else "B")
        if self.rate is not None:
            names.append(RATE)
            t.append(self.rate.root**2)
            expected.append(1.0)
            log_p.append(self.rate.log_p)
            calibration, lead = with_rate(shape, self.rate)
            number = len(names) - 1 if lead == "yield" else number
            if lead == "both":
                observed, expected_yield = self.rate.observed, self.rate.expected
                words += f", together with the yield, {observed:,.6g} where {expected_yield:,.6g} are expected"
        log_ratio, converged = self._log_ratio(leading)
        f_a, f_b = self.pool.to_samples(log_ratio)
        return TwoSampleResult(
            names=tuple(names),
            t=np.array(t),
            local_p=np.exp(log_p),
            expected_t=np.array(expected),
            statistic=statistic,
            calibration=calibration,
            asymptotic=None,
            null=null.statistics,
            leading=number,
            leading_shape=shape_number,
            log_ratio_a=f_a,
            log_ratio_b=f_b,
            fit_converged=converged,
            sample_names=(self.a.name, self.b.name),
            sizes=(len(self.a), len(self.b)),
            yields=(self.a.total_weight, self.b.total_weight),
            effective_sizes=(self.a.effective_size, self.b.effective_size),
            features=features,
            seconds={"prepare": self.prepare_seconds, **seconds, "log-ratio": time.perf_counter() - began},
            seed=self.seed,
            versions=versions(),
            configuration={
                **self._configuration,
                "calibrate": calibration_name(shape.kind),
                "resamples": len(null.surprise),
            },
            notes=tuple(notes),
            leading_words=words,
            leading_features=tuple(dict.fromkeys(features[j] for j in looked_at)),
            leading_interval=None if found is None else family.edges(found),
            shape=None if self.rate is None else shape,
            rate=self.rate,
            of_test=self._of_test,
            _of=(self.a, self.b),
        )

    def _log_ratio(self, leading: int | Interval) -> tuple[np.ndarray, bool]:
        """f at the events of the pool: the fit of the leading member, or the log of the ratio inside an interval."""
        if isinstance(leading, Interval):
            # Half an event on both sides keeps an empty interval finite.
            log_ratio = np.log((max(leading.observed, 0.0) + 0.5) / (leading.expected + 0.5))
            return np.where(leading.holds, log_ratio, 0.0), True
        fit = self.family.fit(leading)
        return fit.log_ratio, fit.converged
