"""The test of data after an anomaly score: everything and the rarest events by the score, with one p-value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial

import numpy as np
from jaxtyping import Bool

from nplm._util.floating_point import usual_errors
from nplm.data.sample import Sample
from nplm.family.build import Progress, unseen
from nplm.family.rarity import Rarity
from nplm.family.settings import FamilySettings
from nplm.family.subsets import Subset
from nplm.family.test import RESAMPLES, USUAL, FamilyTest
from nplm.io.tables import Tabular, as_sample, sample_like
from nplm.scored.thresholds import require_shares, threshold, words_of
from nplm.scored.training import UNKNOWN, efficiency, require_apart, told
from nplm.scored.values import Score, name_of, scored
from nplm.two_sample.calibration import Calibrate
from nplm.two_sample.kept import Kept
from nplm.two_sample.rate import rate_of_samples
from nplm.two_sample.result import TwoSampleResult

SHARES = (1.0, 0.1, 0.01)


class ScoredTest:
    """Compares data with a reference in the family of tests: all events, and those that a score calls rare.

    A score s(x) that was trained on other events of the reference, and frozen, keeps those with s > q, where q is the
    quantile of the reference above which a share of it lies. For each share the number of events is compared, and their
    kernels and products with coordinates, centres and widths of their own; the largest share has the intervals too. All
    of them make one p-value, that of the smallest, with its joint null: samples without a difference, in which the
    labels of all events are permuted (or, where weights tell the samples apart, both are drawn anew), say how members
    of nested sets of events hang together. So the error of the expected yield, Var = N (1 + w) with w the yield over
    the number of events of the reference, is that of samples which both fluctuate. A test of fewer than 100 events has
    no smaller p-value than these samples show, and no more degrees of freedom than a fifth of its events.

    To keep the rarest events and test them is the proposal of arXiv:1811.10276.

    Arguments:
        reference: what is expected; its weights add up to the expected yield, unless shapes only are compared.
        score: a function of the features of all events, shape (n, d), that gives a number for each, larger for rarer
            ones, such as `OnnxScore("vae.onnx")`; or the name of a column, which is then no feature.
        keep: shares of the reference, decreasing; 1 is everything.
        weighted: whether kernels of all features in which rare events count more are looked at too: of the largest
            share, each mode times (1 - F)^(-1/4), with F the share of both samples together that is less rare.
        trained_on: events that the score was trained on, which must not be those of the reference; the share of them
            that each threshold keeps is compared with the reference's.
        settings: which members there are.
        expected_ratio: yield of the data / yield of the reference that is expected; None compares shapes only.
        exact_yield: whether the yield of the reference is known from elsewhere; the share of it that is kept is not.
        circular: features that are angles, each with its period or None.
        seed: of centres and samples.
        progress: told what is done next, and which share of all that takes time is about done.

    Raises:
        ValueError: for a bad score, share or sample; the message names it.
    """

    @usual_errors()
    def __init__(
        self,
        reference: Tabular,
        score: Score,
        keep: Sequence[float] = SHARES,
        *,
        weighted: bool = False,
        trained_on: Tabular | None = None,
        settings: FamilySettings = USUAL,
        expected_ratio: float | None = None,
        exact_yield: bool = False,
        circular: Mapping[str, float | None] | None = None,
        seed: int = 1,
        progress: Progress = unseen,
    ) -> None:
        self.keep, self.score = require_shares(keep), score
        self._given = as_sample(reference, name="reference").require_yield()
        self.reference, self._values = scored(self._given, score)
        weights = self.reference.weights
        self.thresholds = tuple(threshold(self._values, weights, share, self.reference.name) for share in self.keep)
        self._training = None if trained_on is None else sample_like(self._given, trained_on, "training events")
        self.efficiencies = () if self._training is None else self._trained(self._training)
        self.weighted, self._expected_ratio = weighted, expected_ratio
        self._exact = exact_yield and self.keep[0] == 1
        self._family = partial(FamilyTest, settings=settings, circular=circular, seed=seed, progress=progress)

    def _trained(self, training: Sample) -> tuple[tuple[float, float], ...]:
        """Share of the training events above each threshold, and by how many deviations it differs."""
        require_apart(self._given, training.require_yield())
        found, values = scored(training, self.score)
        return tuple(
            efficiency(values, found.weights, q, (self._values, self.reference.weights)) for q in self.thresholds
        )

    @property
    def cautions(self) -> tuple[str, ...]:
        """What is to be known of the score."""
        if self._training is None:
            return (UNKNOWN,)
        rows = zip(self.keep, self.efficiencies, strict=True)
        return tuple(told([(share, *each) for share, each in rows]))

    @cached_property
    def _of_reference(self) -> tuple[Bool[np.ndarray, " n"], ...]:
        return tuple(self._values > q for q in self.thresholds)

    @usual_errors()
    def run(
        self,
        data: Tabular,
        calibrate: Calibrate | None = None,
        resamples: int = RESAMPLES,
        *,
        notify: Callable[[str], None] = lambda message: None,
    ) -> TwoSampleResult:
        """Compares data with the reference.

        Arguments:
            data: with the columns of the reference.
            calibrate, resamples, notify: as those of `FamilyTest.run`.

        Returns:
            The result of the family, with what each threshold keeps in `kept`. Its samples and log-ratios are those of
            the largest share.

        Raises:
            ValueError: for bad data or settings.
        """
        return self.run_and_select(data, calibrate, resamples, notify=notify)[0]

    @usual_errors()
    def run_and_select(
        self,
        data: Tabular,
        calibrate: Calibrate | None = None,
        resamples: int = RESAMPLES,
        *,
        notify: Callable[[str], None] = lambda message: None,
    ) -> tuple[TwoSampleResult, Sample, Sample, Bool[np.ndarray, " n"]]:
        """As `run`, with what the result is about: the score is evaluated once.

        Returns:
            The result, reference and data of the largest share, which is everything if that is 1, and which of the data
            these are.
        """
        found, values = scored(sample_like(self._given, data, "data"), self.score)
        for note in self.cautions:
            notify(note)
        masks = [(of_a, values > q) for of_a, q in zip(self._of_reference, self.thresholds, strict=True)]
        outer_a, outer_b = masks[0]
        a, b = self._outermost(found, outer_b)
        subsets = [
            Subset(words_of(share), in_a[outer_a], in_b[outer_b])
            for share, (in_a, in_b) in zip(self.keep[1:], masks[1:], strict=True)
        ]
        result = self._family(
            a,
            b,
            expected_ratio=self._expected_ratio,
            exact_yield=self._exact,
            subsets=subsets,
            thinned=self.keep[0] < 1,
            rarity=Rarity(self._values[outer_a], values[outer_b]) if self.weighted else None,
        ).run(calibrate, resamples, notify=notify)
        ratio = self._expected_ratio or b.total_weight / a.total_weight
        about = {"score": name_of(self.score), "keep": list(self.keep), "weighted": self.weighted}
        result = replace(
            result,
            kept=tuple(self._kept(k, found, mask, ratio, result) for k, mask in enumerate(masks)),
            configuration={**result.configuration, **about},
            notes=(*self.cautions, *result.notes),
        )
        return result, a, b, outer_b

    def _outermost(self, data: Sample, kept: Bool[np.ndarray, " n"]) -> tuple[Sample, Sample]:
        if self.keep[0] == 1:
            return self.reference, data
        words = words_of(self.keep[0])
        chosen = (self.reference, self._of_reference[0]), (data, kept)
        a, b = (replace(sample.select(mask), name=f"{words}, {sample.name}") for sample, mask in chosen)
        return a, b

    def _kept(
        self, k: int, data: Sample, mask: tuple[np.ndarray, np.ndarray], ratio: float, result: TwoSampleResult
    ) -> Kept:
        a, b = self.reference.select(mask[0]), data.select(mask[1])
        rate = result.rate if k == 0 else rate_of_samples(a, b, ratio)
        trained = self.efficiencies[k] if self.efficiencies else (None, None)
        q = self.thresholds[k]
        return Kept(self.keep[k], q if np.isfinite(q) else None, (len(a), len(b)), rate, *trained)
