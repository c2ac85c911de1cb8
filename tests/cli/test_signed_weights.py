"""References with weights of both signs, from which no toys can be drawn."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from nplm import KernelModel, NPLMTest, Sample
from nplm.hypotest.verdict import verdict

pytestmark = pytest.mark.usefixtures("folder")

SIGNED = ("test", "data.npz", "--reference", "nref.npz=400", "--features", "x", "--weights", "w")
KERNEL = ("--model", "kernel", "--width", "0.7", "--centers", "50")


def test_a_kernel_takes_its_asymptotic_null(nplm, folder: Path) -> None:
    outcome = nplm(*SIGNED, *KERNEL, "-o", "out")
    assert outcome.code == 0, outcome.err
    result = json.loads((folder / "out" / "result.json").read_text())
    assert (result["calibration"]["kind"], result["calibration"]["toys"]) == ("analytic", 0)
    assert "nref.npz: it has negative weights" in result["calibration"]["no_toys"]
    assert "no toys: toys cannot be drawn from" in outcome.err
    assert "Undecided" not in outcome.out
    page = (folder / "out" / "report.html").read_text()
    assert "The asymptotic null is unchecked: toys cannot be drawn from" in page


def test_so_do_several_widths(nplm) -> None:
    outcome = nplm(*SIGNED, "--model", "kernel", "--widths", "0.5,1", "--centers", "50", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["calibration"]["kind"] == "analytic joint"


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ((*KERNEL, "--toys", "50"), "--toys 0"),
        ((*KERNEL, "--calibrate", "asymptotic+toys"), "--toys 0"),
        (("--model", "histogram"), "--model kernel --width W"),
        (("--model", "network"), "--model kernel --width W"),
    ],
)
def test_who_needs_toys_is_refused_before_anything_is_prepared(
    words: tuple[str, ...], remedy: str, nplm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nplm.cli.commands.test._prepare", None)
    outcome = nplm(*SIGNED, *words, "-o", "out")
    assert outcome.code == 3
    assert "toys cannot be drawn from nref.npz: it has negative weights" in outcome.err
    assert "--pool" in outcome.err
    assert remedy in outcome.err
    assert not Path("out").exists()


def test_in_python_too(rng: np.random.Generator) -> None:
    weights = np.where(rng.random(3000) < 0.2, -0.2, 0.2)
    test = NPLMTest(Sample(rng.exponential(size=3000), weights, ("x",), "signed"), KernelModel(0.7, centers=50))
    result = test.run(Sample(rng.exponential(size=360), None, ("x",), "data"))
    assert result.calibration.kind == "analytic"
    assert verdict(result).level != "undecided"
    with pytest.raises(ValueError, match="toys cannot be drawn from signed"):
        test.run(Sample(rng.exponential(size=360), None, ("x",), "data"), 50)
