"""What tuning of the weight clipping found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nplm.stats.ensemble_summary import EnsembleSummary
from nplm.stats.goodness_of_fit import LEAST_TOYS_FOR_CHECK
from nplm.tuning.path import ClipPath


@dataclass(frozen=True)
class Step:
    """A clip of the walk, with the mean of t of so many toys."""

    clip: float
    mean: float
    toys: int


@dataclass(frozen=True, eq=False)
class Tuned:
    """What tuning found for one network.

    Arguments:
        hidden: neurons of its hidden layers.
        degrees_of_freedom: its number of parameters, which is the mean of t that is sought.
        clip: where mean t has this value; None if there is no such clip.
        interval: 68% interval of the clip, from resampling the toys; None without a clip.
        path: the fits at the clips of the scan and at the clip found; None if the walk found no bracket.
        walk: clips and mean t of the walk, by increasing clip; with fewer toys than the scan.
        check_t: t of the toys at the clip as the model's own search, which fits the data, finds it; shape (toys,).
        check: its comparison with the chi2 that fits it best; the clip was tuned with the same toys, so a comparison
            with the chi2 sought would be no test. None without a clip.
        missed: share of the toys for which that search ends more than 0.05 below the best t known.
        shortfall: by how much the mean of t is lower for that.
        agreeing: share of the toys for which two or more independent searches agree.
        seconds: spent in this call.
        clip_biases: whether the clip holds for biases too.
    """

    hidden: tuple[int, ...]
    degrees_of_freedom: int
    clip: float | None
    interval: tuple[float, float] | None
    path: ClipPath | None
    walk: tuple[Step, ...]
    check_t: Float64[np.ndarray, " toys"] | None
    check: EnsembleSummary | None
    missed: float
    shortfall: float
    agreeing: float
    seconds: float
    clip_biases: bool = True

    @property
    def is_chi2(self) -> bool:
        """Whether t at the clip has the shape of a chi2 by all tests together, and the search finds its maxima."""
        fitted = None if self.check is None else self.check.fitted
        return fitted is not None and fitted.accepted and self._finds_maxima

    @property
    def _finds_maxima(self) -> bool:
        """Whether what the search misses lowers the mean of t by less than the error of this mean."""
        error = None if self.check is None else self.check.mean_error
        return error is not None and self.shortfall <= error

    def statement(self) -> str:
        """The answer in a sentence."""
        k = self.degrees_of_freedom
        if self.clip is None or self.check is None:
            first, last = self._ends()
            return f"no clip was found that makes t a chi2({k}): its mean goes from {first} to {last}"
        if self.check.fitted is None:
            return (
                f"no clip is given for chi2({k}): at clip {self.clip:.3g} its mean is right, but fewer than"
                f" {LEAST_TOYS_FOR_CHECK} toys have a positive t to test the shape with; take more toys"
            )
        p = self.check.fitted.p_value
        if not self.check.fitted.accepted:
            return (
                f"t is not a chi2({k}) at clip {self.clip:.3g}, where its mean is right: {self.check.toys} toys reject"
                f" the shape (p = {p:.2g})"
            )
        if not self._finds_maxima:
            return (
                f"no clip is given for chi2({k}): at clip {self.clip:.3g} the mean of the best t known is right, but"
                f" the search that fits data ends {self.shortfall:.1f} below it on average; calibrate with toys"
            )
        if not self.check.fitted.unanimous:
            name, alone = self.check.fitted.weakest
            return (
                f"t may be a chi2({k}) at clip {self.clip:.3g}: {self.check.toys} toys do not refute the shape"
                f" (p = {p:.2g}), but one of the tests by itself would ({name}: p = {alone:.2g}); take more toys before"
                " p-values are read from it"
            )
        return f"t is a chi2({k}) at clip {self.clip:.3g}: {self.check.toys} toys accept the shape (p = {p:.2g})"

    def _ends(self) -> tuple[str, str]:
        """Mean of t at the outer clips of the scan, or of the walk."""
        ends = [(step.clip, step.mean) for step in (self.walk[0], self.walk[-1])]
        if self.path is not None:
            ends = [(float(self.path.clips[i]), float(self.path.mean[i])) for i in (0, -1)]
        first, last = (f"{mean:.1f} at clip {clip:.3g}" for clip, mean in ends)
        return first, last


def largest_chi2(results: Sequence[Tuned]) -> Tuned | None:
    """Of several networks that with most parameters whose t is a chi2 at its clip; None if there is none."""
    good = [result for result in results if result.is_chi2]
    return max(good, key=lambda result: result.degrees_of_freedom, default=None)
