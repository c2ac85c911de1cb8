"""`nplm measure`: results in the folder, parameters from a file or from Python, and what is refused by name."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

pytestmark = pytest.mark.usefixtures("folder")
READ = ("--reference", "ref-m.npz", "--weights", "w")
ASKED = ("--parameters", "parameters.yaml")
GIVEN = ("events.npz", *READ, *ASKED)


@pytest.fixture(autouse=True)
def events(folder: Path) -> None:
    """Data whose scale is 10% larger than that of the reference, and the files of parameters and nuisances."""
    rng = np.random.default_rng(3)
    np.savez(folder / "ref-m.npz", x=rng.exponential(size=2000), y=rng.normal(size=2000), w=np.full(2000, 0.15))
    np.savez(folder / "events.npz", x=rng.exponential(1.1, 320), y=rng.normal(size=320))
    (folder / "parameters.yaml").write_text(
        "yields: [norm]\nlog_ratios:\n  scale: -scale - x*(exp(-scale) - 1)\nbounds: {scale: [-2, 2]}\n",
        encoding="utf-8",
    )
    (folder / "known.yaml").write_text("normalizations: {lumi: 0.05}\n", encoding="utf-8")


def _valid(result: dict[str, object]) -> None:
    Draft202012Validator(json.loads(files("nplm").joinpath("schema/measure-1.json").read_text())).validate(result)


def test_nuisances_alone_ask_whether_the_reference_describes_the_data(nplm) -> None:
    outcome = nplm("measure", "events.npz", *READ, "--nuisances", "known.yaml", "--resamples", "99", "-o", "alone")
    assert outcome.code == 0, outcome.err
    result = json.loads(Path("alone/result.json").read_text())
    _valid(result)
    assert result["parameters"] == []
    assert [each["name"] for each in result["nuisances"]] == ["lumi"]
    page = Path("alone/report.html").read_text()
    assert "Does the reference describe the data, whatever its nuisances are?" in page
    assert "impact" not in page.lower().split("what the numbers stand on")[0]


def test_a_measurement_gives_a_folder_and_a_report(nplm) -> None:
    more = ("--nuisances", "known.yaml", "--limit", "scale", "--toys", "20", "--resamples", "99")
    outcome = nplm("measure", *GIVEN, *more, "-o", "out")
    assert outcome.code == 0, outcome.err
    assert "The model describes the data" in outcome.out
    result = json.loads(Path("out/result.json").read_text())
    _valid(result)
    values = {each["name"]: each for each in result["parameters"]}
    x = np.load("events.npz")["x"]
    mean = float(np.load("ref-m.npz")["x"].mean())
    assert values["scale"]["value"] == pytest.approx(np.log(x.mean() / mean), abs=0.02)
    assert values["scale"]["error_of_reference"] > 0
    assert {each["by_toys"] for each in result["intervals"]} == {True}
    assert [each["name"] for each in result["limits"]] == ["scale"]
    assert result["nuisances"][0]["name"] == "lumi"
    page = Path("out/report.html").read_text()
    for text in (
        "What is norm, scale, and is anything left?",
        "Contours",
        "Pulls and impacts",
        "Feature x",
        "Coverage",
    ):
        assert text in page
    assert {path.name for path in Path("out/plots").glob("*.png")} == {
        "contour-01.png",
        "feature-01-x.png",
        "feature-02-y.png",
        "pulls.png",
    }


def test_what_is_expected_needs_no_data(nplm) -> None:
    outcome = nplm("measure", *READ, "--parameters", "parameters.yaml", "--expected", "--at", "norm=0.2", "--json")
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    _valid(result)
    assert result["expected"]
    assert result["yields"]["fitted"] == pytest.approx(300 * np.exp(0.2))
    assert result["configuration"]["command"].endswith("--expected --at norm=0.2 --json")


def test_ratios_and_python_are_parameters_too(nplm) -> None:
    Path("mu.yaml").write_text("ratios:\n  mu: 1 + mu*0.1*exp(x/2)\nbounds: {mu: [-0.1, 20]}\n", encoding="utf-8")
    quick = ("--no-goodness-of-fit", "--json")
    outcome = nplm("measure", "events.npz", *READ, "--parameters", "mu.yaml", *quick)
    assert outcome.code == 0, outcome.err
    Path("mine.py").write_text(
        "from nplm.nuisance import Normalization\n\ndef parameters():\n    return [Normalization('norm')]\n",
        encoding="utf-8",
    )
    outcome = nplm("measure", "events.npz", *READ, "--parameters", "mine:parameters", *quick)
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["parameters"][0]["value"] == pytest.approx(np.log(320 / 300), abs=1e-5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "names no parameter"),
        ("yields: [a]\nyeilds: [b]", "unknown key 'yeilds'"),
        ("log_ratios: {a: a*z}", "z"),
        ("log_ratios: {a: x}", "'a' does not appear"),
        ("log_ratios: {x: x}", "'x' is a feature of the reference"),
        ("log_ratios: {a: a*(x}", "log_ratios.a"),
        ("log_ratios: {a: 0*a*x}", "nothing depends on a"),
        ("log_ratios: {a: 1 + a*x}", "must be 0 at 0"),
        ("ratios: {a: 1 + a*log(y)}", "must be 0 at 0"),
        ("yields: [a, b]", "only on a combination of a, b"),
        ("yields: [a]\nbounds: {a: [1, 2]}", "leave out 0"),
        ("yields: [a]\nbounds: {a: [-1]}", "two numbers"),
        ("yields: [a]\nbounds: {a: [-1, 1]}\nstart: {a: 3}", "outside of its bounds"),
        ("yields: [a]\nstart: {b: 3}", "start of 'b'"),
        ("yields: [lumi]", "both a parameter of interest and a nuisance"),
        ("learned: [none.npz]", "none.npz"),
    ],
)
def test_bad_files_of_parameters_are_refused_in_one_line(nplm, text: str, message: str) -> None:
    Path("bad.yaml").write_text(text, encoding="utf-8")
    outcome = nplm("measure", "events.npz", *READ, "--parameters", "bad.yaml", "--nuisances", "known.yaml", "-o", "out")
    assert outcome.code == 3, outcome.err
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "DATA is missing"),
        (("events.npz",), "--reference is missing"),
        (("events.npz", *READ), "--parameters is missing"),
        (GIVEN, "-o is missing"),
        ((*GIVEN, "--expected", "--json"), "leave out events.npz"),
        ((*GIVEN, "--at", "norm=1", "--json"), "--at is where --expected"),
        ((*GIVEN, "--at", "norm", "--json"), "NAME=VALUE"),
        ((*GIVEN, "--toys", "3", "--json"), "--toys: take 20 or more"),
        ((*GIVEN, "--level", "2", "--json"), "--level"),
        ((*GIVEN, "--resamples", "5", "--json"), "--resamples: take 99 or more"),
        ((*GIVEN, "--limit", "mu", "--json"), "an upper limit of 'mu'"),
        (
            (*READ, "--parameters", "parameters.yaml", "--expected", "--at", "scale=5", "--json"),
            "outside of its bounds",
        ),
        ((*READ, "--parameters", "parameters.yaml", "--expected", "--toys", "50", "--json"), "--toys are drawn"),
        (("missing.npz", *READ, "--parameters", "parameters.yaml", "--json"), "missing.npz"),
        (("events.npz", *READ, "--parameters", "missing.yaml", "--json"), "missing.yaml"),
        (("events.npz", *READ, "--parameters", "nothing:here", "--json"), "nothing"),
    ],
)
def test_bad_input_is_refused_in_one_line(nplm, words: tuple[str, ...], message: str) -> None:
    outcome = nplm("measure", *words)
    assert outcome.code in (2, 3)
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert not Path("out").exists()
