"""That no event was seen where some are expected is data: t = 2 N(R), in the tests, on the command line and in toys."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, norm, poisson

from nplm import (
    FamilyTest,
    GaussianConstraint,
    HistogramModel,
    KernelModel,
    MultipleTest,
    NetworkModel,
    NPLMTest,
    Nuisances,
    Sample,
)
from nplm.cli.main import main
from nplm.data.support import yields_apart
from nplm.hypotest import kernel_widths
from nplm.io import ReadError, read_sample, row_numbers
from nplm.models.base import Model
from nplm.nuisance import Normalization
from nplm.plot.log_ratio import plot_log_ratio

WEIGHT = 1e-2
NONE = Sample(np.empty((0, 1)), features=["x"], name="data")


def _reference(expected: float) -> Sample:
    n = round(expected / WEIGHT)
    return Sample(np.random.default_rng(2).exponential(size=n), np.full(n, WEIGHT), features=["x"], name="reference")


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("model", [HistogramModel, NetworkModel], ids=["histogram", "network"])
def test_t_is_twice_what_was_expected(model: type[HistogramModel | NetworkModel], exact: bool) -> None:
    """And log(1 + w)/w of it with a finite reference, in which f = -log((1 + w)/w) is the least there is."""
    settings = {"bins": 3} if model is HistogramModel else {"hidden": (2,), "clip": 5.0}
    test = NPLMTest(_reference(3.0), model(reference_exact=exact, **settings))
    share = 1.0 if exact else np.log1p(WEIGHT) / WEIGHT
    assert test.statistic(NONE) == pytest.approx(6 * share, abs=1e-5)  # the clip of a network leaves e^-13


def test_p_is_that_of_the_counts() -> None:
    """With one bin t is a function of the number of events, and toys with none are among the others."""
    test = NPLMTest(_reference(3.0), HistogramModel(bins=1, reference_exact=True))
    result = test.run(NONE, toys=2000)
    n = np.arange(40)
    t = 2 * (n * np.log(np.maximum(n, 1) / 3) - n + 3)
    exact = poisson.pmf(n, 3)[t >= 6 - 1e-9].sum()
    assert result.n_data == 0
    assert np.isclose(result.toys.t, 6.0).any()
    assert result.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact / 2000))


def test_the_picture_of_the_log_ratio_does_not_say_that_the_fit_failed() -> None:
    test = NPLMTest(_reference(3.0), HistogramModel(bins=3))
    axes = plot_log_ratio(test, NONE, test.run(NONE, toys=0)).axes[0]
    assert [text.get_text() for text in axes.texts if "data" in text.get_text()] == [
        "there are no data, so f is shown of none"
    ]


def test_a_kernel_pays_for_its_penalty_only() -> None:
    test = NPLMTest(_reference(12.0), KernelModel(width=1.0, centers=20, reference_exact=True))
    assert 23.5 < test.statistic(NONE) <= 24.0
    result = MultipleTest(kernel_widths(_reference(12.0), [0.5, 1.0], KernelModel(centers=20))).run(NONE)
    assert result.p_value < 0.05


def test_a_normalization_takes_up_what_it_may() -> None:
    nuisances = Nuisances(Normalization("norm", 0.5), GaussianConstraint(["norm"], [1.0]))
    free = NPLMTest(_reference(3.0), HistogramModel(bins=1), nuisances=nuisances).run(NONE, toys=50)
    assert 0 <= free.t < 6


@pytest.mark.parametrize("model", [HistogramModel(bins=3), KernelModel(width=1.0, centers=20)], ids=lambda m: m.name)
def test_a_shape_needs_events(model: Model) -> None:
    test = NPLMTest(_reference(3.0), model, shape_only=True)
    with pytest.raises(ValueError, match="data is empty: there are no events to test"):
        test.run(NONE)


def test_other_features_are_refused_as_ever() -> None:
    with pytest.raises(ValueError, match="different features"):
        NPLMTest(_reference(3.0), HistogramModel(bins=3)).run(Sample(np.empty((0, 1)), features=["y"]))


def test_none_of_many_is_worth_a_caution() -> None:
    assert yields_apart(3.0, 0.0) is None
    assert "expects 300 events, but the data have 0" in str(yields_apart(300.0, 0.0))


def test_a_file_may_hold_none_if_that_is_asked_for(tmp_path: Path) -> None:
    np.savez(tmp_path / "none.npz", x=np.empty(0))
    np.savez(tmp_path / "some.npz", x=np.ones(3))
    assert len(read_sample(tmp_path / "none.npz", allow_empty=True)) == 0
    assert len(read_sample(tmp_path / "some.npz", where="x > 2", allow_empty=True)) == 0
    assert row_numbers(tmp_path / "some.npz", where="x > 2", allow_empty=True).tolist() == []  # type: ignore[union-attr]
    for name, where in (("none.npz", None), ("some.npz", "x > 2")):
        with pytest.raises(ReadError, match=r"holds no events|none of its 3 rows passes"):
            read_sample(tmp_path / name, where=where)


@pytest.mark.parametrize("words", ["none.npz", "some.npz --where x<50"])
def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.chdir(tmp_path)
    reference = _reference(3.0)
    np.savez("ref.npz", x=reference.events[:, 0], w=reference.weights)
    np.savez("none.npz", x=np.empty(0))
    np.savez("some.npz", x=np.full(3, 99.0))
    asked = ["test", *words.split(), "--reference", "ref.npz", "--weights", "w", "--quiet"]
    one = ["--model", "histogram", "--bins", "3", "--reference-exact", "--toys", "60"]
    assert main([*asked, *one, "-o", "out"]) == 0
    result = json.loads(Path("out/result.json").read_text())
    assert result["t"] == pytest.approx(6.0)
    assert (result["n_data"], result["observed_yield"]) == (0, 0.0)
    assert Path("out/report.html").exists()
    assert main([*asked, *one, "--shape-only", "-o", "shape"]) == 3


@pytest.mark.parametrize("exact", [True, False])
def test_the_family_has_the_p_value_of_the_yield(exact: bool) -> None:
    """Twice P(0): Poisson, or binomial of the reference's 800 events if their number is all that is known."""
    reference, none = _reference(8.0), Sample(np.empty((0, 1)), features=("x",), name="none")
    test = FamilyTest(reference, none, expected_ratio=0.5, exact_yield=exact)
    said: list[str] = []
    result = test.run(notify=said.append)
    p_none = poisson.pmf(0, 4.0) if exact else binom.pmf(0, 800, 4 / 804)
    assert result.p_value == pytest.approx(2 * p_none)
    assert result.z == pytest.approx(norm.isf(2 * p_none))
    assert "so that shapes are not compared" in said[0]
    assert list(result.notes) == said
    assert "0 observed / 4 expected = 0" in repr(result)
    assert f"{'Poisson' if exact else 'binomial'} distribution" in repr(result)
    assert json.loads(result.to_json())["rate"]["observed"] == 0
    for of_shapes in (lambda: test.t, lambda: test.null(), lambda: test.run("permutation")):
        with pytest.raises(ValueError, match="none has no events, and so no shape"):
            of_shapes()


def test_shapes_and_other_features_are_refused() -> None:
    reference, none = _reference(8.0), Sample(np.empty((0, 1)), features=("x",), name="none")
    with pytest.raises(ValueError, match="none"):
        FamilyTest(reference, none)
    with pytest.raises(ValueError, match="different features"):
        FamilyTest(reference, Sample(np.empty((0, 1)), features=("y",)), expected_ratio=1.0)
    with pytest.raises(ValueError, match="none"):
        FamilyTest(none, reference, expected_ratio=1.0)


@pytest.mark.parametrize("words", ["none.npz", "some.npz --where x<50"])
def test_the_family_on_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    reference = _reference(12.0)
    np.savez("ref.npz", x=reference.events[:, 0], w=reference.weights)
    np.savez("none.npz", x=np.empty(0))
    np.savez("some.npz", x=np.full(3, 99.0))
    asked = ["test", *words.split(), "--reference", "ref.npz", "--weights", "w"]
    assert main([*asked, "--expected-yield", "12", "-o", "out"]) == 0
    assert json.loads(Path("out/result.json").read_text())["p_value"] == pytest.approx(2 * np.exp(-12.0))
    page = Path("out/report.html").read_text()
    assert "in the yield: none where 12 are expected" in page
    assert "Where is it?" not in page
    assert not Path("out/events.csv").exists()
    capsys.readouterr()
    assert main([*asked, "--shape-only", "-o", "shape"]) == 3
    assert "holds no events" in (said := capsys.readouterr().err) or "passes the cut" in said
    assert not Path("shape").exists()
