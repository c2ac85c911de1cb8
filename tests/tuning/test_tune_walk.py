"""How tuning looks for the clip, on toys whose t is a known function of the clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2

from nplm.data.sample import Sample
from nplm.hypotest.test import NPLMTest
from nplm.statistic import FitError
from nplm.stats.ensemble_summary import summarize_toys
from nplm.toys.campaign import Campaign
from nplm.toys.samplers import PoolSampler
from nplm.toys.table import ToyTable
from nplm.tuning.result import Tuned
from nplm.tuning.result_text import interval_text, tune_markdown
from nplm.tuning.tuner import Tuning
from tests.toys.programs import QUICK, exponential_test
from tests.tuning.tuned_toys import Toys, fitted_p, logarithmic, scan_clips


def test_the_fluctuation_of_a_small_reference_is_put_into_t(tune: Callable[..., Tuned]) -> None:
    """Toys that share the reference they are drawn from, 3000 events for 300: t counts 1.1 times, and no other toys' t.

    So toys whose t is 1.1 times as small have the clip, the interval and the p-value of those that lack nothing.
    """
    small = Toys(
        lambda clip: logarithmic(7.0)(clip) / 1.1, 100, quantiles=lambda u, mean: chi2.ppf(u, 1.1 * mean) / 1.1
    )
    right = tune(Toys(logarithmic(7.0), 100))

    def drawn_from(test: NPLMTest, pool: Sample) -> Campaign:
        return Campaign(test, PoolSampler(pool, 300.0))

    finite, exact = (exponential_test(replace(QUICK, hidden=(1,), reference_exact=exact)) for exact in (False, True))
    found = tune(small, of=drawn_from(finite, finite.reference))
    assert found.clip == right.clip
    assert found.interval == pytest.approx(right.interval, rel=1e-6)
    assert found.check_t is not None
    np.testing.assert_allclose(found.check_t, right.check_t, rtol=1e-9)
    assert fitted_p(found) == pytest.approx(fitted_p(right), rel=1e-6)
    # A likelihood that takes the reference as exact, and toys of a pool, which the reference fluctuates against.
    pool = Sample(finite.reference.events, name="pool")
    for other in (drawn_from(exact, exact.reference), drawn_from(finite, pool)):
        assert Tuning(other).widening == 1.0
        unlike = tune(small, of=other)
        assert unlike.clip is not None
        assert unlike.clip > 1.05 * found.clip


@pytest.mark.parametrize("start", [0.05, 6.0, 400.0])
@pytest.mark.parametrize("root", [0.9, 7.0, 55.0])
def test_the_clip_is_found_from_either_side(tune: Callable[..., Tuned], root: float, start: float) -> None:
    """Also from a first clip outside the range. 100 even quantiles leave the mean 1% short, so the clip is 2% off."""
    tuned = tune(Toys(logarithmic(root), 100), start)
    assert tuned.clip == pytest.approx(root, rel=0.04)
    assert tuned.is_chi2
    assert tuned.interval is not None
    assert tuned.interval[0] < root < tuned.interval[1]
    clips = [step.clip for step in tuned.walk]
    assert clips == sorted(clips)
    means = [step.mean for step in tuned.walk]
    assert sum(mean < 4 for mean in means) == 1 or sum(mean >= 4 for mean in means) == 1, "the walk went too far"


def test_the_walk_takes_a_quarter_and_the_scan_all_toys(tune: Callable[..., Tuned]) -> None:
    toys = Toys(logarithmic(7.0, 4.0), 100)
    tuned = tune(toys)
    assert tuned.clip is not None
    assert tuned.clip == float(f"{tuned.clip:.3g}")
    walk = [(clip, wanted) for clip, wanted in toys.asked if len(wanted) == 25]
    scan = toys.asked[len(walk) :]
    assert {wanted for _, wanted in walk} == {range(25)}
    assert {wanted for _, wanted in scan} == {range(100)}
    # Three clips around what the walk found, and the clip found, which are all that is fitted.
    first = [clip for clip, _ in scan[:3]]
    np.testing.assert_allclose(first, first[1] * np.array([0.75, 1.0, 1.33]), rtol=1e-3)
    assert {clip for clip, _ in scan} == {*first, tuned.clip}
    assert tuned.path is not None
    assert tuned.path.clips.tolist() == sorted({*first, tuned.clip})


def test_the_fits_at_the_clip_are_those_that_are_judged(tune: Callable[..., Tuned]) -> None:
    toys = Toys(logarithmic(7.0), 100)
    tuned = tune(toys)
    expected = toys(tuned.clip or 0.0, range(100))
    np.testing.assert_array_equal(tuned.check_t, expected.t)
    assert tuned.check == summarize_toys(expected.t)
    assert tuned.check.given is None
    assert tuned.agreeing == 0.75
    assert (tuned.missed, tuned.shortfall) == (0.0, 0.0)


@pytest.mark.parametrize(("slope", "clips"), [(3.0, 4), (0.7, 6), (0.42, 7)])
def test_the_scan_is_extended_until_it_covers_the_interval(
    tune: Callable[..., Tuned], slope: float, clips: int
) -> None:
    """The interval is +- 2.8 / (10 slope) in log clip: 0.09, 0.4 and 0.67; the scan alone reaches 0.29."""
    tuned = tune(Toys(logarithmic(7.0, slope), 100))
    assert tuned.path is not None
    assert tuned.interval is not None
    assert tuned.clip is not None
    assert len(tuned.path.clips) == clips
    assert tuned.clip in tuned.path.clips
    low, high = tuned.interval
    assert tuned.path.clips[0] < low < tuned.clip < high < tuned.path.clips[-1]
    # The delta method, with the error of the mean at the clip; the t are not linear in the log, hence 20%.
    error = float(tuned.path.mean_error[tuned.path.clips.tolist().index(tuned.clip)])
    assert np.log(high / low) / 2 == pytest.approx(0.994 * error / slope, rel=0.2)
    assert interval_text(tuned) == f"{low:.3g} to {high:.3g}"


def test_the_clip_is_the_root_of_the_curve_with_the_toys_that_were_fitted_there(tune: Callable[..., Tuned]) -> None:
    """Three points do not show the waves of this mean, so the first root is off."""
    steep = logarithmic(7.0, 3.0)
    toys = Toys(lambda clip: steep(clip) + 0.3 * np.sin(9 * np.log(clip / 7)), 100)
    tuned = tune(toys)
    assert tuned.path is not None
    assert tuned.clip == float(f"{tuned.path.clip_of(4):.3g}")
    first = scan_clips(toys)[3]
    assert first != tuned.clip
    assert {first, tuned.clip} < set(tuned.path.clips)
    here = tuned.path.clips.tolist().index(tuned.clip)
    assert tuned.path.mean[here] == pytest.approx(4, abs=0.02)
    np.testing.assert_array_equal(tuned.check_t, toys(tuned.clip, range(100)).t)


def test_a_root_that_goes_on_moving_is_corrected_twice(tune: Callable[..., Tuned]) -> None:
    """A mean with a jump has no root: each fit halves the distance to it."""
    toys = Toys(lambda clip: 3.0 if clip < 7 else 5.0, 100)
    tuned = tune(toys)
    clips = scan_clips(toys)
    assert len(clips) == 3 + 1 + 2
    assert tuned.clip == clips[-1]
    assert tuned.path is not None
    assert tuned.path.clips.tolist() == sorted(clips)
    assert tuned.interval is not None


def test_only_the_end_that_is_open_is_extended(tune: Callable[..., Tuned]) -> None:
    """The mean rises steeply below the root and slowly above."""
    bent = logarithmic(7.0, 4.0), logarithmic(7.0, 0.7)
    tuned = tune(Toys(lambda clip: bent[int(clip > 7)](clip), 100))
    assert tuned.path is not None
    assert tuned.clip is not None
    below, above = (int(np.sum(np.sign(tuned.path.clips - tuned.clip) == side)) for side in (-1, 1))
    assert above > below
    assert tuned.interval is not None
    assert tuned.path.clips[0] < tuned.interval[0] < tuned.interval[1] < tuned.path.clips[-1]


def test_an_interval_that_has_no_end_in_reach_is_open(tune: Callable[..., Tuned]) -> None:
    """A mean that hardly depends on the clip beyond a step at the root: 0.1 for a factor e, with an error of 0.28."""
    tuned = tune(Toys(lambda clip: 4 + 0.1 * np.log(clip / 7) - 2 * (clip < 6.5), 100))
    assert tuned.interval is not None
    assert tuned.interval[0] > 0
    assert tuned.interval[1] == np.inf
    assert interval_text(tuned) == f"above {tuned.interval[0]:.3g}"
    assert f"| above {tuned.interval[0]:.3g} |" in tune_markdown([tuned])


def test_a_scan_beside_the_root_moves_on(tune: Callable[..., Tuned]) -> None:
    """The first quarter of the toys, which the walk takes, has a mean that is far too small."""

    class Biased(Toys):
        def __call__(self, clip: float, wanted: range) -> ToyTable:
            return super().__call__(0.6 * clip if len(wanted) == 25 else clip, wanted)

    toys = Biased(logarithmic(7.0, 4.0), 100)
    tuned = tune(toys)
    assert tuned.clip == pytest.approx(7.0, rel=0.04)
    assert tuned.path is not None
    assert tuned.walk[0].mean < 4 < tuned.walk[-1].mean
    first, second = ([clip for clip, wanted in toys.asked if len(wanted) == 100][i : i + 3] for i in (0, 3))
    assert min(first) > 7 > min(second)
    assert max(second) > 7, "one move was enough"
    assert min(first) == pytest.approx(second[1], rel=1e-3), "it moves on to the end beyond which the root lies"


def test_a_scan_that_never_gets_there_says_so(tune: Callable[..., Tuned]) -> None:
    class Misleading(Toys):
        def __call__(self, clip: float, wanted: range) -> ToyTable:
            return super().__call__(0.05 * clip if len(wanted) == 25 else clip, wanted)

    tuned = tune(Misleading(logarithmic(1.0), 100))
    assert (tuned.clip, tuned.interval, tuned.check, tuned.check_t, tuned.is_chi2) == (None, None, None, None, False)
    assert tuned.path is not None
    (first, last), (low, high) = tuned.path.clips[[0, -1]], tuned.path.mean[[0, -1]]
    assert low > 4
    assert tuned.statement() == (
        f"no clip was found that makes t a chi2(4): its mean goes from {low:.1f} at clip {first:.3g} to {high:.1f}"
        f" at clip {last:.3g}"
    )
    assert "| none |" in tune_markdown([tuned])


def test_a_network_that_is_too_stiff_has_no_clip(tune: Callable[..., Tuned]) -> None:
    toys = Toys(lambda clip: 3.0 * clip / (1 + clip), 50)
    tuned = tune(toys)
    assert (tuned.clip, tuned.interval, tuned.path, tuned.check, tuned.is_chi2) == (None, None, None, None, False)
    low, high = tuned.walk[0], tuned.walk[-1]
    assert low.clip == 6.0
    assert high.clip == pytest.approx(68.3, rel=0.01)
    assert tuned.statement() == (
        f"no clip was found that makes t a chi2(4): its mean goes from {low.mean:.1f} at clip 6 to {high.mean:.1f}"
        " at clip 68.3"
    )
    assert {wanted for _, wanted in toys.asked} == {range(20)}, "no toy of a scan was run"


def test_a_network_that_is_too_soft_has_no_clip(tune: Callable[..., Tuned]) -> None:
    tuned = tune(Toys(lambda clip: 5.0 + clip, 50))
    assert tuned.clip is None
    assert 0.2 < tuned.walk[0].clip < 0.3
    assert tuned.walk[-1].clip == 6.0


def test_toys_that_failed_at_one_clip_are_in_no_mean_of_the_scan(tune: Callable[..., Tuned]) -> None:
    """Two in a hundred may fail, and one of the walk's 25."""
    tuned = tune(Toys(logarithmic(11.0), 100, failing=(7, 93)))
    assert tuned.path is not None
    assert tuned.path.clips[0] < 10 < tuned.path.clips[-1]
    assert tuned.path.t.shape == (98, len(tuned.path.clips))
    assert np.all(np.isfinite(tuned.path.t))
    assert tuned.clip is not None
    assert tuned.clip > 10
    assert tuned.check is not None
    assert (tuned.check.toys, tuned.check.failed) == (100, 2)
    assert np.all(np.isfinite([tuned.shortfall, *(step.mean for step in tuned.walk)]))


@pytest.mark.parametrize(
    ("failing", "message"),
    [
        ((7, 50, 93), r"3 of 100 toys failed at clip 11\.\d \(lost\)"),
        ((3, 7), r"2 of 25 toys failed at clip 13\.5 \(lost\)"),
    ],
)
def test_tuning_with_toys_of_which_many_failed_is_refused(
    tune: Callable[..., Tuned], failing: tuple[int, ...], message: str
) -> None:
    """In the scan, and in the walk, whose third clip is 13.5."""
    with pytest.raises(FitError, match=f"{message}, so the clip cannot be tuned"):
        tune(Toys(logarithmic(11.0), 100, failing=failing))
