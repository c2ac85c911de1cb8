"""`nplm validate`: results in the folder, and what is refused by name before anything is compared."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

pytestmark = pytest.mark.usefixtures("folder")

QUICK = ("--widths", "0.8,2.5", "--penalties", "0.01", "--centers", "30", "--permutations", "50")


@pytest.fixture(autouse=True)
def samples(folder: Path) -> None:
    """a, b and c, of which c is shifted; signed has weights of both signs; narrow lacks a feature."""
    rng = np.random.default_rng(3)
    for name, n, shift in (("a", 150, 0.0), ("b", 120, 0.0), ("c", 120, 1.5)):
        np.savez(folder / f"{name}.npz", x=rng.normal(size=n) + shift, y=rng.normal(size=n))
    w = np.where(rng.random(100) < 0.2, -1.0, 1.0)
    np.savez(folder / "signed.npz", x=rng.normal(size=100), y=rng.normal(size=100), w=w)
    np.savez(folder / "narrow.npz", x=rng.normal(size=50))


def follows(name: str, document: Any) -> None:
    """Fails unless the document is as its schema says."""
    Draft202012Validator(json.loads(files("nplm").joinpath(f"schema/{name}").read_text())).validate(document)


def test_two_samples_give_a_folder_and_a_report(nplm) -> None:
    outcome = nplm("validate", "a.npz", "c.npz", *QUICK, "--n-sweep", "30,60", "-o", "out")
    assert outcome.code == 0, outcome.err
    assert "a lower limit of Z" in outcome.out
    assert "subsamples of each size" in outcome.out
    result = json.loads(Path("out/result.json").read_text())
    follows("two-sample-1.json", result)
    follows("two-sample-sweep-1.json", result["sweep"])
    follows("localization-1.json", json.loads(Path("out/localization.json").read_text()))
    assert result["p_value"] == 1 / 51
    assert len(result["sweep"]["sizes"]) == 2
    assert len(Path("out/events.csv").read_text().splitlines()) > 20
    page = Path("out/report.html").read_text()
    question, *headings = (
        "Are these samples from one distribution?",
        "Feature y",
        "Where is it?",
        "How many events it takes",
    )
    for text in (question, *headings, "nplm</span>"):
        assert text in page
    assert {path.name for path in Path("out/plots").glob("*.png")} == {
        "feature-0.png",
        "feature-1.png",
        "null.png",
        "pair-01.png",
        "sweep.png",
    }
    again = nplm("validate", "a.npz", "c.npz", *QUICK, "-o", "out")
    assert again.code == 4
    assert nplm("validate", "a.npz", "b.npz", *QUICK, "-o", "out", "--force").code == 0
    assert not Path("out/plots/sweep.png").exists()


def test_the_command_in_the_result_gives_the_same(nplm) -> None:
    words = ("validate", "a.npz", "b.npz", *QUICK, "--features", "y,x", "--expected-ratio", "0.8", "--json")
    result = json.loads(nplm(*words, "--quiet").out)
    command = result["configuration"]["command"].split()
    assert command[:4] == ["nplm", "validate", "a.npz", "b.npz"]
    again = json.loads(nplm(*command[1:]).out)
    assert again["p_value"] == result["p_value"]
    assert result["features"] == ["y", "x"]
    assert result["tests"][-1]["name"] == "yield"


def test_signed_weights_are_not_permuted(nplm) -> None:
    words = ("validate", "a.npz", "signed.npz", "--weights", "w", *QUICK, "--json")
    outcome = nplm(*words)
    assert outcome.code == 0
    assert "a.npz: every event has weight one" in outcome.err
    assert json.loads(outcome.out)["calibration"]["kind"] == "analytic"
    outcome = nplm(*words, "--calibrate", "permutation")
    assert outcome.code == 3
    assert "not exchangeable. Calibrate with 'asymptotic' or 'bootstrap'" in outcome.err
    assert json.loads(nplm(*words, "--calibrate", "bootstrap").out)["calibration"]["kind"] == "bootstrap"


def test_more_samples_give_a_matrix(nplm) -> None:
    outcome = nplm("validate", "a.npz", "b.npz", "c.npz", "--names", "A14", "CP5", "new", *QUICK, "-o", "out")
    assert outcome.code == 0, outcome.err
    assert "A14 - CP5" in outcome.out
    result = json.loads(Path("out/result.json").read_text())
    follows("two-sample-matrix-1.json", result)
    for comparison in result["comparisons"]:
        follows("two-sample-1.json", comparison["result"])
    assert [pair["pair"] for pair in result["comparisons"]] == [["A14", "CP5"], ["A14", "new"], ["CP5", "new"]]
    plain = Path("out/plots/matrix.png").read_bytes()
    assert "of 3 pairs differ" in Path("out/report.html").read_text()
    command = result["configuration"]["command"].split()
    assert nplm(*command[1:], "--style", "CMS", "--force").code == 0
    assert Path("out/plots/matrix.png").read_bytes() != plain


@pytest.mark.parametrize(
    ("words", "culprits"),
    [
        (("a.npz", "--json"), ("two samples",)),
        (("a.npz", "a.npz", "--json"), ("a.npz is given twice",)),
        (("a.npz", "b.npz"), ("-o is missing",)),
        (("a.npz", "b.npz", "--json", "--names", "one"), ("--names", "2 different names")),
        (("a.npz", "b.npz", "--json", "--shape-only", "--expected-ratio", "1"), ("--shape-only", "--expected-ratio")),
        (("a.npz", "b.npz", "c.npz", "--json", "--n-sweep", "20"), ("--n-sweep", "two samples")),
        (("a.npz", "b.npz", "--json", "--correction", "holm"), ("--correction",)),
        (("a.npz", "b.npz", "--json", "--pool", "c.npz"), ("--calibrate pool", "--pool")),
        (("a.npz", "b.npz", "--json", "--calibrate", "pool"), ("--calibrate pool", "--pool")),
        (("a.npz", "b.npz", "--json", "--calibrate", "asymptotic", "--permutations", "9"), ("--permutations",)),
        (("a.npz", "b.npz", "--json", "--widths", "1,1"), ("--widths", "twice")),
        (("a.npz", "b.npz", "--json", "--n-sweep", "1"), ("--n-sweep", "1")),
        (("a.npz", "b.npz", "--json", "--style", "CDF"), ("--style", "'CDF'")),
        (
            ("a.npz", "b.npz", "--json", "--statistic", "converged", "--calibrate", "bootstrap"),
            ("--calibrate bootstrap",),
        ),
        (("a.npz", "b.npz", "--json", "--features", "x", "--weights", "x"), ("'x'", "weight column")),
    ],
)
def test_wrong_usage_is_refused_by_name(nplm, words, culprits) -> None:
    outcome = nplm("validate", *words)
    assert outcome.code == 2
    for culprit in culprits:
        assert culprit in outcome.err.splitlines()[0]


def test_bad_input_is_refused_by_name(nplm) -> None:
    np.savez("nan.npz", x=np.array([1.0, np.nan]), y=np.ones(2))
    np.savez("empty.npz", x=np.ones(0), y=np.ones(0))
    np.savez("negative.npz", x=np.ones(3), y=np.ones(3), w=-np.ones(3))
    for words, culprits in (
        (("missing.npz",), ("missing.npz",)),
        (("narrow.npz",), ("narrow.npz", "lacks y")),
        (("nan.npz",), ("nan.npz", "not finite")),
        (("empty.npz",), ("empty.npz",)),
        (("negative.npz", "--weights", "w"), ("negative.npz", "positive")),
        (("b.npz", "--weights", "w"), ("no file has the column 'w'",)),
        (("b.npz", "--n-sweep", "500"), ("between 2 and 120",)),
    ):
        outcome = nplm("validate", "a.npz", *words, *QUICK, "-o", "out")
        assert outcome.code == 3, words
        assert "Traceback" not in outcome.err
        for culprit in culprits:
            assert culprit in outcome.err
        assert not Path("out").exists()


def test_copies_are_noticed(nplm) -> None:
    np.savez("copy.npz", **np.load("a.npz"))
    outcome = nplm("validate", "a.npz", "copy.npz", *QUICK, "--json")
    assert outcome.code == 0
    assert "hold the same events" in outcome.err
