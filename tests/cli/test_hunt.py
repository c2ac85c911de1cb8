"""`nplm hunt`: results in the folder, the resonance as a column or an expression, and what is refused by name."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from nplm.io.write import write_sample
from toys.resonance import SIGNALS, draw_data

pytestmark = pytest.mark.usefixtures("folder")
QUICK = ("--resolution", "0.2", "--draws", "100")


@pytest.fixture(autouse=True)
def events(folder: Path) -> None:
    """events.npz has a signal in its tail of two features."""
    rng = np.random.default_rng(3)
    write_sample(draw_data(rng, 4000, dimension=2, signal=SIGNALS["tail"]), folder / "events.npz")


def test_a_signal_gives_a_folder_and_a_report(nplm) -> None:
    outcome = nplm("hunt", "events.npz", "--resonance", "m", *QUICK, "-o", "out")
    assert outcome.code == 0, outcome.err
    assert "Strong excess at m = 4." in outcome.out
    result = json.loads(Path("out/result.json").read_text())
    Draft202012Validator(json.loads(files("nplm").joinpath("schema/hunt-1.json").read_text())).validate(result)
    assert result["leading"]["in"] == "features"
    assert result["p_value"] < 1e-3
    assert result["features"]["names"] == ["y1", "y2"]
    listed = Path("out/events.csv").read_text().splitlines()
    assert listed[0] == '"row","log_ratio","m","y1","y2"'
    assert len(listed) > 10
    page = Path("out/report.html").read_text()
    for text in ("Is anything localized in m?", "p of each window", "Feature y1", "Events", "looks like a signal"):
        assert text in page
    assert {path.name for path in Path("out/plots").glob("*.png")} == {
        "feature-01-y1.png",
        "feature-02-y2.png",
        "scan.png",
        "spectrum.png",
    }


def test_the_same_from_an_expression_with_a_cut_and_a_resolution_that_grows(nplm) -> None:
    """The rows of events.csv are those of the file."""
    asked = ("--resonance", "mass = 1000*m", "--features", "y1,y2", "--resolution", "0.01*mass + 160", "--draws", "100")
    outcome = nplm("hunt", "events.npz", *asked, "--where", "m < 6.5", "-o", "out", "--json", "--quiet")
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    assert result["resonance"] == "mass"
    assert 4000 < result["leading"]["center"] < 4800
    sigma = [window["sigma"] for window in result["windows"]]
    assert sigma[-1] > sigma[0] > 160
    first = Path("out/events.csv").read_text().splitlines()[1].split(",")
    m = np.load("events.npz")["m"][int(first[0])]
    assert float(first[2]) == pytest.approx(1000 * m)


def test_a_region_alone_and_no_folder(nplm) -> None:
    outcome = nplm(
        "hunt", "events.npz", "--resonance", "m", "--signal-region", "4.2", "4.6", "--json", "--draws", "100"
    )
    assert outcome.code == 0, outcome.err
    result = json.loads(outcome.out)
    assert len(result["windows"]) == 1
    assert (result["leading"]["low"], result["leading"]["high"]) == (4.2, 4.6)
    again = result["configuration"]["command"]
    assert again == "nplm hunt events.npz --resonance m --signal-region 4.2 4.6 --draws 100 --json"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give the events: nplm hunt DATA"),
        (("events.npz",), "--resonance is missing"),
        (("events.npz", "--resonance", "m", "--json"), "--resolution is missing"),
        (("events.npz", "--resonance", "m", *QUICK), "-o is missing"),
        (("events.npz", "--resonance", "mjj", *QUICK, "--json"), "events.npz has no column 'mjj'"),
        (("events.npz", "--resonance", "m", "--resolution", "0", "--json"), "must be a positive number, not 0"),
        (("events.npz", "--resonance", "m", "--resolution", "2*y1", "--json"), "y1"),
        (("events.npz", "--resonance", "m", *QUICK, "--degree", "9", "--json"), "from 0 to 7, not 9"),
        (("events.npz", "--resonance", "m", "--signal-region", "1", "3", "--json"), "must lie between"),
        (
            ("events.npz", "--resonance", "m", *QUICK, "--weights", "m", "--json"),
            "both a feature and the weight column",
        ),
        (("events.npz", "--resonance", "m", *QUICK, "--features", "m", "--json"), "no feature beside 'm'"),
        (("missing.npz", "--resonance", "m", *QUICK, "--json"), "missing.npz"),
    ],
)
def test_bad_input_is_refused_in_one_line(nplm, words: tuple[str, ...], message: str) -> None:
    outcome = nplm("hunt", *words)
    assert outcome.code in (2, 3)
    assert message in outcome.err
    assert "Traceback" not in outcome.err
    assert not Path("out").exists()
