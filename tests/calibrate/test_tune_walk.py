"""How tuning looks for the clip, and what it says, on toys whose t is a known function of the clip."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.stats import chi2, kstest

import nplm.calibrate.clip_path as path_module
import nplm.calibrate.tune as module
from nplm.calibrate.clip_path import ClipPath
from nplm.calibrate.compatibility import chi2_compatibility
from nplm.calibrate.summary import EnsembleSummary, summarize_toys
from nplm.calibrate.tune import Tuned, TuneSettings, Tuning, largest_chi2
from nplm.ensemble.campaign import Campaign
from nplm.ensemble.table import ToyTable
from nplm.hypothesis_test import FitError
from nplm.plot.tune import plot_tune
from nplm.report.tune import choice, interval_text, tune_dict, tune_markdown, tune_text
from tests.ensemble.programs import QUICK, exponential_campaign

MeanOf = Callable[[float], float]
Law = Callable[[np.ndarray, float], np.ndarray]


def narrow(u: np.ndarray, k: float) -> np.ndarray:
    """Quantiles of half the width of the chi2, around its mean."""
    return k + 0.5 * (chi2.ppf(u, k) - k)


@dataclass
class Toys:
    """Toys that follow a chi2 of a mean that grows with the clip, the same quantiles at every clip.

    Arguments:
        mean: of t, at each clip.
        scan: number of toys of the scan.
        law: the quantile function of t for a mean.
        failing: numbers of toys that have no t at clips above 10.
        gap: how far the best t known, which only following the maxima finds, lies above the search's: shape (scan,).
        u: the quantiles of the toys; default: evenly spread, so that their mean is that of the chi2 but for the tail
            beyond the last, also that of the walk's.
    """

    mean: MeanOf
    scan: int
    law: Law = chi2.ppf
    failing: tuple[int, ...] = ()
    gap: np.ndarray | float = 0.0
    u: np.ndarray | None = None

    def __post_init__(self) -> None:
        self.asked: list[tuple[float, range]] = []

    def __call__(self, clip: float, wanted: range) -> ToyTable:
        self.asked.append((clip, wanted))
        n = len(wanted)
        u = (np.random.default_rng(3).permutation(n) + 0.5) / n if self.u is None else self.u[wanted]
        t = np.asarray(self.law(u, self.mean(clip)))
        if clip > 10:
            t[np.isin(wanted, self.failing)] = np.nan
        return ToyTable(
            index=np.array(wanted),
            t=t,
            total_weight=np.full(n, 300.0),
            converged=np.isfinite(t),
            starts_agreeing=np.where(np.arange(n) % 4 == 0, 1, 2),
            failure=np.where(np.isfinite(t), "", "lost").astype(object),
            seconds=np.zeros(n),
            parameters=np.zeros((n, 4)),
        )


@pytest.fixture(scope="module")
def campaign() -> Campaign:
    return exponential_campaign(model=replace(QUICK, hidden=(1,)))


@pytest.fixture
def tune(campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Tuned]:
    """Tunes on synthetic toys; the network's own climbs are replaced by the gap that they would close.

    200 resamplings know an end of the interval to a tenth of the error of the clip.
    """
    monkeypatch.setattr(path_module, "_RESAMPLINGS", 200)

    def run(toys: Toys, start: float = 6.0) -> Tuned:
        def no_climbs(
            clips: list[float], t: np.ndarray, parameters: np.ndarray, climb: object, before: object
        ) -> ClipPath:
            return ClipPath(np.array(clips), t + np.reshape(toys.gap, (-1, 1)), t)

        monkeypatch.setattr(module, "follow_path", no_climbs)
        tuning = Tuning(campaign, TuneSettings(toys.scan, start))
        monkeypatch.setattr(tuning, "toys_at", toys)
        return tuning.run()

    return run


def logarithmic(root: float, slope: float = 2.0) -> MeanOf:
    """A mean of 4, the number of parameters, at the root."""
    return lambda clip: max(0.1, 4 + slope * np.log(clip / root))


def fitted_p(tuned: Tuned) -> float:
    """The p-value of the shape."""
    assert tuned.check is not None
    assert tuned.check.fitted is not None
    return tuned.check.fitted.p_value


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


def scan_clips(toys: Toys) -> list[float]:
    """The clips at which all toys were fitted, in the order of time, each once."""
    return list(dict.fromkeys(clip for clip, wanted in toys.asked if len(wanted) == toys.scan))


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


def test_the_statement_of_an_accepted_shape_gives_clip_toys_and_p(tune: Callable[..., Tuned]) -> None:
    tuned = tune(Toys(logarithmic(7.0), 100))
    p = fitted_p(tuned)
    assert p >= 0.05
    assert tuned.is_chi2
    assert tuned.statement() == f"t is a chi2(4) at clip {tuned.clip:.3g}: 100 toys accept the shape (p = {p:.2g})"
    assert clip_label(tuned).endswith("χ²(4) accepted there")


def test_a_mean_that_is_right_does_not_make_a_chi2(tune: Callable[..., Tuned]) -> None:
    tuned = tune(Toys(logarithmic(7.0), 100, narrow))
    assert tuned.clip == pytest.approx(7.0, rel=0.04)
    assert not tuned.is_chi2
    p = fitted_p(tuned)
    assert p < 0.05
    assert tuned.statement() == (
        f"t is not a chi2(4) at clip {tuned.clip:.3g}, where its mean is right: 100 toys reject the shape (p = {p:.2g})"
    )
    assert choice([tuned]).startswith("none of these networks")
    assert clip_label(tuned).endswith("χ²(4) rejected there")


@pytest.mark.parametrize(("share", "behind"), [(0.1, 2.0), (0.3, 2.0)])
def test_a_search_that_misses_too_much_gives_no_clip(tune: Callable[..., Tuned], share: float, behind: float) -> None:
    """What data get is the search's t: its mean may be short by no more than the error of that mean, 0.28."""
    gap = np.where(np.arange(100) < 100 * share, behind, 0.0)
    tuned = tune(Toys(logarithmic(7.0), 100, gap=gap))
    assert tuned.missed == share
    assert tuned.shortfall == pytest.approx(share * behind)
    # The mean of the best t known is the one sought, so that of the search's is short.
    assert tuned.check is not None
    assert tuned.check.mean == pytest.approx(4 - share * behind, abs=0.05)
    assert tuned.check.mean_error == pytest.approx(0.27, abs=0.03)
    assert fitted_p(tuned) >= 0.05, "the shape is another matter"
    assert tuned.is_chi2 == (share * behind < 0.28)
    assert f"misses the best t known in {100 * share:.0f}% of toys, which lowers mean t by" in tune_text([tuned])
    if share == 0.1:
        assert "toys accept the shape" in tuned.statement()
        return
    assert tuned.statement() == (
        f"no clip is given for chi2(4): at clip {tuned.clip:.3g} the mean of the best t known is right, but the search"
        " that fits data ends 0.6 below it on average; calibrate with toys"
    )
    assert choice([tuned]).startswith("none of these networks")
    assert clip_label(tuned).endswith("χ²(4) accepted, but maxima missed there")


def test_a_shortfall_as_large_as_the_error_is_the_limit(tune: Callable[..., Tuned]) -> None:
    tuned = tune(Toys(logarithmic(7.0), 100))
    assert tuned.check is not None
    error = tuned.check.mean_error
    assert error is not None
    assert replace(tuned, shortfall=error).is_chi2
    assert not replace(tuned, shortfall=error * 1.001).is_chi2


def test_a_gap_within_the_agreement_is_not_missed(tune: Callable[..., Tuned]) -> None:
    tuned = tune(Toys(logarithmic(7.0), 100, gap=0.04))
    assert tuned.missed == 0
    assert tuned.shortfall == pytest.approx(0.04)


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


def test_too_few_toys_to_test_the_shape_are_no_missing_clip(tune: Callable[..., Tuned]) -> None:
    """One of 50 toys fails, and 49 cannot be compared with a chi2."""
    tuned = tune(Toys(logarithmic(11.0), 50, failing=(30,)))
    assert tuned.clip is not None
    assert tuned.check is not None
    assert tuned.check.fitted is None
    assert not tuned.is_chi2
    assert tuned.statement() == (
        f"no clip is given for chi2(4): at clip {tuned.clip:.3g} its mean is right, but fewer than 50 toys have a"
        " positive t to test the shape with; take more toys"
    )
    assert clip_label(tuned).endswith("χ²(4) not tested there")
    assert "| none |" not in tune_markdown([tuned])


class TestSize:
    """The test of the shape at the clip that was tuned with the same toys.

    Toys are an exact chi2 whose degrees of freedom grow with the clip. 60 ensembles are tuned, each on 100 toys of its
    own, and the p-values should be uniform, so that 5% of ensembles are rejected. Each of the two tests of it has a
    size of about 0.1%; the simulated ensembles behind the p-values are the same for all, which adds 1.1% to the 2.8% by
    which the share of rejections varies.
    """

    def tuned(
        self, ensembles: int, tune: Callable[..., Tuned], monkeypatch: pytest.MonkeyPatch, law: Law = chi2.ppf
    ) -> list[Tuned]:
        rng = np.random.default_rng(11)
        # What has no part in the test of the shape need not be computed.
        monkeypatch.setattr(ClipPath, "interval_of", lambda path, target: (1.0, 2.0))

        def summarize(t: np.ndarray) -> EnsembleSummary:
            return summarize_toys(t, simulations=400)

        monkeypatch.setattr(module, "summarize_toys", summarize)
        return [tune(Toys(logarithmic(7.0), 100, law, u=rng.random(100))) for _ in range(ensembles)]

    def test_a_chi2_is_rejected_as_often_as_it_should_be(
        self, tune: Callable[..., Tuned], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = self.tuned(60, tune, monkeypatch)
        clips = np.log([result.clip or np.nan for result in found])
        # The clips themselves differ as the means of the toys do: 2.83 / 10 / 2.
        assert clips.std() == pytest.approx(0.141, rel=0.3)
        p = np.array([fitted_p(result) for result in found])
        assert kstest(p, "uniform").pvalue > 0.001
        # 3 +- 1.8 are expected.
        assert np.sum(p < 0.05) <= 10
        assert [result.is_chi2 for result in found] == list(p >= 0.05)
        # Negative control: the chi2 that was sought has the toys' mean, and would be accepted too often.
        tables = [result.check_t for result in found if result.check_t is not None]
        sought = [chi2_compatibility(t, 4, simulations=200).p_value for t in tables]
        assert kstest(sought, "uniform").pvalue < 0.001

    def test_another_shape_is_rejected(self, tune: Callable[..., Tuned], monkeypatch: pytest.MonkeyPatch) -> None:
        """Negative control: t of half the width, which 100 toys see."""
        assert not any(result.is_chi2 for result in self.tuned(12, tune, monkeypatch, narrow))


def test_the_largest_network_that_is_a_chi2_is_taken(tune: Callable[..., Tuned]) -> None:
    good, bad = tune(Toys(logarithmic(7.0), 100)), tune(Toys(logarithmic(7.0), 100, narrow))
    small, middle, large = (
        replace(result, hidden=hidden, degrees_of_freedom=k)
        for hidden, k, result in (((4,), 13, good), ((5, 5), 46, good), ((10, 4), 69, bad))
    )
    assert largest_chi2([small, middle, large]) is middle
    assert largest_chi2([middle, small, large]) is middle
    assert largest_chi2([small, large]) is small
    assert largest_chi2([large]) is None
    assert largest_chi2([]) is None
    assert choice([small, middle, large]) == f"take --hidden 5x5 --clip {good.clip:.3g}"


def test_all_forms_say_the_same(tune: Callable[..., Tuned]) -> None:
    good, none = tune(Toys(logarithmic(7.0), 100)), tune(Toys(lambda clip: 3.0, 50))
    document = tune_dict([good, none])
    assert document["schema"] == "nplm-tune/1"
    assert document["chosen"] == {"hidden": [1], "clip": good.clip}
    first, second = document["networks"]
    assert (first["clip"], second["clip"]) == (good.clip, None)
    assert (first["is_chi2"], second["is_chi2"]) == (True, False)
    assert first["interval"] == list(good.interval or ())
    assert first["scan"]["mean"] == list(good.path.mean)  # type: ignore[union-attr]
    assert first["scan"]["corrected"] == 0
    assert (second["scan"], second["check"], second["interval"]) == (None, None, None)
    assert (first["check"]["toys"], first["check"]["given"]) == (100, None)
    assert first["check"]["fitted"]["p_value"] == fitted_p(good)
    assert second["walk"][0] == {"clip": 6.0, "mean": none.walk[0].mean, "toys": 20}
    rows = tune_markdown([good, none]).splitlines()
    assert len(rows) == 4
    assert {row.count("|") for row in rows} == {9}
    cells = [cell.strip() for cell in rows[2].split("|")]
    assert cells[3:6] == [f"{good.clip:.3g}", interval_text(good), "100"]
    assert cells[7:9] == [f"{fitted_p(good):.2g}", "yes"]
    assert "| none |" in rows[3]
    text = tune_text([good, none])
    for result in (good, none):
        assert result.statement() in text
    assert "chi2(4), given" not in text
    assert text.splitlines()[-1] == f"take --hidden 1 --clip {good.clip:.3g}"
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= 150


def clip_label(tuned: Tuned) -> str:
    """What the legend of the plot says of the clip."""
    legend = plot_tune(tuned).axes[0].get_legend()
    assert legend is not None
    (label,) = [text.get_text() for text in legend.get_texts() if "there" in text.get_text()]
    return label
