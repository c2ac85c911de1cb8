"""`nplm toys show`, and `nplm test --null`: what stored toys say of the null, of signals and of data."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2, norm

from nplm.toys.store import Store
from toys import exponential

FILES = ("toys", "run", "--reference", "wref.npz", "--weights", "w", "--model", "histogram", "--quiet")
PROBLEM = ("toys", "run", "--problem", "toys.exponential", "--n-reference", "5000", "--model", "histogram", "--quiet")
TEST = ("test", "data.npz", "--reference", "wref.npz", "--weights", "w", "--model", "histogram")
TOYS = 120


def t_of(path: str) -> np.ndarray:
    return Store.open(path).read().t


@pytest.fixture
def null(folder: Path, nplm) -> str:
    """A store of null toys."""
    assert nplm(*FILES, "--toys", str(TOYS), "-o", "null").code == 0
    return "null"


def test_the_null_in_numbers(nplm, null: str) -> None:
    t = t_of(null)
    outcome = nplm("toys", "show", null, "--observed", "15.5", "--json")
    assert outcome.code == 0
    document = json.loads(outcome.out)
    assert document["toys"] == TOYS
    assert (document["store"], document["missing"]) == ("null", 0)
    assert document["mean"] == pytest.approx(t.mean())
    text = nplm("toys", "show", null, "--observed", "15.5").out
    assert f"mean of t  {t.mean():.2f} +- {t.std(ddof=1) / np.sqrt(TOYS):.2f}" in text
    assert "chi2(10), given" in text
    p = (1 + np.sum(t >= 15.5)) / (1 + TOYS)
    assert re.search(rf"empirical +p = {p:.2g}", text)
    assert re.search(rf"chi2, given +p = {chi2.sf(15.5, 10):.2g}", text)
    assert "chi2(12), given" in nplm("toys", "show", null, "--degrees-of-freedom", "12").out


def test_toys_that_are_missing_are_said_to_be(nplm, folder: Path) -> None:
    nplm(*FILES, "--toys", "20", "--shard", "1/2", "-o", "half")
    assert "10 of 20 toys are missing" in nplm("toys", "show", "half").out
    assert json.loads(nplm("toys", "show", "half", "--json").out)["missing"] == 10


def test_the_null_in_files(nplm, null: str, folder: Path) -> None:
    outcome = nplm("toys", "show", null, "-o", "deep/shown")
    shown = folder / "deep" / "shown"
    assert {path.name for path in shown.iterdir()} == {
        *("manifest.json", "toys.json", "toys.txt", "null.png", "null.pdf", "qq.png", "qq.pdf")
    }
    assert (shown / "toys.txt").read_text() == outcome.out
    assert json.loads((shown / "toys.json").read_text()) == json.loads(nplm("toys", "show", null, "--json").out)
    assert (shown / "null.png").read_bytes().startswith(b"\x89PNG")
    assert (shown / "qq.pdf").read_bytes().startswith(b"%PDF")


def test_plots_in_the_style_of_an_experiment(nplm, null: str, folder: Path) -> None:
    drawn = []
    for number, style in enumerate((("--style", "CMS"), ())):
        assert nplm("toys", "show", null, *style, "-o", f"shown{number}").code == 0
        drawn.append([(folder / f"shown{number}" / name).read_bytes() for name in ("null.png", "qq.png")])
    assert all(styled != plain for styled, plain in zip(*drawn, strict=True))
    outcome = nplm("toys", "show", null, "--style", "CDF", "-o", "shown2")
    assert outcome.code == 2
    assert "--style: there is no style 'CDF'" in outcome.err
    assert not (folder / "shown2").exists()


def test_few_toys_have_no_quantiles_to_draw(nplm, folder: Path) -> None:
    nplm(*FILES, "--toys", "20", "-o", "few")
    outcome = nplm("toys", "show", "few", "-o", "shown")
    assert "50 are needed" in outcome.out
    assert {path.name for path in (folder / "shown").iterdir()} == {
        *("manifest.json", "toys.json", "toys.txt", "null.png", "null.pdf")
    }


def test_the_power_by_hand(nplm, folder: Path) -> None:
    """Toys of a problem, whose ideal Z is known: shares of the signal toys beyond the null's thresholds."""
    nplm(*PROBLEM, "--toys", str(TOYS), "-o", "null")
    nplm(*PROBLEM, "--toys", "60", "--signal", "bulk", "-o", "bulk")
    words = ("toys", "show", "bulk", "--null", "null", "--z", "1", "2", "4")
    document = json.loads(nplm(*words, "--json").out)
    empirical = document["power"][0]
    null, signal = t_of("null"), t_of("bulk")
    p = (1 + np.sum(null >= signal[:, None], axis=1)) / (1 + TOYS)
    assert empirical["kind"] == "empirical"
    assert empirical["toys"] == 60
    assert empirical["median_z"] == pytest.approx(np.median(norm.isf(p)))
    assert [at["z"] for at in empirical["at"]] == [1, 2, 4]
    for at in empirical["at"][:2]:
        assert at["power"] == pytest.approx(np.mean(p <= norm.sf(at["z"])))
    assert (empirical["at"][2]["power"], empirical["at"][2]["t"]) == (None, None)
    # 120 toys of ten bins with 200 events each follow the chi2, so it serves as a null too.
    (given,) = [power for power in document["power"] if power["kind"] == "chi2 given"]
    assert given["at"][2]["power"] == pytest.approx(np.mean(signal >= chi2.isf(norm.sf(4), 10)))
    ideal = exponential.ideal_z(exponential.BULK)
    assert [power["ideal_z"] for power in document["power"]] == pytest.approx([ideal] * len(document["power"]))
    text = nplm(*words).out
    assert f"ideal Z       {ideal:.2f}" in text
    assert "ideal Z       3.25" in nplm(*words, "--ideal-z", "3.25").out
    assert nplm(*words, "-o", "shown").code == 0
    assert {path.name for path in (folder / "shown").iterdir()} == {
        *("manifest.json", "toys.json", "toys.txt", "power.png", "power.pdf")
    }
    (folder / "shown" / "qq.png").write_text("mine")
    outcome = nplm("toys", "show", "null", "-o", "shown")
    assert outcome.code == 4
    assert "shown/qq.png is not replaced" in outcome.err
    assert (folder / "shown" / "qq.png").read_text() == "mine"


def test_the_ideal_z_is_only_that_of_the_test_it_was_computed_for(nplm, folder: Path) -> None:
    """It is that of yield and shape, for toys that have the yield of the reference."""
    for name, words in {
        "shape": ("--shape-only", "--events", "2000"),
        "few": ("--toy-yield", "500"),
    }.items():
        assert nplm(*PROBLEM, "--signal", "bulk", "--toys", "2", *words, "-o", name).code == 0
        assert "ideal_z" not in Store.open(name).about


def test_toys_of_different_tests_are_not_compared(nplm, null: str) -> None:
    nplm(*FILES, "--toys", "5", "--bins", "8", "--signal", "data.npz", "--signal-yield", "9", "-o", "peak")
    outcome = nplm("toys", "show", "peak", "--null", null)
    assert outcome.code == 3
    assert "peak and null went through different tests (model.bins: 8 here, 10 there" in outcome.err


def test_only_null_toys_are_a_null(nplm, null: str) -> None:
    signal = ("--signal", "data.npz", "--signal-yield", "9")
    for name, words, reason in (
        ("peak", signal, "they have the signal data.npz"),
        ("few", ("--toy-yield", "100"), "their expected yield is 100"),
        ("technical", ("--expectation",), "they do not fluctuate"),
    ):
        assert nplm(*FILES, "--toys", "5", *words, "-o", name).code == 0
        outcome = nplm("toys", "show", null, "--null", name)
        assert outcome.code == 3
        assert f"the toys in {name} are no null toys ({reason}): give null toys with --null" in outcome.err
        outcome = nplm(*TEST, "--null", name, "--json")
        assert outcome.code == 3
        assert "give null toys" in outcome.err


def test_stored_toys_calibrate_data(nplm, null: str) -> None:
    outcome = nplm(*TEST, "--null", null, "--json")
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    exceeding = int(np.sum(t_of(null) >= result["t"]))
    assert result["p_value"] == pytest.approx((1 + exceeding) / (1 + TOYS), rel=1e-12)
    assert result["calibration"]["toys"] == TOYS
    assert result["calibration"]["toys_exceeding"] == exceeding
    assert result["configuration"]["files"]["null"] == "null"
    # The same toys as `nplm test` would have run.
    own = json.loads(nplm(*TEST, "--toys", str(TOYS), "--json").out)
    assert (own["t"], own["p_value"]) == (result["t"], result["p_value"])
    assert own["calibration"]["source"] == result["calibration"]["source"]


def test_a_run_with_stored_toys_is_a_whole_run(nplm, null: str, folder: Path) -> None:
    outcome = nplm(*TEST, "--null", null, "-o", "out")
    assert outcome.code == 0, outcome.err
    assert json.loads((folder / "out" / "result.json").read_text())["complete"] is True
    assert (folder / "out" / "report.html").is_file()
    assert len(t_of(null)) == TOYS
    assert nplm(*TEST, "--null", null, "-o", "out").code == 4


def test_more_data_are_calibrated_without_more_toys(nplm, null: str) -> None:
    with np.load("data.npz") as columns:
        np.savez("more.npz", x=np.append(columns["x"], np.full(60, 3.0)), y=np.append(columns["y"], np.zeros(60)))
    result = json.loads(nplm("test", "more.npz", *TEST[2:], "--null", null, "--calibrate", "toys", "--json").out)
    assert result["p_value"] == pytest.approx(1 / (1 + TOYS))


@pytest.mark.parametrize(
    ("words", "code", "culprits"),
    [
        (("--bins", "8"), 3, ("null went through another test", "model.bins: 8 here, 10 there")),
        (("--expected-yield", "390"), 3, ("expected_yield: 390 here, 400 there",)),
        (("--features", "x"), 3, ("another test",)),
        (("--toys", "50"), 2, ("--toys", "--null")),
        (("--toys", "0"), 2, ("--toys", "--null")),
        (("--seed", "3"), 2, ("--seed", "--null")),
    ],
)
def test_toys_that_do_not_fit_the_data_are_refused(nplm, null: str, words, code: int, culprits) -> None:
    outcome = nplm(*TEST, "--null", null, "-o", "out", *words)
    assert outcome.code == code
    assert outcome.out == ""
    for culprit in culprits:
        assert culprit in outcome.err
    assert not Path("out").exists()


def test_another_clip_is_another_test(nplm, folder: Path) -> None:
    network = ("--hidden", "1", "--features", "x")
    assert nplm(*FILES[:-3], *network, "--clip", "7", "--toys", "1", "-o", "null").code == 0
    outcome = nplm(*TEST[:-2], *network, "--clip", "8", "--null", "null", "--json")
    assert outcome.code == 3
    assert "model.clip: 8 here, 7 there" in outcome.err


def test_a_null_that_is_no_store_is_refused(nplm, null: str) -> None:
    for name in ("nowhere", "data.npz"):
        outcome = nplm(*TEST, "--null", name, "--json")
        assert outcome.code == 3
        assert f"{name} is not a folder" in outcome.err
    shutil.rmtree("null")
    Path("null").mkdir()
    assert "null is not a toy store: it has no campaign.json" in nplm(*TEST, "--null", "null", "--json").err
