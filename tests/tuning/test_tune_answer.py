"""What tuning says of the clip it found: whether t is a chi2 there, in words and numbers, and which network to take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2, kstest

import nplm.tuning.tuner as module
from nplm.plot.tune import plot_tune
from nplm.stats.ensemble_summary import EnsembleSummary, summarize_toys
from nplm.stats.goodness_of_fit import chi2_compatibility
from nplm.tuning.path import ClipPath
from nplm.tuning.result import Tuned, largest_chi2
from nplm.tuning.result_text import choice, interval_text, tune_dict, tune_markdown, tune_text
from tests.tuning.tuned_toys import Quantiles, Toys, fitted_p, logarithmic, narrow


def test_the_statement_of_an_accepted_shape_gives_clip_toys_and_p(tune: Callable[..., Tuned]) -> None:
    tuned = tune(Toys(logarithmic(7.0), 100))
    p = fitted_p(tuned)
    assert p >= 0.05
    assert tuned.is_chi2
    assert tuned.statement() == f"t is a chi2(4) at clip {tuned.clip:.3g}: 100 toys accept the shape (p = {p:.2g})"
    assert clip_label(tuned).endswith("χ²(4) accepted there")


def test_accepted_is_not_said_of_a_shape_whose_tail_alone_is_refused(tune: Callable[..., Tuned]) -> None:
    good = tune(Toys(logarithmic(7.0), 100))
    assert good.check is not None
    assert good.check.fitted is not None
    tail = replace(good.check.fitted, p_value=0.12, upper_tail=0.045)
    tuned = replace(good, check=replace(good.check, fitted=tail))
    assert tuned.is_chi2
    assert "accept" not in tuned.statement()
    assert "would (upper tail: p = 0.045); take more toys" in tuned.statement()
    assert clip_label(tuned).endswith("χ²(4) not refuted there")
    assert "| not refuted (upper tail alone: p = 0.045) |" in tune_markdown([tuned])
    assert choice([tuned]).endswith("whose chi2 is not refuted (upper tail alone: p = 0.045): more toys would tell")
    assert "not refuted" not in choice([good])


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
        self,
        ensembles: int,
        tune: Callable[..., Tuned],
        monkeypatch: pytest.MonkeyPatch,
        quantiles: Quantiles = chi2.ppf,
    ) -> list[Tuned]:
        rng = np.random.default_rng(11)
        # What has no part in the test of the shape need not be computed.
        monkeypatch.setattr(ClipPath, "interval_of", lambda path, target: (1.0, 2.0))

        def summarize(t: np.ndarray) -> EnsembleSummary:
            return summarize_toys(t, simulations=400)

        monkeypatch.setattr(module, "summarize_toys", summarize)
        return [tune(Toys(logarithmic(7.0), 100, quantiles, u=rng.random(100))) for _ in range(ensembles)]

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
    free = replace(middle, clip_biases=False)
    assert choice([small, free]) == f"take --hidden 5x5 --clip {good.clip:.3g} --no-clip-biases"
    assert tune_dict([small, free])["chosen"]["clip_biases"] is False


def test_all_forms_say_the_same(tune: Callable[..., Tuned]) -> None:
    good, none = tune(Toys(logarithmic(7.0), 100)), tune(Toys(lambda clip: 3.0, 50))
    document = tune_dict([good, none])
    assert document["schema"] == "nplm-tune/1"
    assert document["chosen"] == {"hidden": [1], "clip": good.clip, "clip_biases": True}
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
