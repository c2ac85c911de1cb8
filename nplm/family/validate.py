"""Two samples compared in one call, or many each with each: by the family, or by kernels of all features as chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nplm.data.sample import Sample
from nplm.family.build import Progress, unseen
from nplm.family.settings import FamilySettings
from nplm.family.test import FamilyTest
from nplm.stats.multiple_comparisons import CORRECTIONS, Correction, adjusted_p
from nplm.two_sample.calibration import Calibrate
from nplm.two_sample.matrix import TwoSampleMatrix
from nplm.two_sample.result import TwoSampleResult
from nplm.two_sample.test import DRAWS, RESAMPLES, TwoSampleTest

# Settings that are those of kernels of all features.
KERNEL_SETTINGS = ("widths", "penalties", "centers", "statistic")
KERNEL_CALIBRATIONS = ("bootstrap", "pool")


def validate(
    a: Sample | ArrayLike,
    b: Sample | ArrayLike,
    *,
    family: Sequence[str] | None = None,
    calibrate: Calibrate | None = None,
    resamples: int = RESAMPLES,
    pool: Sample | None = None,
    draws: int = DRAWS,
    notify: Callable[[str], None] = lambda message: None,
    progress: Progress = unseen,
    **settings: Any,
) -> TwoSampleResult:
    """Are two finite samples from one distribution, and if not, where do they differ?

    By default all features alone, in pairs and together are looked at, at several scales, by `FamilyTest`. With one of
    the settings of kernels (widths, penalties, centers, statistic), or a calibration with "bootstrap" or a pool, it is
    `TwoSampleTest(a, b, **settings).run(...)`: kernels of all features only.

    Arguments:
        a, b: the samples.
        family: classes of tests, of "one", "two", "products", "all" and "intervals"; None for all of them.
        calibrate, resamples, notify: see `FamilyTest.run`, or `TwoSampleTest.run`.
        pool, draws: see `TwoSampleTest.run`.
        progress: see `FamilyTest`.
        settings: see `FamilyTest` (expected_ratio, exact_yield, seed) or `TwoSampleTest`.

    Returns:
        The result; `log_ratio_a` and `log_ratio_b` have the fitted log of the density of B over that of A at events.

    Raises:
        ValueError: for bad input or settings.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    own = [name for name in KERNEL_SETTINGS if name in given]
    if not own and calibrate not in KERNEL_CALIBRATIONS and pool is None:
        chosen = FamilySettings() if family is None else FamilySettings(classes=tuple(family))
        test = FamilyTest(a, b, settings=chosen, progress=progress, of_test=False, **given)
        return test.run(calibrate, resamples, notify=notify)
    if family is not None:
        name = own[0] if own else "pool" if pool is not None else "calibrate"
        raise ValueError(
            f"'{name}' is a setting of kernels of all features, which are no family: leave one of them out"
        )
    return TwoSampleTest(a, b, **given).run(calibrate, resamples, pool=pool, draws=draws, notify=notify)


def validate_matrix(
    samples: Mapping[str, Sample],
    *,
    correction: Correction = "holm",
    notify: Callable[[str], None] = lambda message: None,
    on_pair: Callable[[str, str, TwoSampleResult], None] = lambda first, second, result: None,
    **settings: Any,
) -> TwoSampleMatrix:
    """Compares each pair of samples: generators, versions of one, or tunes.

    Arguments:
        samples: two or more, by name.
        correction: "holm" and "bonferroni" bound the chance that any of the pairs that agree is called different,
            "false-discovery" (Benjamini and Hochberg) the share of such pairs among those that are.
        notify: called with cautions, which begin with the names of a pair.
        on_pair: called with each result as it is known.
        settings: as of `validate`.

    Raises:
        ValueError: if there are fewer than two samples, or one is bad; or for bad settings.
    """
    if len(samples) < 2:
        raise ValueError(f"a matrix needs two samples or more, not {len(samples)}")
    if correction not in CORRECTIONS:
        raise ValueError(f"there is no correction '{correction}': choose {', '.join(CORRECTIONS)}")
    names = tuple(samples)
    results = {}
    for first, second in combinations(names, 2):

        def note(message: str, pair: str = f"{first} and {second}") -> None:
            notify(f"{pair}: {message}")

        results[first, second] = validate(samples[first], samples[second], notify=note, **settings)
        on_pair(first, second, results[first, second])
    p = np.array([result.p_value for result in results.values()])
    square = [np.full((len(names),) * 2, np.nan) for _ in range(2)]
    for matrix, values in zip(square, (p, adjusted_p(p, correction)), strict=True):
        upper = np.triu_indices(len(names), 1)
        matrix[upper] = matrix.T[upper] = values
    return TwoSampleMatrix(names, results, correction, *square)
